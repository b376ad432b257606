import type { StreamName } from '../../streams.js';
import { NativeFanOut, takeOut, type StreamMember } from './fan-out-group.js';
import { StreamBacklog, type SlowMember } from './stream-backlog.js';

/**
 * A stream with at least one subscriber on this node. Streams of many (public, room, hub, subscription id) may be served
 * by the transports' native fan-out, which shares one buffer; a user's own stream never is: joining and leaving would
 * cost more than the few sends.
 */
export class LocalStream<Member extends StreamMember & SlowMember> {
  readonly stream: StreamName;
  /** False for a user's own stream. */
  readonly shared: boolean;
  /** Served one by one: a user's devices, and of a shared stream those that join or have just caught up, and few that lag. */
  readonly direct: Member[] = [];
  /** Subscriptions that the transports serve; null until there are enough of them. */
  native: NativeFanOut<Member> | null = null;
  /** Subscriptions of such a stream whose sockets lag; null until there is one. */
  backlog: StreamBacklog<Member> | null = null;
  epoch = '';
  /** Newest offset seen here: where every subscription is that is not served one by one. */
  offset = 0;

  constructor(stream: StreamName, shared: boolean) {
    this.stream = stream;
    this.shared = shared;
  }

  get size(): number {
    return this.direct.length + (this.native?.members.length ?? 0) + (this.backlog?.members.length ?? 0);
  }

  /** One of the subscriptions; undefined: there is none. */
  get anyMember(): Member | undefined {
    return this.direct[0] ?? this.native?.members[0] ?? this.backlog?.members[0];
  }

  /** Lists the subscriptions; the list changes when one of them leaves. */
  subscriptions(): readonly Member[] {
    return this.native === null ? this.direct : this.direct.concat(this.native.members, this.backlog?.members ?? []);
  }

  addDirect(member: Member): void {
    member.index = this.direct.push(member) - 1;
  }

  remove(member: Member): void {
    if (member.group !== null) this.native!.remove(member);
    else if (member.cursor !== null) this.backlog!.remove(member);
    else takeOut(this.direct, member);
  }

  /** Makes place for members that a transport shall serve. */
  obtainNative(): NativeFanOut<Member> {
    return (this.native ??= new NativeFanOut(this.stream));
  }

  /** Makes place for members that lag. */
  obtainBacklog(): StreamBacklog<Member> {
    return (this.backlog ??= new StreamBacklog());
  }
}

/** All streams of this node by name: the one look-up that a delivery needs. */
export class LocalStreamTable<Member extends StreamMember & SlowMember> {
  readonly #localStreams = new Map<StreamName, LocalStream<Member>>();
  /** Streams that are not a user's own: few beside the others, so that who asks for them need not walk all. */
  readonly #shared = new Set<LocalStream<Member>>();

  get size(): number {
    return this.#localStreams.size;
  }

  get(stream: StreamName): LocalStream<Member> | undefined {
    return this.#localStreams.get(stream);
  }

  obtain(stream: StreamName, shared: boolean): LocalStream<Member> {
    let localStream = this.#localStreams.get(stream);
    if (localStream === undefined) {
      localStream = new LocalStream<Member>(stream, shared);
      this.#localStreams.set(stream, localStream);
      if (shared) this.#shared.add(localStream);
    }
    return localStream;
  }

  dropIfEmpty(localStream: LocalStream<Member>): boolean {
    if (localStream.size > 0) return false;
    this.#shared.delete(localStream);
    return this.#localStreams.delete(localStream.stream);
  }

  /** Lists the streams in the order in which they came; one that comes while they are walked is at the end. */
  all(): IterableIterator<LocalStream<Member>> {
    return this.#localStreams.values();
  }

  shared(): Iterable<LocalStream<Member>> {
    return this.#shared;
  }
}
