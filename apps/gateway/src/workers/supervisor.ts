import { Backoff, endByDefect, type BackoffOptions, type Logger } from '@ws-gateway/core';
import { GroupMetrics } from '@ws-gateway/telemetry';
import type { Loaded } from '../config/load.js';
import { reloaded, type LiveConfig } from '../node/live-config.js';
import type { NodeState } from '../http/health.js';
import type { GroupAnswers, Question } from './messages.js';
import { exitCodes } from '../cli/exit.js';
import { listenHost } from '../node/listen-host.js';
import { assertFree } from './port-check.js';
import { WorkerProcess, type WorkerEnd } from './worker-process.js';

/** A worker that ended before it ever listened: all others would do the same. */
export class WorkerStartError extends Error {
  override readonly name = 'WorkerStartError';
  /** The worker has said why, on its standard error. */
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('a worker could not be started');
    this.exitCode = exitCode;
  }
}

/** A place for a worker; the processes in it come and go. */
interface WorkerSlot {
  readonly worker: number;
  process: WorkerProcess | null;
  /** Delay before the next start; fresh again when a worker lived long enough. */
  readonly backoff: Backoff;
  listeningSince: number;
  restart: NodeJS.Timeout | undefined;
}

export interface SupervisorOptions {
  /** How often the workers are asked whether they still answer. */
  readonly checkMs?: number;
  /** What a worker runs. Default: this program. */
  readonly program?: string;
}

const RESTART: BackoffOptions = { firstMs: 100, maxMs: 10_000, jitter: 0 };
/** A worker that lived so long is started again without the delay that its predecessors earned. */
const STEADY_MS = 30_000;
/** For all workers together; one that is busier than that is spoken for by what it said last. */
const ANSWER_MS = 500;
const CHECK_MS = 5000;
/** Probes can't find a worker that hangs, because another one answers them: so it is found, and killed, here. */
const UNANSWERED_CHECKS_MAX = 6;
/** Less may just be a long pause of the process. */
const UNANSWERED_CHECKS_TOLD = 2;
/** After the deadline that each worker keeps by itself. */
const KILL_GRACE_MS = 1000;

/**
 * Starts the workers and keeps them running: one that ends is started again, after a delay that grows while it fails,
 * and one that does not answer any more is killed. Knows which of them has the gRPC ports, and answers for all of them
 * what clients ask any of them. Does no work of a gateway itself.
 */
export class Supervisor {
  readonly #live: LiveConfig;
  readonly #logger: Logger;
  readonly #options: SupervisorOptions;
  readonly #metrics: GroupMetrics;
  readonly #places: readonly WorkerSlot[];
  readonly #unanswered = new WeakMap<WorkerProcess, number>();
  #grpcOwner: WorkerProcess | null = null;
  #checks: NodeJS.Timeout | undefined;
  #refused = false;
  #stopping: Promise<boolean> | undefined;
  readonly #stopped = Promise.withResolvers<boolean>();

  constructor(live: LiveConfig, logger: Logger, options: SupervisorOptions = {}) {
    this.#options = options;
    this.#live = live;
    const { config } = live;
    this.#logger = logger;
    this.#metrics = new GroupMetrics(config.metrics.namespace);
    this.#places = Array.from({ length: config.server.workers }, (_, at) => ({
      ...{ worker: at + 1, process: null, backoff: new Backoff(RESTART), listeningSince: 0, restart: undefined },
    }));
  }

  /** Tells whether it stopped because no worker can run with this configuration. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Resolves with whether all workers ended by themselves, in order and in time. */
  get stopped(): Promise<boolean> {
    return this.#stopped.promise;
  }

  /**
   * Resolves when all workers listen. The first one alone: what is wrong with the configuration is said once. Rejects
   * when the port is taken, and with WorkerStartError.
   */
  async start(): Promise<void> {
    const { host, port } = this.#live.config.server;
    await assertFree(listenHost(host), port);
    const { ops } = this.#live.config;
    if (ops.port !== 0) await assertFree(listenHost(ops.host), ops.port);
    const [first, ...others] = this.#places;
    try {
      await this.#startFirst(first!);
      await Promise.all(others.map((place) => this.#startFirst(place)));
    } catch (error) {
      await this.stop('a worker could not be started');
      throw error;
    }
    if (this.#stopping === undefined)
      this.#checks = setInterval(() => this.#check(), this.#options.checkMs ?? CHECK_MS);
  }

  /** Gracefully, within `server.drain.deadline`. A second call gives the same promise. */
  stop(reason: string): Promise<boolean> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  /**
   * Workers that are started again begin with what was taken over, like their siblings. What is wrong is found here, before
   * any of them hears of it.
   */
  reload(next: Pick<Loaded, 'tree' | 'findings'>): void {
    if (!reloaded(this.#live, next, this.#logger)) return;
    for (const process of this.#running()) process.send({ kind: 'reload', tree: next.tree });
  }

  kill(): void {
    for (const { process } of this.#places) process?.kill();
  }

  async #stop(reason: string): Promise<boolean> {
    this.#logger.info('stopping workers', { reason });
    clearInterval(this.#checks);
    for (const { restart } of this.#places) clearTimeout(restart);
    const running = this.#places.flatMap(({ process }) => process ?? []);
    for (const process of running) process.send({ kind: 'stop', reason });
    const deadline = setTimeout(() => this.kill(), this.#live.config.server.drain.deadlineMs + KILL_GRACE_MS);
    const ends = await Promise.all(running.map(({ ended }) => ended));
    clearTimeout(deadline);
    const clean = ends.every(({ code }) => code === exitCodes.ok);
    this.#logger.info('workers stopped', { clean });
    this.#stopped.resolve(clean);
    return clean;
  }

  /** Its end before it listens is the end of the start. */
  async #startFirst(place: WorkerSlot): Promise<void> {
    if (this.#stopping !== undefined) return;
    const listening = Promise.withResolvers<void>();
    const process = this.#run(place, listening.resolve);
    const early = process.ended.then(({ code }) => {
      if (!process.listening && this.#stopping === undefined)
        throw new WorkerStartError(code === exitCodes.usage ? code : exitCodes.failure);
    });
    await Promise.race([listening.promise, early]);
  }

  #run(place: WorkerSlot, onListening: () => void = () => undefined): WorkerProcess {
    const opensGrpc = this.#grpcOwner === null;
    const process: WorkerProcess = new WorkerProcess(
      this.#live,
      { opensGrpc, program: this.#options.program },
      {
        onListening: () => {
          place.listeningSince = performance.now();
          this.#logger.info('worker listens', { worker: place.worker, pid: process.pid });
          if (this.#grpcOwner === null) this.#handGrpcTo(process);
          onListening();
        },
        onGroupQuestion: (id, about) => {
          this.#answer(process, id, about).catch(endByDefect);
        },
      },
    );
    if (opensGrpc) this.#grpcOwner = process;
    place.process = process;
    process.ended.then((end) => this.#ended(place, process, end)).catch(endByDefect);
    return process;
  }

  #ended(place: WorkerSlot, process: WorkerProcess, { code, signal }: WorkerEnd): void {
    place.process = null;
    const metrics = process.lastAnswer('metrics');
    if (metrics !== undefined) this.#metrics.keep(metrics);
    if (this.#stopping !== undefined) return;
    if (this.#grpcOwner === process) this.#handGrpcTo(this.#running().find(({ listening }) => listening) ?? null);
    // The start itself failed: whoever waits for it decides.
    if (this.#checks === undefined && !process.listening) return;
    if (code === exitCodes.usage) {
      this.#logger.error('worker ended, and starting it again cannot help', { worker: place.worker, pid: process.pid });
      this.#refused = true;
      this.stop('a worker cannot run with this configuration').catch(endByDefect);
      return;
    }
    if (process.listening && performance.now() - place.listeningSince > STEADY_MS) place.backoff.reset();
    const delayMs = place.backoff.next();
    const ended = { worker: place.worker, pid: process.pid, code, signal, restartInMs: delayMs };
    // 0: somebody drained it.
    if (code === 0) this.#logger.info('worker ended', ended);
    else this.#logger.error('worker ended', ended);
    place.restart = setTimeout(() => {
      this.#metrics.countRestart();
      this.#run(place);
    }, delayMs);
  }

  #handGrpcTo(process: WorkerProcess | null): void {
    this.#grpcOwner = process;
    process?.send({ kind: 'open-grpc' });
  }

  #running(): WorkerProcess[] {
    return this.#places.flatMap(({ process }) => process ?? []);
  }

  async #answer(asker: WorkerProcess, id: number, about: Question): Promise<void> {
    await this.#askAll(about);
    const answer = about === 'state' ? this.#states() : await this.#renderMetrics();
    asker.send({ kind: 'group-answer', id, answer });
  }

  async #askAll(about: Question): Promise<void> {
    const timeout = Promise.withResolvers<void>();
    const timer = setTimeout(timeout.resolve, ANSWER_MS);
    const asked = this.#running().filter((process) => process.listening && !this.#unanswered.get(process));
    await Promise.race([
      timeout.promise,
      Promise.all(asked.map((worker) => Promise.race([worker.ask(about), worker.ended]))),
    ]);
    clearTimeout(timer);
  }

  #states(): NodeState[] {
    return this.#places.map(({ process }) => {
      const state = process?.listening === true ? process.lastAnswer('state') : undefined;
      if (process === null || state === undefined) return { connections: 0, failing: ['starting'], warnings: [] };
      const silent = (this.#unanswered.get(process) ?? 0) >= UNANSWERED_CHECKS_TOLD;
      return silent ? { ...state, failing: [...state.failing, 'unresponsive'] } : state;
    });
  }

  #renderMetrics(): Promise<GroupAnswers['metrics']> {
    return this.#metrics.render(this.#running().flatMap((process) => [process.lastAnswer('metrics') ?? []]));
  }

  #check(): void {
    for (const { worker, process } of this.#places) {
      if (process?.listening !== true) continue;
      // Rounds are counted, not time: after a pause of the whole machine everybody has a round to answer.
      const unanswered = process.owesAnswer ? (this.#unanswered.get(process) ?? 0) + 1 : 0;
      this.#unanswered.set(process, unanswered);
      if (unanswered >= UNANSWERED_CHECKS_MAX) {
        this.#logger.error('worker does not answer, killing it', { worker, pid: process.pid });
        process.kill();
      } else process.ask('state').catch(endByDefect);
    }
  }
}
