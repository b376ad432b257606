import { endByDefect } from '../../defects.js';
import { closeReason } from '../../close-codes.js';
import type { Engine } from '../../engine.js';
import { EngineError } from '../../errors.js';
import type { EdgeStats } from '../../stats.js';
import type { HandshakeIdentifier, Identity, TokenlessHandshake, TokenVerifier } from '../../token-verifier.js';
import type { Attempt } from '../../transport.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import { Connection, type ConnectionOrigin, type Endpoint, type SubscribeRequest } from '../delivery/connection.js';
import { Login } from '../login.js';
import { Agents } from './agents.js';
import {
  checkUserLimit,
  connectionsToReplace,
  identityWithoutToken,
  requireAdmitted,
  verifiedIdentity,
} from './admission-checks.js';
import type { HandshakeQuery } from './handshake-query.js';
import type { HandshakeRequest, ReceivedHandshake, HandshakeReception, ReceptionOptions } from './reception.js';
import { resumed, sessionsOf } from './resuming.js';
import type { PendingSubscriptions, Subscriber } from '../subscriptions/subscriber.js';
import { RefusalError } from '../refusals.js';
import type { Capacity } from '../node/capacity.js';
import type { Sender } from '../delivery/sender.js';
import type { TopicAccess } from '../subscriptions/topic-access.js';
import { claimedUsers } from '../../trace/claimed-users.js';
import type { Tracing } from '../../trace/tracing.js';

export interface HandshakeOptions extends ReceptionOptions {
  readonly node: string;
  readonly connectionsPerUser: number;
  readonly sessions: { readonly max: number; readonly policy: 'reject' | 'replace' } | null;
}

interface AdmissionDeps {
  readonly engine: Engine;
  readonly verifier: TokenVerifier;
  readonly identifier?: HandshakeIdentifier | undefined;
  readonly connections: ConnectionTable;
  readonly subscriber: Subscriber;
  readonly access: TopicAccess;
  readonly reception: HandshakeReception;
  readonly sender: Pick<Sender, 'close'>;
  readonly capacity: Capacity;
  readonly tracing: Tracing;
  readonly stats: EdgeStats;
}

export interface Admitted {
  readonly connection: Connection;
  readonly pending: PendingSubscriptions;
}

/**
 * Decides about a handshake that HandshakeReception has let pass: first the token, then local checks, then one atomic
 * step in the engine. Until the engine has said yes nothing is registered that this class doesn't take back.
 */
export class Handshaker {
  readonly #deps: AdmissionDeps;
  readonly #options: HandshakeOptions;
  readonly #agents = new Agents();
  #sequence = 0;

  constructor(deps: AdmissionDeps, options: HandshakeOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Throws RefusalError. */
  async admit(received: ReceivedHandshake, attempt: Attempt): Promise<Admitted> {
    const { request } = received;
    if (request instanceof RefusalError) throw request;
    const identity = await this.#identify(request, received);
    try {
      return await this.#admitClient({ ...received, request }, identity, attempt);
    } catch (error) {
      if (error instanceof RefusalError) error.user = identity?.user ?? null;
      throw error;
    }
  }

  /** The steps that come when it is known who the client is; `identity` null: a guest. */
  async #admitClient(
    { request, handshake, address }: ReceivedHandshake & { readonly request: HandshakeRequest },
    identity: Identity | null,
    attempt: Attempt,
  ): Promise<Admitted> {
    const { capacity, reception } = this.#deps;
    const { endpoint, query, authorization, resume } = request;
    const login = new Login(identity, authorization, Date.now());
    const requests = resumed(this.#requests(endpoint, query, login), resume);
    endpoint.checkOpen();
    // Node and address may have filled up while the token was verified.
    capacity.check();
    reception.checkAddress(address);
    this.#checkUserLimit(login, endpoint);
    if (attempt.aborted) throw new RefusalError('unavailable', 'the handshake was given up');
    const agent = this.#agents.shared(handshake.header('user-agent'));
    const connection = this.#register({ endpoint, address, agent, login });
    try {
      const sessions = sessionsOf(this.#options.sessions, resume);
      return { connection, pending: await this.#enter(connection, requests, sessions) };
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
    access.requireRoomFor(query.topics.length);
    const topics = query.topics.map((name) => access.wish({ name, keys: query.keys.get(name) }, login));
    for (const { topic, keys } of topics) access.requireRoomForKeys(topic, keys.length);
    const { user } = login;
    return [...access.requests(topics, query.recover, user), ...endpoint.subscriptions(user)];
  }

  async #enter(
    connection: Connection,
    requests: readonly SubscribeRequest[],
    sessions: HandshakeOptions['sessions'],
  ): Promise<PendingSubscriptions> {
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
        sessions,
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
    this.#deps.connections.add(connection);
    return connection;
  }

  async #identify(request: HandshakeRequest, { handshake, address }: ReceivedHandshake): Promise<Identity | null> {
    const { stats, reception, tracing } = this.#deps;
    try {
      const identity = request.known ?? (await this.#identityOf(request, { ...handshake, address }));
      reception.checkIdentified(request);
      return identity;
    } catch (error) {
      if (error instanceof RefusalError && error.code !== 'unavailable') stats.authErrors.add(error.code);
      if (error instanceof RefusalError && tracing.tracer !== null) error.claims = claimedUsers(request.token ?? '');
      throw error;
    }
  }

  async #identityOf({ token }: HandshakeRequest, handshake: TokenlessHandshake): Promise<Identity | null> {
    const { verifier, identifier } = this.#deps;
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
}
