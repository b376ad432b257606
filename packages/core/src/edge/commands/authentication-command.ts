import type { BackendCommands, BackendOutcome } from '../../backend-commands.js';
import { own } from '../../json.js';
import { isUserId } from '../../names.js';
import type { Identity, TokenVerifier } from '../../token-verifier.js';
import type { Connection } from '../delivery/connection.js';
import { verifiedIdentity } from '../handshake/admission-checks.js';
import { Login } from '../login.js';
import { RefusalError } from '../refusals.js';
import { backendRequest, backendTurn, throwOnMistake } from './backend-command-handler.js';
import type { ClientRequest } from './client-request.js';
import type { LoginChanges } from './login-changes.js';
import { ok, requireOpen, type CommandHandlers, type Outcome } from './outcome.js';

/** Claims of somebody whom a back end knows: what a token of ours could limit is not limited. */
const NO_CLAIMS: Omit<Identity, 'user'> = {
  expiresAtMs: null,
  issuedAtMs: null,
  tokenId: null,
  topics: null,
  rooms: null,
  presence: false,
};

const BEARER = /^bearer +/i;

interface AuthenticationDeps {
  readonly verifier: TokenVerifier;
  readonly backends: BackendCommands;
  readonly loginChanges: LoginChanges;
}

/** Commands after which a connection may be another user's: what comes behind one waits for its answer. */
export const loginCommands: ReadonlySet<string> = new Set(['authentication']);

/**
 * The command `authentication`: another token on an open socket. The same user keeps what the new token allows (and gets
 * its expiry); a change of user drops all subscriptions, unless `update` demands that it is the same; no token makes a
 * guest. A back end that is asked about the token is believed: what is no token of ours is then of the user whom it names.
 */
export class AuthenticationCommand {
  readonly #deps: AuthenticationDeps;

  constructor(deps: AuthenticationDeps) {
    this.#deps = deps;
  }

  get handlers(): CommandHandlers {
    return { authentication: (connection, request) => this.#authenticate(connection, request) };
  }

  async #authenticate(connection: Connection, request: ClientRequest): Promise<Outcome> {
    const token = own(request.options, 'authToken') ?? '';
    if (typeof token !== 'string') throw new RefusalError('bad_request', 'authToken: a text');
    const isUpdate = own(request.options, 'update') ?? false;
    // What was meant as `true` would change the user, and drop all subscriptions.
    if (typeof isUpdate !== 'boolean') throw new RefusalError('bad_request', 'update: true or false');
    if (token === '') return this.#becomeGuest(connection, isUpdate);
    const outcome = await this.#askBackend(connection, request);
    if (outcome !== null && outcome.status !== 'ok') return outcome;
    const { identity, authorization } = await this.#identityOf(token, connection, outcome);
    requireOpen(connection);
    const before = connection.login;
    const isSameUser = before.user === identity.user;
    if (isUpdate && !isSameUser) throw new RefusalError('user_mismatch', 'update: the token is of another user');
    const sinceMs = isSameUser ? before.sinceMs : nextSinceMs(before);
    await this.#deps.loginChanges.change(connection, new Login(identity, authorization, sinceMs));
    return ok(outcome === null ? { user: identity.user } : outcome.payload);
  }

  async #identityOf(
    token: string,
    { login }: Connection,
    outcome: BackendOutcome | null,
  ): Promise<{ identity: Identity; authorization: string }> {
    try {
      const bare = token.replace(BEARER, '');
      const identity = await verifiedIdentity(this.#deps.verifier, bare);
      // Back ends go on getting the form that the client's first `Authorization` had.
      return { identity, authorization: BEARER.test(login.authorization) ? `Bearer ${bare}` : token };
    } catch (error) {
      const user = outcome?.user ?? '';
      if (!(error instanceof RefusalError) || error.code !== 'token_invalid' || !isUserId(user)) throw error;
      return { identity: { ...NO_CLAIMS, user }, authorization: token };
    }
  }

  /** Asks the back end; null: none is configured for it. */
  async #askBackend(connection: Connection, request: ClientRequest): Promise<BackendOutcome | null> {
    const { backends } = this.#deps;
    if (!backends.has(request.command, connection.endpoint.path)) return null;
    const call = backendRequest(connection, request);
    return throwOnMistake(await backends.execute(request.command, call, backendTurn(connection)));
  }

  async #becomeGuest(connection: Connection, isUpdate: boolean): Promise<Outcome> {
    const before = connection.login;
    if (isUpdate && before.user !== null) throw new RefusalError('user_mismatch', 'update: the token is missing');
    if (!connection.endpoint.guests) throw new RefusalError('token_missing', 'this endpoint is not for guests');
    const sinceMs = before.user === null ? before.sinceMs : nextSinceMs(before);
    await this.#deps.loginChanges.change(connection, new Login(null, '', sinceMs));
    return ok({ user: null });
  }
}

/** Later than the login before, also when the clock of the day was set back. */
function nextSinceMs(before: Login): number {
  return Math.max(Date.now(), before.sinceMs + 1);
}
