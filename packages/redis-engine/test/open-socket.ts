import { expect } from '@jest/globals';
import type { Engine, Retention, StreamMessage } from '@ws-gateway/core';

export const retention: Retention = { mode: 'ordered', size: 5000, ttlMs: 600_000 };

interface Frame {
  readonly epoch: string;
  readonly offset: number;
  readonly text: string;
}

/** One open socket in one stream, by the rules that the edge keeps (core: rebuild.ts and delivery.ts). */
export class OpenSocket {
  readonly texts: string[] = [];
  readonly #own: { stream: string; retention: Retention; user: string };
  #at = { epoch: '', offset: 0 };
  #held: Frame[] | null = null;

  constructor(user: string) {
    this.#own = { stream: `t/u/${user}`, retention, user };
  }

  async register(engine: Engine): Promise<void> {
    const { stream, user } = this.#own;
    const result = await engine.admit({
      connection: `c-${user}`,
      user,
      endpoint: '/ws',
      sinceMs: 1,
      streams: [this.#own],
      sessions: null,
    });
    if (result.status === 'admitted') this.#at = result.positions[0]!;
    expect([stream, result.status]).toEqual([stream, 'admitted']);
  }

  /** Held before the row is written, read behind the own position, then what was held and is newer. */
  async registerAgain(engine: Engine): Promise<void> {
    // What came until now is in the history that is read below.
    this.#held = [];
    const { user } = this.#own;
    await engine.admit({
      connection: `c-${user}`,
      user,
      endpoint: '/ws',
      sinceMs: 1,
      streams: [this.#own],
      sessions: null,
      rejoin: true,
    });
    const page = await engine.read(this.#own, this.#at, retention.size);
    const held = this.#held ?? [];
    this.#held = null;
    for (const message of page.messages) this.#take(frameOf(message));
    for (const frame of held) this.#take(frame);
  }

  hold(): void {
    this.#held ??= [];
  }

  deliver(message: StreamMessage): void {
    if (message.stream !== this.#own.stream) return;
    if (this.#held === null) this.#take(frameOf(message));
    else this.#held.push(frameOf(message));
  }

  #take({ epoch, offset, text }: Frame): void {
    if (epoch === this.#at.epoch && offset <= this.#at.offset) return;
    this.#at = { epoch, offset };
    this.texts.push(text);
  }
}

function frameOf({ epoch, offset, frame }: StreamMessage): Frame {
  return { epoch, offset, text: (JSON.parse(Buffer.from(frame).toString()) as { text: string }).text };
}
