import type { Block, BlockItem, UserItem } from '../engine.js';
import type { PushHeads } from '../frame.js';
import type { Ticket } from '../outcomes/outcome.js';
import { userStream } from '../streams.js';

/** What all items of a record for many users have in common. */
export interface SharedFields extends Omit<UserItem, 'kind' | 'user' | 'head' | 'except' | 'ticket'> {
  readonly heads: PushHeads;
}

/** What a record of blocks says of each of its users. */
export type BlockFields = Pick<BlockItem, 'block' | 'step'>;

/**
 * Item of a record for many users. Its head is put together anew each time that somebody asks for it, and so kept by nobody:
 * the heads of a record for 5,000 users are 15 MB, which would be there until the last call is answered, and each collection
 * meanwhile would hold the event loop for 10 ms to copy them. A copy by `...` has no head.
 */
abstract class Shared {
  readonly user: string;
  readonly topic: string;
  readonly retention: UserItem['retention'];
  readonly sourceOffset: number;
  readonly recordTimeMs: number;
  readonly endsAtMs: number;
  readonly trace?: string;
  readonly #heads: PushHeads;

  constructor(user: string, shared: SharedFields) {
    const { topic, retention, sourceOffset, recordTimeMs, endsAtMs = 0, trace, heads } = shared;
    this.user = user;
    this.topic = topic;
    this.retention = retention;
    this.sourceOffset = sourceOffset;
    this.recordTimeMs = recordTimeMs;
    this.endsAtMs = endsAtMs;
    if (trace !== undefined) this.trace = trace;
    this.#heads = heads;
  }

  get head(): string {
    return this.#heads.head(this.user, this.retention === null ? null : userStream(this.topic, this.user));
  }
}

export class SharedItem extends Shared implements UserItem {
  readonly kind = 'user';
  readonly ticket?: Ticket;

  constructor(user: string, shared: SharedFields, ticket: Ticket | undefined) {
    super(user, shared);
    if (ticket !== undefined) this.ticket = ticket;
  }
}

export class SharedBlock extends Shared implements BlockItem {
  readonly kind = 'block';
  readonly block: Block | null;
  readonly step?: string;

  constructor(user: string, shared: SharedFields, { block, step }: BlockFields) {
    super(user, shared);
    this.block = block;
    if (step !== undefined) this.step = step;
  }
}
