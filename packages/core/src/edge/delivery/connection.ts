import type { BackendRequest } from '../../backend-commands.js';
import type { CloseReason } from '../../close-codes.js';
import type { ConnectedTopic } from '../../frame.js';
import type { Position, RetainedStream, StreamName } from '../../streams.js';
import type { StreamPolicy } from '../../stream-policy.js';
import type { Socket } from '../../transport.js';
import type { Login } from '../login.js';
import type { FanOutGroup, NativeFanOut, StreamMember } from './fan-out-group.js';
import type { LocalStream, LocalStreamTable } from './local-streams.js';
import type { SlowQueue } from './slow-queue.js';
import type { BacklogCursor, SlowMember, StreamBacklog } from './stream-backlog.js';
import type { Take } from './takes.js';

/**
 * One socket as the edge sees it. Kept small on purpose: no closures, no timers and no collections until they are
 * needed, so that an idle socket costs little more than the kernel's own part.
 */
export class Connection {
  readonly id: string;
  readonly endpoint: Endpoint;
  readonly address: string;
  /** The client's `User-Agent`; one text for all that say the same (see Agents). */
  readonly agent: string;
  /** Login; only the command `authentication` swaps it (see ConnectionTable.changeLogin). */
  login: Login;
  socket: Socket | null = null;
  /** `admitted`: the engine knows it, the upgrade is not complete. */
  state: 'admitted' | 'open' | 'closing' | 'closed' = 'admitted';
  readonly subscriptions: Subscription[] = [];
  /** Frames of the current batch; sent together at its end. */
  readonly outbox: Uint8Array[] = [];
  /** Queue of a socket that does not keep up; null while it does. */
  slowQueue: SlowQueue | null = null;
  /** Why the gateway closed it; null: it did not. */
  closing: CloseReason | null = null;
  /** A close that was asked for before the socket was there. */
  pendingClose: CloseReason | null = null;
  /** Next connection of the same user on this node. */
  nextOfUser: Connection | null = null;
  /** Time it came, in ms of the monotonic clock. */
  readonly cameAtMs: number;
  /** A number from 0 to 1, drawn at random: how early its lifetime ends among those that came with it. */
  readonly haste = Math.random();
  badRequests = 0;
  rateWindowMs = 0;
  rateCount = 0;
  rateBytes = 0;
  rateExceededWindows = 0;
  /** Request ids being answered; made with the first request that takes time. */
  ridsInFlight: Set<number> | null = null;
  /** The last bare frame, while it is being done; never rejects. */
  bareInFlight: Promise<void> | null = null;

  constructor(id: string, origin: ConnectionOrigin) {
    this.id = id;
    this.endpoint = origin.endpoint;
    this.address = origin.address;
    this.agent = origin.agent;
    this.login = origin.login;
    this.cameAtMs = origin.cameAtMs;
  }

  get user(): string | null {
    return this.login.user;
  }

  subscriptionTo(stream: string): Subscription | undefined {
    return this.subscriptions.find((subscription) => subscription.localStream.stream === stream);
  }

  /** Names of the topics (rooms, …) this connection is in. */
  namesOf(kind: SubscriptionKind): Set<string> {
    const names = new Set<string>();
    for (const subscription of this.subscriptions) if (subscription.kind === kind) names.add(subscription.name);
    return names;
  }
}

export interface ConnectionOrigin {
  readonly endpoint: Endpoint;
  readonly address: string;
  readonly agent: string;
  readonly login: Login;
  readonly cameAtMs: number;
}

/** What a path accepts, and what differs between the kinds of sockets there are. */
export interface Endpoint {
  readonly path: string;
  /** May be opened without a token. */
  readonly guests: boolean;
  /** The hub whose members its connections are; null: none. */
  readonly hub: string | null;
  /** One connection per user in the whole cluster, and what becomes of a second one; null: as many as come. */
  readonly exclusive: 'reject' | 'replace' | null;
  /** Its sockets get what is for every connection, and what is for every connection of a user. */
  readonly wantsBroadcast: boolean;

  /** Throws RefusalError when the query asks for what there is not at this endpoint. */
  checkQuery(query: { readonly topics: readonly string[]; readonly recover: ReadonlyMap<string, Position> }): void;
  /** Throws RefusalError while nobody may come in. */
  checkOpen(): void;
  /** Streams that each of its connections is in from the start. */
  subscriptions(user: string | null): SubscribeRequest[];
  /** The first frame; null: none. `topics` are those that the handshake asked for. */
  greeting(connection: Connection, topics: readonly ConnectedTopic[]): string | null;
  /** The socket is open, was greeted and is in all its streams. */
  opened(connection: Connection): void;
  message(connection: Connection, text: ArrayBuffer): void;
  /** Called once for each connection that was opened. */
  closed(connection: Connection, close: CloseReason): void;
  /** The frame that tells a client to go elsewhere; null: there is none, the close says it. */
  drainNotice(afterMs: number): string | null;
}

export type SubscriptionKind = 'topic' | 'room' | 'hub' | 'subscription' | 'pipe';

/** What a subscription is to: fixed for its life. */
export interface SubscriptionTarget {
  readonly kind: SubscriptionKind;
  /** Name of the topic, room, hub or back end, or the subscription id. */
  readonly name: string;
  readonly policy: StreamPolicy;
  /** Key of the topic; absent: it is to no key. */
  readonly key?: string | undefined;
}

/** One stream a connection is to be in. */
export interface SubscribeRequest extends SubscriptionTarget {
  readonly stream: StreamName;
  /** False for a user's own stream. */
  readonly shared: boolean;
  /** Position that the client brought; null: none. */
  readonly after: Position | null;
}

/** One connection's place in one stream. */
export class Subscription implements SubscriptionTarget, StreamMember, SlowMember {
  readonly connection: Connection;
  readonly localStream: LocalStream<Subscription>;
  readonly kind: SubscriptionKind;
  readonly name: string;
  readonly policy: StreamPolicy;
  readonly key: string | undefined;
  /** Whose stream it is; null for a shared one. */
  readonly #user: string | null;
  epoch = '';
  /** Newest offset this connection has been given; frames up to it are not sent again. 0 without history. */
  offset = 0;
  index = -1;
  /** The connection is not in the stream any more. */
  left = false;
  group: FanOutGroup | null = null;
  cursor: BacklogCursor | null = null;
  /** Request that made a subscription id's subscription; a reload makes it again. */
  query: { readonly command: string; readonly call: BackendRequest } | null = null;
  /** A reload came before the first answer did; it is made up for behind that answer. */
  reloadMissed = false;
  /** Live frames that wait for the history before them; null when live. */
  held: HeldFrame[] | null = [];
  heldBytes = 0;
  /** It was live when the store lost something: what came to this node before, and comes again now, it has had. */
  outlivedLoss = false;
  /**
   * A history longer than a page is being sent: `paced` while its socket takes a page (what comes live is in the history),
   * `reading` while the next page is read (it may be the last, so what comes live is held); null: it is not.
   */
  replaying: 'paced' | 'reading' | null = null;
  /** Made for those who want to know when it is live. */
  #settled: PromiseWithResolvers<void> | null = null;

  constructor(connection: Connection, localStream: LocalStream<Subscription>, target: SubscriptionTarget) {
    this.connection = connection;
    this.localStream = localStream;
    this.kind = target.kind;
    this.name = target.name;
    this.policy = target.policy;
    this.key = target.key;
    this.#user = localStream.shared ? null : connection.user;
  }

  /** Resolves when it is live, or was left: until then nobody can say where it is in its stream. */
  async settled(): Promise<void> {
    if (this.held === null || this.left) return;
    this.#settled ??= Promise.withResolvers();
    await this.#settled.promise;
  }

  /** It is live, or was left. */
  settle(): void {
    this.#settled?.resolve();
    this.#settled = null;
  }

  /** It is served with others, and is where the stream is; its own `epoch` and `offset` are not kept up. */
  get isServedWithOthers(): boolean {
    return this.group !== null || this.cursor !== null;
  }

  /** Newest position that its connection was given, or that waits for its socket. */
  get position(): Position {
    const { epoch, offset } = this.isServedWithOthers ? this.localStream : this;
    return { epoch, offset };
  }

  /** Stream with what is kept of it; null: a stream without history. */
  get retained(): RetainedStream | null {
    const { retention } = this.policy;
    return retention === null ? null : { stream: this.localStream.stream, retention, user: this.#user };
  }
}

/** The streams of this node with their subscriptions. */
export type LocalStreams = LocalStreamTable<Subscription>;

/** The subscriptions of one stream that transports serve. */
export type NativeSubscribers = NativeFanOut<Subscription>;

/** The subscriptions of one such stream whose sockets lag. */
export type SlowSubscribers = StreamBacklog<Subscription>;

/** A frame with its position. */
export interface Frame {
  readonly epoch: string;
  readonly offset: number;
  readonly frame: Uint8Array;
  /** See MessageLife. */
  readonly endsAtMs?: number;
  /** Record that it was made of (see StreamMessage); absent: nobody asks. */
  readonly source?: number;
  readonly sourceOffset?: number;
  readonly acceptedMs?: number;
}

interface HeldFrame {
  readonly epoch: string;
  readonly offset: number;
  /** null: the connection's own message, which it is not told. */
  readonly frame: Uint8Array | null;
  /** Told when it is taken; null: nobody wants to know. */
  readonly take: Take | null;
}
