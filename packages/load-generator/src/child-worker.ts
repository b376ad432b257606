import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface WorkerOptions {
  /** CPU core to run on; without it wherever this process may run. */
  readonly core?: number;
  /** Folder where a CPU profile is written when it ends. */
  readonly profileDir?: string;
}

interface Answer {
  readonly call: number;
  readonly value?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A helper of a load test in a process of its own, called by name. It ends with this process. */
export class ChildWorker {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #options: WorkerOptions;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor(file: URL, options: WorkerOptions = {}) {
    this.#options = options;
    const { profileDir } = options;
    const flags = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
    const command = [process.execPath, ...flags, fileURLToPath(file)];
    if (options.core !== undefined) command.unshift('taskset', '-c', String(options.core));
    this.#child = spawn(command[0]!, command.slice(1), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    // `close` never comes once the channel has been closed from here.
    this.#exited = once(this.#child, 'exit');
    this.#child.on('message', (answer: Answer) => this.#settle(answer));
    this.#child.once('error', (error) => this.#failAll(error));
    this.#child.once('exit', () => this.#failAll(new Error('a helper process ended early')));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Calls a method of the worker. The caller knows the type of the answer. */
  call<T>(method: string, argument?: unknown): Promise<T> {
    const call = ++this.#calls;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(call, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.send({ call, method, argument });
    });
  }

  async stop(): Promise<void> {
    // It ends with its parent's side, and only then writes a profile.
    if (this.#options.profileDir !== undefined && this.#child.connected) this.#child.disconnect();
    else this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #settle({ call, value, error }: Answer): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

type Methods = Readonly<Record<string, (argument: never) => unknown>>;

/** The worker's side: answers the calls of the process that started this one, and ends with it. */
export function serveParent(methods: Methods): void {
  process.on('message', ({ call, method, argument }: { call: number; method: string; argument: never }) => {
    const answer = async (): Promise<unknown> => methods[method]!(argument);
    answer().then(
      (value) => process.send!({ call, value }),
      (error: unknown) => process.send!({ call, error: String(error) }),
    );
  });
  process.once('disconnect', () => process.exit());
}
