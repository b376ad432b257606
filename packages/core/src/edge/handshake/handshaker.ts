import { endByDefect } from '../../defects.js';
import { closeReason } from '../../close-codes.js';
import type { Engine } from '../../engine.js';
import { EngineError } from '../../errors.js';
import type { EdgeStats } from '../../stats.js';
import type { HandshakeIdentifier, Identity, TokenlessHandshake, TokenVerifier } from '../../token-verifier.js';
import type { Handshake } from '../../transport.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import { Connection, type ConnectionOrigin, type Endpoint, type SubscribeRequest } from '../delivery/connection.js';
import { Login } from '../login.js';
import { Agents } from './agents.js';
import { HandshakeRate } from './handshake-rate.js';
import {
  checkUserLimit,
  connectionsToReplace,
  identityWithoutToken,
  requireAdmitted,
  verifiedIdentity,
} from './admission-checks.js';
import type { Endpoints } from '../endpoints.js';
import { parseHandshakeQuery, type HandshakeQuery } from './handshake-query.js';
import type { PendingSubscriptions, Subscriber } from '../subscriptions/subscriber.js';
import { RefusalError } from '../refusals.js';
import type { Capacity } from '../node/capacity.js';
import type { Sender } from '../delivery/sender.js';
import type { TopicAccess } from '../subscriptions/topic-access.js';

export interface HandshakeOptions {
  readonly node: string;
  readonly tokenParameters: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** The address that limits apply to: the peer's, or what a trusted proxy says. */
  readonly clientAddress: (handshake: Handshake) => string;
  readonly connectionsPerUser: number;
  readonly connectionsPerAddress: number;
  /** 0: no limit. */
  readonly handshakesPerSecond: number;
  /** Subprotocols that are accepted and selected besides the gateway's own. */
  readonly subprotocols: readonly string[];
  readonly maxLifetimeMs: number;
  readonly sessions: { readonly max: number; readonly policy: 'reject' | 'replace' } | null;
}

interface AdmissionDeps {
  readonly engine: Engine;
  readonly verifier: TokenVerifier;
  readonly identifier?: HandshakeIdentifier | undefined;
  readonly connections: ConnectionTable;
  readonly subscriber: Subscriber;
  readonly access: TopicAccess;
  readonly endpoints: Endpoints;
  readonly sender: Pick<Sender, 'close'>;
  readonly capacity: Capacity;
  readonly stats: EdgeStats;
}

export interface Admitted {
  readonly connection: Connection;
  readonly pending: PendingSubscriptions;
  readonly protocol: string | null;
}

const BEARER = /^bearer +(.+)$/i;

/**
 * Decides about a handshake: cheap local checks first, then the token, then one atomic step in the engine. Until the
 * engine has said yes nothing is registered that this class doesn't take back.
 */
export class Handshaker {
  readonly #deps: AdmissionDeps;
  readonly #options: HandshakeOptions;
  readonly #rate = new HandshakeRate();
  readonly #agents = new Agents();
  #sequence = 0;

  constructor(deps: AdmissionDeps, options: HandshakeOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Throws RefusalError. */
  async admit(handshake: Handshake, signal: AbortSignal): Promise<Admitted> {
    const endpoint = this.#deps.endpoints.require(handshake.path);
    this.#checkOrigin(handshake.origin);
    const query = parseHandshakeQuery(handshake.query, this.#options.tokenParameters);
    endpoint.checkQuery(query);
    const address = this.#options.clientAddress(handshake);
    this.#checkAddress(address);
    const bearer = findBearer(handshake, query, this.#options.subprotocols);
    const identity = await this.#identify(bearer.token, endpoint, { ...handshake, address });
    try {
      const agent = this.#agents.shared(handshake.header('user-agent'));
      return await this.#admitClient(signal, { endpoint, query, address, agent, bearer, identity });
    } catch (error) {
      if (error instanceof RefusalError) error.user = identity?.user ?? null;
      throw error;
    }
  }

  /** The steps that come when it is known who the client is. */
  async #admitClient(signal: AbortSignal, client: IdentifiedClient): Promise<Admitted> {
    const { endpoint, query, address, agent, bearer, identity } = client;
    const login = new Login(identity, bearer.authorization, Date.now());
    const requests = this.#requests(endpoint, query, login);
    endpoint.checkOpen();
    // Node and address may have filled up while the token was verified.
    this.#deps.capacity.check();
    this.#checkAddress(address);
    this.#checkUserLimit(login, endpoint);
    signal.throwIfAborted();
    const connection = this.#register({ endpoint, address, agent, login });
    try {
      const pending = await this.#enter(connection, requests);
      return { connection, pending, protocol: bearer.protocol };
    } catch (error) {
      this.undo(connection);
      throw error;
    }
  }

  /** Takes back everything an admission registered on this node. */
  undo(connection: Connection): void {
    connection.state = 'closed';
    this.#deps.subscriber.leaveAll(connection);
    this.#deps.connections.remove(connection);
    const { user } = connection;
    if (user !== null) this.#deps.engine.release([{ connection: connection.id, user }]).catch(endByDefect);
  }

  /** Throws RefusalError. */
  #requests(endpoint: Endpoint, query: HandshakeQuery, login: Login): SubscribeRequest[] {
    const { access } = this.#deps;
    const topics = query.topics.map((name) => access.wish({ name, keys: query.keys.get(name) }, login));
    access.requireRoomFor(topics.length);
    for (const { topic, keys } of topics) access.requireRoomForKeys(topic, keys.length);
    const { user } = login;
    return [...access.requests(topics, query.recover, user), ...endpoint.subscriptions(user)];
  }

  async #enter(connection: Connection, requests: readonly SubscribeRequest[]): Promise<PendingSubscriptions> {
    const { engine, subscriber, connections, sender } = this.#deps;
    const { endpoint, login } = connection;
    try {
      const pending = await subscriber.begin(connection, requests);
      const replaced = connectionsToReplace(connection, connections);
      const result = await engine.admit({
        connection: connection.id,
        user: login.user,
        endpoint: endpoint.path,
        sinceMs: login.sinceMs,
        streams: subscriber.streamsOf(pending),
        sessions: this.#options.sessions,
        token: login.identity,
        exclusive: endpoint.exclusive,
      });
      if (result.status === 'session_limit') this.#probe(login, undefined);
      if (result.status === 'already_connected') this.#probe(login, endpoint.path);
      const positions = requireAdmitted(result);
      for (const holder of replaced) sender.close(holder, closeReason('session_replaced'));
      await subscriber.read(pending, positions);
      return pending;
    } catch (error) {
      if (error instanceof EngineError)
        throw new RefusalError('unavailable', 'the gateway cannot admit connections right now');
      throw error;
    }
  }

  #register(origin: Omit<ConnectionOrigin, 'cameAtMs'>): Connection {
    const cameAtMs = performance.now();
    const id = `${this.#options.node}-${(++this.#sequence).toString(36)}`;
    const connection = new Connection(id, { ...origin, cameAtMs });
    const lifetimeMs = this.#options.maxLifetimeMs;
    // Up to a tenth earlier at random: sockets that came together must not all leave together.
    if (lifetimeMs > 0) connection.closeAtMs = cameAtMs + lifetimeMs * (1 - Math.random() / 10);
    this.#deps.connections.add(connection);
    return connection;
  }

  async #identify(token: string | null, endpoint: Endpoint, handshake: TokenlessHandshake): Promise<Identity | null> {
    const { stats } = this.#deps;
    try {
      const identity = await this.#identityOf(token, endpoint, handshake);
      this.#rate.checkAdmission(this.#options.handshakesPerSecond);
      return identity;
    } catch (error) {
      if (error instanceof RefusalError && error.code !== 'unavailable') stats.authErrors.add(error.code);
      throw error;
    }
  }

  async #identityOf(token: string | null, endpoint: Endpoint, handshake: TokenlessHandshake): Promise<Identity | null> {
    const { verifier, identifier } = this.#deps;
    const known = token === null ? null : verifier.recall(token);
    if (known !== null) return known;
    if (token === null && identifier === undefined && !endpoint.guests) {
      throw new RefusalError(
        'token_missing',
        'a token is needed: Authorization: Bearer <jwt>, ?token=<jwt> or the bearer subprotocol',
      );
    }
    this.#rate.checkUnknown(this.#options.handshakesPerSecond, handshake.address);
    if (token !== null) return verifiedIdentity(verifier, token);
    return identifier === undefined ? null : identityWithoutToken(identifier, handshake);
  }

  #checkUserLimit(login: Login, endpoint: Endpoint): void {
    try {
      checkUserLimit(login.identity, this.#deps.connections, this.#options.connectionsPerUser);
    } catch (error) {
      this.#probe(login, endpoint.exclusive === null ? undefined : endpoint.path);
      throw error;
    }
  }

  /** The places of this user that are wanted may be held by sockets whose clients are gone: the next try finds them free. */
  #probe({ user }: Login, endpoint: string | undefined): void {
    if (user === null) return;
    const command = { command: 'probe', user, ...(endpoint !== undefined && { endpoint }) } as const;
    // Nothing is lost by it: the heartbeat finds them later.
    this.#deps.engine.control({ kind: 'user', user }, command).catch(() => undefined);
  }

  #checkOrigin(origin: string | null): void {
    const { allowedOrigins } = this.#options;
    if (origin === null || allowedOrigins.length === 0 || allowedOrigins.includes(origin)) return;
    throw new RefusalError('origin_forbidden', 'this origin is not in server.allowedOrigins');
  }

  #checkAddress(address: string): void {
    const limit = this.#options.connectionsPerAddress;
    if (limit === 0 || this.#deps.connections.countOfAddress(address) < limit) return;
    throw new RefusalError('too_many_connections', `at most ${limit} connections per address`);
  }
}

interface IdentifiedClient {
  readonly endpoint: Endpoint;
  readonly query: HandshakeQuery;
  readonly address: string;
  readonly agent: string;
  readonly bearer: Bearer;
  /** null: a guest. */
  readonly identity: Identity | null;
}

interface Bearer {
  readonly token: string | null;
  /** Value for back ends: the header as it came, or what it would have been. */
  readonly authorization: string;
  /** Selected subprotocol; null: none was offered. */
  readonly protocol: string | null;
}

/** The gateway's own subprotocol. */
const OWN_PROTOCOL = 'wsg.v1';
/** The subprotocol that carries a token: the entry right behind it. */
const TOKEN_PROTOCOL = 'bearer';

/**
 * The first source that is present wins: Authorization, query, subprotocol. A header of another scheme is none:
 * it is for somebody else on the way, as that of a proxy with a password.
 */
function findBearer(handshake: Handshake, query: HandshakeQuery, accepted: readonly string[]): Bearer {
  const offered = handshake.protocols
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const at = offered.indexOf(TOKEN_PROTOCOL);
  const offeredToken = at < 0 ? null : (offered[at + 1] ?? null);
  const protocol = selectProtocol(offered, [
    OWN_PROTOCOL,
    ...accepted,
    ...(offeredToken === null ? [] : [TOKEN_PROTOCOL]),
  ]);
  const authorization = handshake.authorization.trim();
  const header = BEARER.exec(authorization)?.[1];
  if (header !== undefined) return { token: header, authorization, protocol };
  const token = query.token ?? offeredToken;
  return { token, authorization: token === null ? '' : `Bearer ${token}`, protocol };
}

/**
 * The first one that is accepted. When none is the client is told which would be: a browser ends a connection whose
 * subprotocols the server has not taken up, and does not say why.
 */
function selectProtocol(offered: readonly string[], accepted: readonly string[]): string | null {
  const selected = accepted.find((name) => offered.includes(name));
  if (selected !== undefined) return selected;
  if (offered.length === 0) return null;
  const known = [...new Set([...accepted, TOKEN_PROTOCOL])].join(', ');
  throw new RefusalError('bad_request', `Sec-WebSocket-Protocol: none is known; known ones: ${known}`);
}
