import type { BackendCommands, BackendOutcome } from '../../backend-commands.js';
import { closeReason } from '../../close-codes.js';
import type { Engine } from '../../engine.js';
import { isUserId } from '../../names.js';
import type { Identity, TokenVerifier } from '../../token-verifier.js';
import type { HandshakeOptions } from '../handshake/handshaker.js';
import { requireAdmitted, checkUserLimit } from '../handshake/admission-checks.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import type { Connection } from '../delivery/connection.js';
import type { Subscriber } from '../subscriptions/subscriber.js';
import { ok, type CommandHandlers, type Outcome } from './outcome.js';
import type { PresenceEvents } from '../../outgoing/presence-events.js';
import { RefusalError } from '../refusals.js';
import { own, type ClientRequest } from './client-request.js';
import type { Sender } from '../delivery/sender.js';
import { verifiedIdentity } from '../handshake/admission-checks.js';
import { backendRequest, throwOnMistake } from './backend-command-handler.js';

/** Of somebody whom a backend knows: what a token of ours could limit is not limited. */
const NO_CLAIMS: Omit<Identity, 'user'> = {
  expiresAtMs: null,
  issuedAtMs: null,
  tokenId: null,
  topics: null,
  rooms: null,
  presence: false,
};

type AuthenticationOptions = Pick<HandshakeOptions, 'sessions' | 'connectionsPerUser'>;

interface AuthenticationDeps {
  readonly engine: Engine;
  readonly verifier: TokenVerifier;
  readonly backends: BackendCommands;
  readonly connections: ConnectionTable;
  readonly subscriber: Subscriber;
  readonly sender: Sender;
  readonly presence: PresenceEvents | null;
}

/**
 * The command `authentication`: another token on an open socket. The same user keeps everything (and a new expiry); a
 * change of user drops all subscriptions, unless `update` demands that it is the same; no token makes a guest. A backend
 * that is asked about the token is believed: what is no token of ours is then of the user whom it names.
 */
export class AuthenticationCommand {
  readonly #deps: AuthenticationDeps;
  readonly #options: AuthenticationOptions;
  readonly #changing = new WeakMap<Connection, Promise<void>>();

  constructor(deps: AuthenticationDeps, options: AuthenticationOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get handlers(): CommandHandlers {
    return { authentication: (connection, request) => this.#authenticate(connection, request) };
  }

  async #authenticate(connection: Connection, request: ClientRequest): Promise<Outcome> {
    const token = own(request.options, 'authToken') ?? '';
    if (typeof token !== 'string') throw new RefusalError('bad_request', 'authToken: a text');
    const update = own(request.options, 'update') === true;
    if (token === '') return this.#becomeGuest(connection, { update });
    const outcome = await this.#askBackend(connection, request);
    if (outcome !== null && outcome.status !== 'ok') return outcome;
    const identity = await this.#identityOf(token, outcome);
    await this.#inTurn(connection, () => this.#takeIdentity(connection, identity, { update }));
    connection.authorization = token;
    return ok(outcome === null ? { user: identity.user } : outcome.payload);
  }

  async #identityOf(token: string, outcome: BackendOutcome | null): Promise<Identity> {
    try {
      return await verifiedIdentity(this.#deps.verifier, token.replace(/^bearer +/i, ''));
    } catch (error) {
      const user = outcome?.user ?? '';
      if (!(error instanceof RefusalError) || error.code !== 'token_invalid' || !isUserId(user)) throw error;
      return { ...NO_CLAIMS, user };
    }
  }

  /** null: no backend is configured for it. */
  async #askBackend(connection: Connection, request: ClientRequest): Promise<BackendOutcome | null> {
    const { backends } = this.#deps;
    if (!backends.has(request.command, connection.endpoint.path)) return null;
    return throwOnMistake(await backends.execute(request.command, backendRequest(connection, request)));
  }

  async #becomeGuest(connection: Connection, { update }: { update: boolean }): Promise<Outcome> {
    if (update && connection.user !== null) throw new RefusalError('user_mismatch', 'update: the token is missing');
    if (!connection.endpoint.guests) throw new RefusalError('token_missing', 'this endpoint is not for guests');
    await this.#inTurn(connection, () => this.#changeUser(connection, null));
    connection.authorization = '';
    return ok({ user: null });
  }

  /** One at a time for each connection: it begins with the user whom the one before has left. */
  async #inTurn(connection: Connection, change: () => Promise<void>): Promise<void> {
    const before = this.#changing.get(connection) ?? Promise.resolve();
    const done = before.then(() => {
      // Nobody would take back what was registered for it now.
      if (isClosed(connection)) throw new RefusalError('unavailable', 'the connection has ended');
      return change();
    });
    this.#changing.set(
      connection,
      done.catch(() => undefined),
    );
    await done;
  }

  async #takeIdentity(connection: Connection, identity: Identity, { update }: { update: boolean }): Promise<void> {
    const sameUser = connection.user === identity.user;
    if (update && !sameUser) throw new RefusalError('user_mismatch', 'update: the token is of another user');
    if (!sameUser) return this.#changeUser(connection, identity);
    await this.#register(connection, identity);
    if (isClosed(connection)) await this.#release(connection, identity);
    else connection.identity = identity;
  }

  /**
   * The table first, so that a block of the new user that comes between the engine's yes and our next step finds this
   * connection.
   */
  async #changeUser(connection: Connection, identity: Identity | null): Promise<void> {
    const { connections, subscriber, presence } = this.#deps;
    const { identity: before, userSinceMs } = connection;
    if (before === null && identity === null) return;
    checkUserLimit(identity, connections, this.#options.connectionsPerUser);
    connections.changeIdentity(connection, identity, Math.max(Date.now(), userSinceMs + 1));
    try {
      if (identity !== null) await this.#register(connection, identity);
    } catch (error) {
      if (isClosed(connection)) {
        await this.#release(connection, before);
        throw error;
      }
      connections.changeIdentity(connection, before, userSinceMs);
      // A block of the former user may have passed while the table named the new one.
      if (before !== null) await this.#register(connection, before).catch(() => this.#resync(connection));
      throw error;
    }
    subscriber.leaveAll(connection);
    if (isClosed(connection)) await this.#release(connection, identity);
    else presence?.changedUser(connection);
    await this.#release(connection, before);
  }

  async #release({ id }: Connection, identity: Identity | null): Promise<void> {
    if (identity !== null) await this.#deps.engine.release([{ connection: id, user: identity.user }]);
  }

  #resync(connection: Connection): void {
    this.#deps.sender.close(connection, closeReason('resync'));
  }

  /** The user's row, or again; throws RefusalError when the user is blocked or the token was revoked. */
  async #register(connection: Connection, token: Identity): Promise<void> {
    const { id, endpoint, userSinceMs: sinceMs } = connection;
    const { sessions } = this.#options;
    const base = { connection: id, user: token.user, endpoint: endpoint.path, sinceMs, streams: [], sessions, token };
    requireAdmitted(await this.#deps.engine.admit(base));
  }
}

/** Another event may have ended it while an answer was awaited. */
function isClosed({ state }: Connection): boolean {
  return state === 'closed';
}
