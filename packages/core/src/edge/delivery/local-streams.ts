import type { StreamName } from '../../streams.js';
import type { Subscription } from './connection.js';
import { takeOut, type NativeFanOut } from './fan-out-groups.js';

/**
 * A stream with at least one subscriber on this node. Streams of many (public, room, hub, subscription id) may be served
 * by the transport's native fan-out, which shares one buffer; a user's own stream never is: joining and leaving would
 * cost more than the few sends.
 */
export class LocalStream {
  readonly stream: StreamName;
  /** False for a user's own stream. */
  readonly shared: boolean;
  /** Served one by one: a user's devices, and of a shared stream those that join, lag or have just caught up. */
  readonly direct: Subscription[] = [];
  /** Those that the transport serves; null until there are enough for it. */
  native: NativeFanOut | null = null;
  epoch = '';
  /** Newest offset seen here: where every natively served subscription is. */
  offset = 0;

  constructor(stream: StreamName, shared: boolean) {
    this.stream = stream;
    this.shared = shared;
  }

  get size(): number {
    return this.direct.length + (this.native?.members.length ?? 0);
  }

  /** To look through: it changes when one of them leaves. */
  subscriptions(): readonly Subscription[] {
    return this.native === null ? this.direct : this.direct.concat(this.native.members);
  }

  addDirect(subscription: Subscription): void {
    subscription.index = this.direct.push(subscription) - 1;
  }

  remove(subscription: Subscription): void {
    if (subscription.group === null) takeOut(this.direct, subscription);
    else this.native!.remove(subscription);
  }
}

/** All channels of this node by stream name: the one lookup a delivery needs. */
export class LocalStreamTable {
  readonly #localStreams = new Map<StreamName, LocalStream>();
  /** Few beside those of users, and looked at twenty times a second: among 20,000 others that took 1-2 % of a core. */
  readonly #shared = new Set<LocalStream>();

  get(stream: StreamName): LocalStream | undefined {
    return this.#localStreams.get(stream);
  }

  obtain(stream: StreamName, shared: boolean): LocalStream {
    let localStream = this.#localStreams.get(stream);
    if (localStream === undefined) {
      localStream = new LocalStream(stream, shared);
      this.#localStreams.set(stream, localStream);
      if (shared) this.#shared.add(localStream);
    }
    return localStream;
  }

  dropIfEmpty(localStream: LocalStream): boolean {
    if (localStream.size > 0) return false;
    this.#shared.delete(localStream);
    return this.#localStreams.delete(localStream.stream);
  }

  shared(): Iterable<LocalStream> {
    return this.#shared;
  }
}
