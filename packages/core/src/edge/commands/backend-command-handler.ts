import type { BackendCommands, BackendOutcome, BackendRequest, BackendTurn } from '../../backend-commands.js';
import type { SubscriptionEvents } from '../../outgoing/subscription-events.js';
import { memberText } from '../../records/json/member-text.js';
import { subscriptionStream } from '../../streams.js';
import type { Connection, Subscription } from '../delivery/connection.js';
import type { Reloads } from '../node/reloads.js';
import { RefusalError, requireAtMost } from '../refusals.js';
import type { PendingSubscriptions, Subscriber } from '../subscriptions/subscriber.js';
import { idSubscription } from '../subscriptions/unretained-streams.js';
import type { ClientRequest } from './client-request.js';
import { requireOpen, type CommandHandler, type Outcome } from './outcome.js';

interface BackendCommandDeps {
  readonly backends: BackendCommands;
  readonly subscriber: Subscriber;
  readonly subscriptions: SubscriptionEvents | null;
  readonly reloads: Reloads;
}

/**
 * A subscription that the first of some equal commands began. It stays when one of them succeeds, and goes when the last
 * of them has failed: each of them owns it, for each of them may be the only one that is answered well.
 */
interface SharedSubscription {
  readonly subscription: Subscription;
  readonly begun: Promise<PendingSubscriptions>;
  /** Commands that are still being answered. */
  owners: number;
  /** True when one of them was answered well. */
  granted: boolean;
}

/** The commands that back ends answer, and the subscriptions that come with their answers. */
export class BackendCommandHandler {
  readonly #deps: BackendCommandDeps;
  readonly #options: { readonly subscriptionsPerConnection: number };
  /** Subscriptions that are being made. */
  readonly #shared = new WeakMap<Subscription, SharedSubscription>();

  constructor(deps: BackendCommandDeps, options: { readonly subscriptionsPerConnection: number }) {
    this.#deps = deps;
    this.#options = options;
  }

  handlerOf(command: string, endpoint: string): CommandHandler | undefined {
    if (!this.#deps.backends.has(command, endpoint)) return undefined;
    return (connection, request) => this.#ask(connection, request);
  }

  async #ask(connection: Connection, request: ClientRequest): Promise<Outcome> {
    const { backends } = this.#deps;
    const { command } = request;
    const call = backendRequest(connection, request);
    const wanted = backends.subscriptionOf(command, call);
    const turn = backendTurn(connection);
    if (wanted === null) return throwOnMistake(await backends.execute(command, call, turn));
    // Subscribed before the backend looks, so that what changes after its look is not missed; given back if it fails.
    const shared = this.#own(connection, wanted.id);
    try {
      const pending = await shared.begun;
      requireOpen(connection);
      const outcome = await backends.execute(command, call, turn);
      if (outcome.status !== 'ok') return throwOnMistake(outcome);
      shared.granted = true;
      // What a `reload` asks again.
      shared.subscription.query = { command, call };
      return { ...outcome, event: wanted.id, after: () => this.#settle(shared, pending) };
    } finally {
      this.#disown(shared);
    }
  }

  #own(connection: Connection, id: string): SharedSubscription {
    const standing = connection.subscriptionTo(subscriptionStream(id));
    const known = standing === undefined ? undefined : this.#shared.get(standing);
    if (known !== undefined) {
      known.owners++;
      return known;
    }
    if (standing !== undefined) return { subscription: standing, begun: Promise.resolve([]), owners: 1, granted: true };
    this.#requirePlace(connection);
    const begun = this.#deps.subscriber.begin(connection, [idSubscription(id)]);
    // It stands in the connection from the first moment, so that the next command finds it.
    const subscription = connection.subscriptionTo(subscriptionStream(id))!;
    const shared = { subscription, begun, owners: 1, granted: false };
    this.#shared.set(subscription, shared);
    return shared;
  }

  #disown(shared: SharedSubscription): void {
    if (--shared.owners === 0 && !shared.granted) this.#deps.subscriber.leave(shared.subscription);
  }

  /** Releases what was held behind the answer. Only the first good answer has held anything back. */
  #settle({ subscription }: SharedSubscription, pending: PendingSubscriptions): void {
    const { subscriber, subscriptions, reloads } = this.#deps;
    this.#shared.delete(subscription);
    subscriber.complete(pending);
    // It may have left while the backend was asked.
    if (subscription.left) return;
    subscriptions?.joined(subscription.name, subscription.query!.command);
    if (subscription.reloadMissed) reloads.reload(subscription);
  }

  #requirePlace(connection: Connection): void {
    const count = connection.subscriptions.filter(({ kind }) => kind === 'subscription').length;
    requireAtMost(this.#options.subscriptionsPerConnection, 'subscriptions', count + 1);
  }
}

/** Makes of a client's request what the command table is told. */
export function backendRequest(connection: Connection, request: ClientRequest): BackendRequest {
  return {
    endpoint: connection.endpoint.path,
    options: request.options,
    optionsText: memberText(request.text, 'options') ?? '{}',
    authorization: connection.login.authorization,
    user: connection.user,
  };
}

/** The connections of a user share a part of what all clients share; a guest's has one for itself. */
export function backendTurn(connection: Connection): BackendTurn {
  const { user, id } = connection;
  return { client: user === null ? `guest ${id}` : `user ${user}`, isGone: () => connection.state !== 'open' };
}

/** Throws RefusalError, so that the client's mistake counts among the bad requests of the connection. */
export function throwOnMistake(outcome: BackendOutcome): BackendOutcome {
  if (outcome.mistake === undefined) return outcome;
  throw new RefusalError('bad_request', outcome.mistake);
}
