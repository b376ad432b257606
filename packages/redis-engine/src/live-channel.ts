import type { Logger } from '@ws-gateway/core';
import { ReplyError, type Redis } from 'ioredis';
import type { Channel, ChannelCommands } from './channel-commands.js';
import { isElsewhere } from './script-errors.js';

/** Listens to what a channel connection tells. */
export interface ChannelListener {
  /** Tells that batches of all these inboxes are announced from now on. */
  begun(): void;
  /** A batch of this inbox was announced (see wire.ts). */
  announced(inbox: string, announcement: Buffer): void;
  /** Nothing is announced any more: the connection broke, or Redis refused the request. */
  ended(isRefused: boolean): void;
  /** The connection is there, and could be listened to. */
  ready(): void;
}

/**
 * The live path: a connection on which batches are announced, on a channel that is called as the inbox they lie in. It
 * promises nothing: announcements are lost with the connection, and with publishers of a release that makes none.
 */
export class LiveChannel {
  readonly #redis: Redis;
  readonly #commands: ChannelCommands;
  readonly #logger: Logger;
  readonly #timeoutMs: number;
  readonly #listener: ChannelListener;
  /** The request in force; null: nothing is asked for. An answer to another one is stale. */
  #request: { askedMs: number } | null = null;
  #listens = false;
  #refused = false;
  /** Why the server must not be listened to, null for no reason; undefined: not known of this connection. */
  #refusal: string | null | undefined;

  constructor(
    { redis, commands }: Channel,
    { logger, listener }: { logger: Logger; listener: ChannelListener },
    { timeoutMs }: { timeoutMs: number },
  ) {
    this.#redis = redis;
    this.#commands = commands;
    this.#logger = logger;
    this.#timeoutMs = timeoutMs;
    this.#listener = listener;
    redis.on(commands.event, (channel: Buffer, announcement: Buffer) => {
      // What comes before the answer to the request was published before it.
      if (this.#listens) listener.announced(channel.toString(), announcement);
    });
    redis.on('ready', () => listener.ready());
    redis.on('close', () => {
      this.#refusal = undefined;
      this.#end(false);
    });
    // So the library tells that a server took a channel away with its slot, and that one without the slot was asked.
    redis.on('error', () => this.#listens && this.reconnect());
    redis.on('moved', () => this.#askElsewhere());
  }

  /** Tells whether announcements are asked for. */
  get wanted(): boolean {
    return this.#request !== null;
  }

  /** Asks for announcements of these inboxes; `begun` says when they come. */
  listen(inboxes: readonly string[]): void {
    if (this.#request !== null || this.#redis.status !== 'ready') return;
    const request = { askedMs: performance.now() };
    this.#request = request;
    const isInForce = (): boolean => this.#request === request;
    this.#ask(inboxes, isInForce).then(
      () => {
        if (!isInForce()) return;
        this.#listens = true;
        this.#refused = false;
        this.#listener.begun();
      },
      (error: unknown) => {
        // What is not answered because the connection broke is no refusal; that is told by `close`.
        if (!isInForce() || !(error instanceof ReplyError)) return;
        if (isElsewhere(error)) return this.#askElsewhere();
        this.#end(true);
        if (!this.#refused) this.#logger.warn('redis refuses the live channel', { error: String(error) });
        this.#refused = true;
      },
    );
  }

  /** Asks for no more announcements. */
  leave(): void {
    if (this.#request === null) return;
    this.#request = null;
    this.#listens = false;
    if (this.#redis.status !== 'ready') return;
    // When that fails the connection is gone, and with it the channel.
    this.#commands.unsubscribe(this.#redis).catch(() => undefined);
  }

  /** Ends a connection on which a request is not answered: the next one may lead to the right server. */
  probe(): void {
    if (this.#request === null || this.#listens) return;
    if (performance.now() - this.#request.askedMs > this.#timeoutMs) this.reconnect();
  }

  /** Drops the connection, which does not tell what it should. */
  reconnect(): void {
    if (this.#redis.status === 'ready') this.#redis.disconnect(true);
  }

  stop(): void {
    this.#request = null;
    this.#listens = false;
    this.#redis.disconnect();
  }

  async #ask(inboxes: readonly string[], isInForce: () => boolean): Promise<void> {
    // Once a connection: one that is subscribed to something takes no other commands.
    if (this.#refusal === undefined) this.#refusal = await this.#commands.refusal(this.#redis);
    if (this.#refusal !== null) throw new ReplyError(this.#refusal);
    if (isInForce()) await this.#commands.subscribe(this.#redis, inboxes);
  }

  /**
   * Lets the next probe connect anew. At once would be too often: all servers may say so for a while, in which that costs them
   * more than the shortcut saves.
   */
  #askElsewhere(): void {
    if (this.#request !== null) this.#request.askedMs = -Infinity;
  }

  #end(isRefused: boolean): void {
    if (this.#request === null) return;
    this.#request = null;
    this.#listens = false;
    this.#listener.ended(isRefused);
  }
}
