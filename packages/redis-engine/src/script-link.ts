import { EngineError, type EngineStats, type Logger } from '@ws-gateway/core';
import { Command, ReplyError, type Redis } from 'ioredis';
import { serverName } from './epoch.js';
import { isElsewhere, isNoScript, toEngineError } from './script-errors.js';
import type { EvictionPolicies } from './eviction-policies.js';
import type { Script, ScriptName } from './scripts.js';

export interface Call {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** Replies are text unless this is set. */
  readonly buffers?: boolean;
}

interface Pending {
  readonly deadlineMs: number;
  readonly reject: (error: EngineError) => void;
}

/** Time after which a server that did not say which process it is, is asked again. */
const ASK_AGAIN_MS = 2000;

/** Minimum time between two reconnects that a server causes by no longer serving our slot. */
const LEAVE_AFTER_MS = 500;

/**
 * Runs scripts over one connection, in the order of the calls. Fails at once while disconnected and after a deadline
 * otherwise; then the outcome is unknown, and nothing is repeated here: order is the caller's. A connection on which
 * nothing at all was answered within a deadline is dropped: one to a lost machine would stay open for many minutes.
 */
export class ScriptLink {
  readonly #redis: Redis;
  readonly #scripts: ReadonlyMap<ScriptName, Script>;
  readonly #logger: Logger;
  readonly #stats: EngineStats;
  readonly #policies: EvictionPolicies;
  readonly #timeoutMs: number;
  // In order of the deadline, since all calls have the same time.
  readonly #pending = new Set<Pending>();
  readonly #sweeper: NodeJS.Timeout;
  /** What is called collects here until the turn of the loop ends; null: nothing was called in it. */
  #corked: { uncork(): void } | null = null;
  #answeredMs = 0;
  #readySinceMs = Infinity;
  #server = serverName('');
  #identified = false;
  #askedMs = -Infinity;

  constructor(
    redis: Redis,
    { logger, stats, policies }: { logger: Logger; stats: EngineStats; policies: EvictionPolicies },
    { timeoutMs, scripts }: { timeoutMs: number; scripts: ReadonlyMap<ScriptName, Script> },
  ) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#logger = logger;
    this.#stats = stats;
    this.#policies = policies;
    this.#timeoutMs = timeoutMs;
    // Before the library asks the same to see whether the server is ready: so it is known to the first call.
    redis.on('connect', () => this.#identify());
    // Written before anything that hears of "ready" can call: no script is ever unknown after a reconnect.
    redis.on('ready', () => {
      this.#readySinceMs = performance.now();
      this.#load();
    });
    redis.on('close', () => {
      this.#readySinceMs = Infinity;
      this.#identified = false;
    });
    // Not before the sockets were read: what a busy loop has not looked at yet may be the answer.
    this.#sweeper = setInterval(() => setImmediate(() => this.#sweep()), Math.min(250, timeoutMs / 4));
    this.#sweeper.unref();
  }

  get ready(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Time in ms that this connection has been good for calls; negative while it is not. */
  get readyForMs(): number {
    return performance.now() - this.#readySinceMs;
  }

  /** Tells whether the server says which process it is: a failover would go unnoticed otherwise. */
  get identified(): boolean {
    return this.#identified;
  }

  /** Names the process that the connection leads to: another one after a restart or a failover. */
  get server(): string {
    return this.#server;
  }

  /** See EvictionPolicies. */
  get evicts(): boolean {
    return this.#policies.evicts(this);
  }

  async run<Reply>(name: ScriptName, call: Call): Promise<Reply> {
    // Messages and positions would bear the name of no process.
    if (this.ready && !this.#identified) {
      throw new EngineError('unavailable', `redis ${name}: the server does not say which process it is`);
    }
    const script = this.#scripts.get(name)!;
    const args = [script.sha, String(script.keys), ...call.keys, ...call.args];
    try {
      return await this.#send<Reply>(name, 'evalsha', args, call);
    } catch (error) {
      // Somebody flushed the scripts. Nothing was run; but a publish repeated here could be overtaken by the next one.
      if (name === 'publish' || !(error instanceof EngineError) || !isNoScript(error.cause)) throw error;
      return this.#send<Reply>(name, 'evalsha', args, call);
    }
  }

  /** A plain command, for what needs no script. */
  async command<Reply>(name: string, args: readonly (string | number)[], buffers = false): Promise<Reply> {
    return this.#send<Reply>(name, name, [...args], { buffers });
  }

  /** Sends what was called so far: for what calls when the turn of the loop is at its end. */
  send(): void {
    const corked = this.#corked;
    this.#corked = null;
    corked?.uncork();
  }

  stop(): void {
    clearInterval(this.#sweeper);
    this.#redis.disconnect();
  }

  async #send<Reply>(
    operation: string,
    command: string,
    args: (string | number)[],
    { buffers }: { buffers?: boolean | undefined },
  ): Promise<Reply> {
    const startedMs = performance.now();
    this.#cork();
    try {
      const sent = new Command(command, args as string[], { replyEncoding: buffers ? null : 'utf8' });
      return await this.#withDeadline(this.#redis.sendCommand(sent) as Promise<Reply>);
    } catch (cause) {
      const error = toEngineError(cause, operation);
      this.#stats.operationErrors.add(error.code);
      if (isNoScript(cause)) this.#load();
      if (isElsewhere(cause)) this.#leave();
      throw error;
    } finally {
      this.#stats.operationSeconds.observe((performance.now() - startedMs) / 1000);
    }
  }

  #withDeadline<Reply>(answer: Promise<Reply>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const pending = { deadlineMs: performance.now() + this.#timeoutMs, reject };
      this.#pending.add(pending);
      const settled = (): void => {
        this.#pending.delete(pending);
        this.#answeredMs = performance.now();
      };
      answer.then(
        (reply) => {
          settled();
          resolve(reply);
        },
        (error: unknown) => {
          settled();
          reject(error as Error);
        },
      );
    });
  }

  #sweep(): void {
    const nowMs = performance.now();
    if (this.ready && !this.#identified && nowMs - this.#askedMs > ASK_AGAIN_MS) this.#identify();
    for (const pending of this.#pending) {
      if (pending.deadlineMs > nowMs) return;
      this.#pending.delete(pending);
      const isSilent = this.#answeredMs < pending.deadlineMs - this.#timeoutMs;
      if (isSilent && this.readyForMs >= 0) this.#drop('connection gives no answer');
      pending.reject(new EngineError('unavailable', `redis gave no answer within ${this.#timeoutMs} ms`));
    }
  }

  /**
   * Corks the connection: what is called in one turn of the loop leaves in one system call, because handshakes come in
   * bursts.
   */
  #cork(): void {
    const { stream } = this.#redis;
    if (this.#corked !== null || !this.ready) return;
    this.#corked = stream;
    stream.cork();
    setImmediate(() => this.send());
  }

  /** Leaves a server that no longer has the slot: a new connection is led to the one that has. */
  #leave(): void {
    if (this.readyForMs >= LEAVE_AFTER_MS) this.#drop('server serves no calls');
  }

  #drop(why: string): void {
    this.#readySinceMs = Infinity;
    this.#logger.warn('connecting to redis anew', { why });
    this.#redis.disconnect(true);
  }

  #identify(): void {
    this.#askedMs = performance.now();
    this.#redis.info('server', 'memory').then(
      (info) => {
        this.#server = serverName(info);
        this.#identified = info.includes('run_id:');
        if (!this.#identified) this.#logger.error('redis does not say which process it is', {});
        this.#policies.see(this, info);
      },
      (error: unknown) => {
        // A connection that broke asks again when it is back.
        if (error instanceof ReplyError) this.#logger.error('redis refuses INFO', { error: String(error) });
      },
    );
  }

  #load(): void {
    for (const { source } of this.#scripts.values()) {
      this.#redis.script('LOAD', source).catch((error: unknown) => {
        this.#logger.warn('redis script not loaded', { error: String(error) });
      });
    }
  }
}
