import type { Engine, PublishItem } from '../../engine.js';
import { sentHead } from '../../frame.js';
import { isObject, own } from '../../json.js';
import { isName, isUserId } from '../../names.js';
import { memberText } from '../../records/json/member-text.js';
import { EVERY_CONNECTION, hubRoomStream, hubStream, hubTopic, roomStream, type Retention } from '../../streams.js';
import type { Connection, LocalStreams } from '../delivery/connection.js';
import { ConnectionBuckets } from '../rate-limits.js';
import { ok, rateLimited, type CommandHandlers, type Outcome } from './outcome.js';
import { RefusalError } from '../refusals.js';
import type { ClientRequest } from './client-request.js';
import { requireRoom } from './room-commands.js';

/** Takes each message on its way to Kafka, for backends. Resolves when the message cannot be lost any more. */
export interface SentMessages {
  write(message: SentMessage): Promise<void>;
}

export interface SentMessage {
  readonly user: string;
  readonly connection: string;
  readonly hub: string | null;
  readonly to: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly payload: string;
}

export interface SendOptions {
  /** Hubs that exist; `send` to another is refused. */
  readonly hubs: readonly string[];
  /** `send` works on every endpoint, not on hubs only. */
  readonly everywhere: boolean;
  readonly roomRetention: Retention | null;
  /** Limit for one connection, weighed by the audience and looked at each time; 0: none. */
  readonly limits: { readonly sendsPerSecond: number };
}

interface SendDeps {
  readonly engine: Engine;
  /** Way to Kafka; null: messages of clients do not go there. */
  readonly sent: SentMessages | null;
  readonly localStreams: LocalStreams;
}

/** Members of a room or hub on this node that a send may reach at the price of one. */
const MEMBERS_PER_SEND = 100;

/** Address that `to` names, one of the three. */
type Address = { readonly user: string } | { readonly room: string } | { readonly hub: string };

/**
 * The command `send`: one client to a user, a room or a hub, across all nodes. From a hub everything stays within the
 * hub. The sending connection is not told its own message.
 */
export class SendCommand {
  readonly #deps: SendDeps;
  readonly #options: SendOptions;
  readonly #rate = new ConnectionBuckets();

  constructor(deps: SendDeps, options: SendOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get handlers(): CommandHandlers {
    return { send: (connection, request) => this.#send(connection, request) };
  }

  async #send(connection: Connection, request: ClientRequest): Promise<Outcome> {
    const { hub } = connection.endpoint;
    const { user } = connection;
    if (hub === null && !this.#options.everywhere)
      throw new RefusalError('not_allowed', 'send: on hubs, and elsewhere when inbound.enabled is set');
    if (user === null) throw new RefusalError('not_allowed', 'send: a guest cannot send: log in first');
    const to = this.#address(connection, own(request.options, 'to'));
    const payload = memberText(memberText(request.text, 'options') ?? '{}', 'payload');
    if (payload === null) throw new RefusalError('bad_request', 'payload: is missing');
    const message = { user, connection: connection.id, hub, to: { ...to }, payload };
    const item = this.#item(message, to);
    const { sendsPerSecond } = this.#options.limits;
    if (!this.#rate.take(connection, sendsPerSecond, this.#costOf(item)))
      return rateLimited(`at most ${sendsPerSecond} sends a second, fewer to rooms and hubs of many`);
    if (this.#deps.sent !== null) await this.#deps.sent.write(message);
    const { items } = await this.#deps.engine.publish({ source: null, items: [item] });
    return ok({ routed: items?.[0]?.nodes ?? 0 });
  }

  /** Who reaches many spends more. What other nodes have to do for it is like what this one has. */
  #costOf(item: PublishItem): number {
    const members = item.kind === 'channel' ? (this.#deps.localStreams.get(item.stream)?.size ?? 0) : 0;
    return Math.max(1, members / MEMBERS_PER_SEND);
  }

  #item(message: SentMessage, to: Address): PublishItem {
    const { user: from, connection: except, hub, payload } = message;
    const base = { sourceOffset: -1, recordTimeMs: Date.now(), except };
    if ('user' in to) {
      const head = sentHead({ event: 'user', from, payload }, null);
      const topic = hub === null ? EVERY_CONNECTION : hubTopic(hub);
      return { ...base, kind: 'user', topic, user: to.user, retention: null, head };
    }
    if ('hub' in to) {
      const head = sentHead({ event: 'hub', from, hub: to.hub, payload }, null);
      return { ...base, kind: 'channel', stream: hubStream(to.hub), retention: null, head };
    }
    const retention = hub === null ? this.#options.roomRetention : null;
    const stream = hub === null ? roomStream(to.room) : hubRoomStream(hub, to.room);
    const head = sentHead({ event: 'room', from, room: to.room, payload }, retention === null ? null : stream);
    return { ...base, kind: 'channel', stream, retention, head };
  }

  #address(connection: Connection, to: unknown): Address {
    if (!isObject(to) || Object.keys(to).length !== 1) throw badTo();
    const [user, room, hub] = [own(to, 'user'), own(to, 'room'), own(to, 'hub')];
    if (room !== undefined) return { room: requireRoom(connection, room) };
    if (typeof user === 'string' && isUserId(user)) return { user };
    if (typeof hub !== 'string' || !isName(hub)) throw badTo();
    const ownHub = connection.endpoint.hub;
    if (ownHub === null ? !this.#options.hubs.includes(hub) : ownHub !== hub) {
      throw new RefusalError('unknown_hub', ownHub === null ? 'no such hub' : `this connection is in hub ${ownHub}`);
    }
    return { hub };
  }
}

function badTo(): RefusalError {
  return new RefusalError('bad_request', 'to: exactly one of {"user"}, {"room"}, {"hub"}');
}
