import type { BackendRequest } from '../../backend-commands.js';
import type { CloseReason } from '../../close-codes.js';
import type { RetainedStream } from '../../streams.js';
import type { Identity } from '../../token-verifier.js';
import type { StreamPolicy } from '../../topics.js';
import type { Socket } from '../../transport.js';
import type { LocalStream } from './local-streams.js';
import type { FanOutGroup } from './fan-out-groups.js';
import type { Endpoint } from '../endpoints.js';
import type { SlowQueue } from './slow-queue.js';

/**
 * One socket as the edge sees it. Kept small on purpose: no closures, no timers and no collections until they are
 * needed, so that an idle socket costs little more than the kernel's own part.
 */
export class Connection {
  readonly id: string;
  readonly endpoint: Endpoint;
  readonly address: string;
  readonly sinceMs: number;
  /** Since when it is its user's: later than `sinceMs` after the command `authentication`, and never the same twice. */
  userSinceMs: number;
  /** The client's `Authorization` value or `Bearer <token>`: forwarded to backends, never logged. */
  authorization: string;
  /** null: a guest. Changes by the command `authentication` only. */
  identity: Identity | null;
  socket: Socket | null = null;
  /** `admitted`: the engine knows it, the upgrade is not complete. */
  state: 'admitted' | 'open' | 'closing' | 'closed' = 'admitted';
  readonly subscriptions: Subscription[] = [];
  /** Frames of the current batch; sent together at its end. */
  readonly outbox: Uint8Array[] = [];
  /** Set while the socket does not keep up. */
  slowQueue: SlowQueue | null = null;
  /** A close that was asked for before the socket was there. */
  pendingClose: CloseReason | null = null;
  /** Next connection of the same user on this node. */
  nextOfUser: Connection | null = null;
  /** ms since the epoch; 0: never. */
  closeAtMs = 0;
  badRequests = 0;
  rateWindowMs = 0;
  rateCount = 0;
  rateExceededWindows = 0;
  /** Request ids being answered; made with the first request that takes time. */
  ridsInFlight: Set<number> | null = null;
  /** The last bare frame, while it is being done; never rejects. */
  bareInFlight: Promise<void> | null = null;

  constructor(id: string, origin: ConnectionOrigin) {
    this.id = id;
    this.endpoint = origin.endpoint;
    this.address = origin.address;
    this.authorization = origin.authorization;
    this.identity = origin.identity;
    this.sinceMs = origin.sinceMs;
    this.userSinceMs = origin.sinceMs;
  }

  get user(): string | null {
    return this.identity === null ? null : this.identity.user;
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
  readonly authorization: string;
  readonly identity: Identity | null;
  readonly sinceMs: number;
}

export type SubscriptionKind = 'topic' | 'room' | 'hub' | 'subscription' | 'pipe';

/** What a subscription is to: fixed for its life. */
export interface SubscriptionTarget {
  readonly kind: SubscriptionKind;
  /** Name of the topic, room, hub or backend, or the subscription id. */
  readonly name: string;
  readonly policy: StreamPolicy;
}

/** One connection's place in one stream. */
export class Subscription implements SubscriptionTarget {
  readonly connection: Connection;
  readonly localStream: LocalStream;
  readonly kind: SubscriptionKind;
  readonly name: string;
  readonly policy: StreamPolicy;
  epoch = '';
  /** Newest offset this connection has been given; frames up to it are not sent again. 0 without history. */
  offset = 0;
  /** Index in the channel's list of singly or natively served subscriptions. */
  index = -1;
  /** Set while the transport's own fan-out serves this subscription. */
  group: FanOutGroup | null = null;
  /** What made a subscription id's subscription: asked again by a reload. */
  query: { readonly command: string; readonly call: BackendRequest } | null = null;
  /** A reload came before the first answer did; it is made up for behind that answer. */
  reloadMissed = false;
  /** Live frames that wait for the history before them; null when live. */
  held: HeldFrame[] | null = [];
  heldBytes = 0;

  constructor(connection: Connection, localStream: LocalStream, target: SubscriptionTarget) {
    this.connection = connection;
    this.localStream = localStream;
    this.kind = target.kind;
    this.name = target.name;
    this.policy = target.policy;
  }

  /** null: a stream without history. */
  get retained(): RetainedStream | null {
    const { retention } = this.policy;
    if (retention === null) return null;
    const { stream, shared } = this.localStream;
    return { stream, retention, user: shared ? null : this.connection.user };
  }
}

export interface HeldFrame {
  readonly epoch: string;
  readonly offset: number;
  readonly frame: Uint8Array;
}
