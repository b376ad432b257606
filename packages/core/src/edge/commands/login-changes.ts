import { closeReason, type CloseReason } from '../../close-codes.js';
import type { Engine } from '../../engine.js';
import type { ContinuityLoss } from '../../inbox.js';
import { leftFrame } from '../../frame.js';
import type { NodeCommand } from '../../node-commands.js';
import type { PresenceEvents } from '../../outgoing/presence-events.js';
import type { Revocation } from '../../revocation.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import type { Connection } from '../delivery/connection.js';
import type { Sender } from '../delivery/sender.js';
import { checkUserLimit, requireAdmitted } from '../handshake/admission-checks.js';
import type { HandshakeOptions } from '../handshake/handshaker.js';
import type { Login } from '../login.js';
import { RefusalError } from '../refusals.js';
import { namedTopics } from './topic-requests.js';
import type { Subscriber } from '../subscriptions/subscriber.js';
import type { TopicAccess } from '../subscriptions/topic-access.js';

export type LoginChangeOptions = Pick<HandshakeOptions, 'sessions' | 'connectionsPerUser'>;

interface LoginChangesDeps {
  readonly engine: Engine;
  readonly connections: ConnectionTable;
  readonly subscriber: Subscriber;
  readonly access: TopicAccess;
  readonly sender: Pick<Sender, 'close' | 'send'>;
  readonly presence: PresenceEvents | null;
}

interface Change {
  readonly login: Login;
  /** A close of the new login's user that came before the connection was that user's. */
  close: CloseReason | null;
  /** The engine has lost the new user's rows since it was asked; nobody else knows yet that this one is among them. */
  isRowLost: boolean;
}

/**
 * Swaps the login of open connections. A connection stays what it was until the engine has said yes to the new login;
 * when it says no, or nothing, the change has left no trace.
 */
export class LoginChanges {
  readonly #deps: LoginChangesDeps;
  readonly #options: LoginChangeOptions;
  /** Changes that the engine is being asked about. */
  readonly #underWay = new Map<Connection, Change>();

  constructor(deps: LoginChangesDeps, options: LoginChangeOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Changes the login, one change at a time for a connection. Rejects with RefusalError or EngineError; nothing has
   * changed then.
   */
  async change(connection: Connection, login: Login): Promise<void> {
    const before = connection.login;
    const change: Change = { login, close: null, isRowLost: false };
    this.#underWay.set(connection, change);
    try {
      this.#checkLimit(login, before);
      do {
        change.isRowLost = false;
        await this.#register(connection, login);
      } while (change.isRowLost);
      // Another change may have taken the last place meanwhile.
      this.#checkLimit(login, before);
    } catch (error) {
      await this.#withdraw(connection, login);
      throw error;
    } finally {
      this.#underWay.delete(connection);
    }
    this.#deps.connections.changeLogin(connection, login);
    if (before.user === login.user) this.#leaveForbidden(connection);
    else await this.#changeUser(connection, before);
    if (change.close !== null) this.#deps.sender.close(connection, change.close);
  }

  /** Tells whether the engine is being asked to make this connection that user's. */
  isBecoming(id: string, user: string): boolean {
    for (const [connection, { login }] of this.#underWay) {
      if (connection.id === id && login.user === user) return true;
    }
    return false;
  }

  /** A close for a user's connections: one that is about to become that user's is closed as soon as it is. */
  close(command: Extract<NodeCommand, { command: 'close' }>): void {
    const { user, connection: id, endpoint, close } = command;
    for (const [connection, change] of this.#underWay) {
      if (user === null || change.login.user !== user) continue;
      if (id !== undefined && id !== connection.id) continue;
      if (endpoint === undefined || endpoint === connection.endpoint.path) change.close = close;
    }
  }

  revoke(revocation: Revocation): void {
    for (const change of this.#underWay.values()) {
      if (change.login.isRevokedBy(revocation)) change.close = closeReason('revoked');
    }
  }

  /** The rows of users that connections are becoming are not among those that Rebuild writes again. */
  lost({ concerns }: ContinuityLoss): void {
    for (const change of this.#underWay.values()) {
      if (change.login.user !== null && concerns(change.login.user)) change.isRowLost = true;
    }
  }

  #checkLimit({ identity, user }: Login, before: Login): void {
    if (user !== before.user) checkUserLimit(identity, this.#deps.connections, this.#options.connectionsPerUser);
  }

  /** The user's row, or again; throws RefusalError when the user is blocked or the token was revoked. */
  async #register(connection: Connection, { identity, user, sinceMs }: Login): Promise<void> {
    if (identity !== null) {
      const { id, endpoint } = connection;
      const { sessions } = this.#options;
      const token = identity;
      const request = { connection: id, user, endpoint: endpoint.path, sinceMs, streams: [], sessions, token };
      requireAdmitted(await this.#deps.engine.admit(request));
    }
    // Nobody would take back what was registered for it now.
    if (connection.state === 'closed') throw new RefusalError('unavailable', 'the connection has ended');
  }

  /** Takes the row away that the engine may have written, answer or not; never that of the user whose connection it is. */
  async #withdraw(connection: Connection, { user }: Login): Promise<void> {
    if (connection.state !== 'closed' && user === connection.user) return;
    await this.#release(connection, user);
  }

  async #changeUser(connection: Connection, before: Login): Promise<void> {
    const { subscriber, presence, sender } = this.#deps;
    presence?.changedUser(connection);
    const wanted = connection.endpoint.subscriptions(connection.user);
    for (const subscription of [...connection.subscriptions]) {
      const { stream, shared } = subscription.localStream;
      // Nothing that is said to all of a hub meanwhile may be missed by a member who stays.
      if (!shared || !wanted.some((request) => request.stream === stream)) subscriber.leave(subscription);
    }
    const missing = wanted.filter(({ stream }) => connection.subscriptionTo(stream) === undefined);
    try {
      subscriber.complete(await subscriber.begin(connection, missing));
    } catch {
      // The login is changed, only the streams are not there: coming back is the way to them.
      sender.close(connection, closeReason('resync'));
    }
    await this.#release(connection, before.user);
  }

  /** Leaves what the same user's new token does not allow any more, and says so. */
  #leaveForbidden(connection: Connection): void {
    const { access, subscriber, sender } = this.#deps;
    const { login } = connection;
    const forbidden = connection.subscriptions.filter(
      (subscription) =>
        (subscription.kind === 'topic' && !access.allows(subscription, login)) ||
        (subscription.kind === 'room' && !login.allowsRoom(subscription.name)),
    );
    if (forbidden.length === 0) return;
    for (const subscription of forbidden) subscriber.leave(subscription);
    const rooms = new Set(forbidden.filter(({ kind }) => kind === 'room').map(({ name }) => name));
    const topics = namedTopics(forbidden.filter(({ kind }) => kind === 'topic'));
    sender.send(connection, leftFrame({ topics, rooms: [...rooms] }), 'left');
  }

  async #release({ id }: Connection, user: string | null): Promise<void> {
    if (user !== null) await this.#deps.engine.release([{ connection: id, user }]);
  }
}
