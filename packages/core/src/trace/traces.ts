import type { Engine } from '../engine.js';
import { EngineError } from '../errors.js';
import type { Logger } from '../logger.js';
import { TraceSteps } from './trace-steps.js';
import { Tracer } from './tracer.js';
import type { TraceCommand, TraceStep, TraceSubject } from './trace-command.js';
import type { TraceSwitch } from './tracing.js';

/** Traces in the whole cluster: each makes all nodes look at each message. */
const TRACES_MAX = 10;
/** Time in ms within which a node answers its own announcement, unless the engine is away. */
const ANNOUNCED_MS = 2000;
/** Time in ms between two announcements: nodes that came since hear of it. */
const RENEW_MS = 2000;
/** Time in ms after which a node forgets a trace that nobody announces any more. */
const FORGET_MS = 10_000;
/** Time in ms for which steps are collected before they are sent. */
const COLLECT_MS = 100;

/** The asker's end of a trace. Calls come as the steps arrive, those of one node in order. */
export interface TraceListener {
  steps(steps: readonly TraceStep[], lost: number): void;
}

export interface OpenTrace {
  /** Resolves when no node is told any more. Never rejects. */
  close(): Promise<void>;
}

interface OwnTrace {
  readonly subject: TraceSubject;
  readonly listener: TraceListener;
  /** Whether this trace was one of those that may be. */
  readonly decided: PromiseWithResolvers<boolean>;
}

interface KnownTrace {
  readonly from: string;
  readonly steps: TraceSteps;
  /** When it was announced the last time, in ms of the monotonic clock. */
  announcedMs: number;
}

interface TracesDeps {
  readonly engine: Pick<Engine, 'control'>;
  /** Turned on with the first trace, off with the last. */
  readonly tracing: TraceSwitch;
  readonly logger: Logger;
}

/**
 * Traces of the whole cluster, on one node. Who asks announces the trace to all nodes, again and again, and each sends what
 * it sees. All nodes get announcements in one order, so that they agree on which are too many.
 */
export class Traces {
  readonly #deps: TracesDeps;
  readonly #node: string;
  readonly #known = new Map<string, KnownTrace>();
  readonly #own = new Map<string, OwnTrace>();
  #announcing: NodeJS.Timeout | null = null;
  #collecting: NodeJS.Timeout | null = null;

  constructor(deps: TracesDeps, options: { node: string }) {
    this.#deps = deps;
    this.#node = options.node;
  }

  /** Resolves when all nodes trace, or to null when there are too many traces. Rejects with EngineError. */
  async open(subject: TraceSubject, listener: TraceListener): Promise<OpenTrace | null> {
    const id = Math.random().toString(36).slice(2);
    const decided = Promise.withResolvers<boolean>();
    this.#own.set(id, { subject, listener, decided });
    const timer = setTimeout(() => decided.resolve(false), ANNOUNCED_MS);
    try {
      await this.#announce(id, subject);
      const isKnown = await decided.promise;
      if (isKnown) {
        this.#announcing ??= setInterval(() => this.#announceAll(), RENEW_MS);
        return { close: () => this.#close(id) };
      }
      await this.#close(id);
      if (this.#known.size >= TRACES_MAX) return null;
    } catch (error) {
      await this.#close(id);
      throw error;
    } finally {
      clearTimeout(timer);
    }
    throw new EngineError('unavailable', 'the nodes could not be told of the trace');
  }

  take(command: TraceCommand): void {
    switch (command.command) {
      case 'trace':
        this.#learn(command);
        break;
      case 'untrace':
        this.#forget(command.id);
        break;
      case 'traced':
        this.#own.get(command.id)?.listener.steps(command.steps, command.lost);
        break;
    }
  }

  #learn({ id, from, subject }: Extract<TraceCommand, { command: 'trace' }>): void {
    const nowMs = performance.now();
    const known = this.#known.get(id);
    if (known !== undefined) {
      known.announcedMs = nowMs;
      return;
    }
    const isOneOfThem = this.#known.size < TRACES_MAX;
    if (isOneOfThem) {
      const steps = new TraceSteps(subject);
      this.#known.set(id, { from, steps, announcedMs: nowMs });
      const { tracing } = this.#deps;
      tracing.tracer ??= new Tracer(this.#node);
      tracing.tracer.set(id, steps);
      this.#collecting ??= setInterval(() => this.#collect(), COLLECT_MS);
    }
    this.#own.get(id)?.decided.resolve(isOneOfThem);
  }

  #forget(id: string): void {
    const { tracing } = this.#deps;
    this.#known.delete(id);
    tracing.tracer?.delete(id);
    if (this.#known.size > 0) return;
    tracing.tracer = null;
    if (this.#collecting !== null) clearInterval(this.#collecting);
    this.#collecting = null;
  }

  /** Sends what was seen, and forgets traces whose asker is gone. */
  #collect(): void {
    const forgottenMs = performance.now() - FORGET_MS;
    for (const [id, { from, steps, announcedMs }] of this.#known) {
      if (announcedMs < forgottenMs) {
        this.#forget(id);
        continue;
      }
      const taken = steps.take();
      if (taken === null) continue;
      const command = { command: 'traced', id, ...taken } as const;
      if (from === this.#node) this.take(command);
      else this.#deps.engine.control({ kind: 'node', node: from }, command).catch(() => steps.lose(taken));
    }
  }

  #announceAll(): void {
    for (const [id, { subject }] of this.#own) {
      // The next one says the same.
      this.#announce(id, subject).catch(() => undefined);
    }
  }

  async #announce(id: string, subject: TraceSubject): Promise<void> {
    await this.#deps.engine.control({ kind: 'all' }, { command: 'trace', id, from: this.#node, subject });
  }

  async #close(id: string): Promise<void> {
    if (!this.#own.delete(id)) return;
    if (this.#own.size === 0 && this.#announcing !== null) {
      clearInterval(this.#announcing);
      this.#announcing = null;
    }
    this.#forget(id);
    try {
      await this.#deps.engine.control({ kind: 'all' }, { command: 'untrace', id });
    } catch (error) {
      // They forget it by themselves.
      this.#deps.logger.debug('nodes could not be told that a trace is over', { error });
    }
  }
}
