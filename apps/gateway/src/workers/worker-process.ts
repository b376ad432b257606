import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LiveConfig } from '../node/live-config.js';
import type { OwnAnswers, Question, ToSupervisor, ToWorker } from './messages.js';

const THIS_PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));

export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface WorkerOptions {
  readonly opensGrpc: boolean;
  readonly program?: string | undefined;
}

interface WorkerHandlers {
  onListening(): void;
  onGroupQuestion(id: number, about: Question): void;
}

/** One worker as its supervisor sees it, from fork to exit. */
export class WorkerProcess {
  readonly ended: Promise<WorkerEnd>;
  readonly #child: ChildProcess;
  readonly #handlers: WorkerHandlers;
  #listening = false;
  /** Answers that it gave last: still the best there are while it is too busy, and after its end. */
  readonly #answers: { [about in Question]?: OwnAnswers[about] } = {};
  /** Resolved by the next answer about it. */
  readonly #waiting = new Map<Question, PromiseWithResolvers<void>>();

  constructor(live: LiveConfig, options: WorkerOptions, handlers: WorkerHandlers) {
    const { opensGrpc, program = THIS_PROGRAM } = options;
    this.#handlers = handlers;
    // Advanced: the configuration and the metrics hold maps, infinities and the like.
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as ['ignore', 'inherit', 'inherit', 'ipc'];
    this.#child = fork(program, ['worker'], { serialization: 'advanced', stdio });
    this.#child.on('message', (message) => this.#received(message as ToSupervisor));
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve({ code, signal }));
      // A process that could not be made has no exit; one that has a pid will have.
      this.#child.on('error', () => {
        if (this.#child.pid === undefined) resolve({ code: 1, signal: null });
      });
    });
    this.send({ kind: 'start', config: live.config, tree: live.tree, opensGrpc });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get listening(): boolean {
    return this.#listening;
  }

  /** Tells whether a question is still open. */
  get owesAnswer(): boolean {
    return this.#waiting.size > 0;
  }

  lastAnswer<About extends Question>(about: About): OwnAnswers[About] | undefined {
    return this.#answers[about];
  }

  /** Resolves with the next answer. One question about the same thing at a time is enough for all who ask. */
  ask(about: Question): Promise<void> {
    let waiting = this.#waiting.get(about);
    if (waiting === undefined) {
      this.#waiting.set(about, (waiting = Promise.withResolvers()));
      this.send({ kind: 'question', about });
    }
    return waiting.promise;
  }

  send(message: ToWorker): void {
    // To one that has ended nothing can be said, and its end is told by `ended`.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #received(message: ToSupervisor): void {
    switch (message.kind) {
      case 'listening':
        this.#listening = true;
        return this.#handlers.onListening();
      case 'group-question':
        return this.#handlers.onGroupQuestion(message.id, message.about);
      case 'answer':
        if (message.about === 'state') this.#answers.state = message.answer;
        else this.#answers.metrics = message.answer;
        this.#waiting.get(message.about)?.resolve();
        this.#waiting.delete(message.about);
    }
  }
}
