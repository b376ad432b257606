import type { BackendCommands, BackendOutcome, BackendRequest } from '../../backend-commands.js';
import type { SubscriptionEvents } from '../../outgoing/subscription-events.js';
import { memberText } from '../../records/member-text.js';
import { subscriptionStream } from '../../streams.js';
import type { StreamPolicy } from '../../topics.js';
import type { Connection } from '../delivery/connection.js';
import { RefusalError } from '../refusals.js';
import type { SubscribeRequest, Subscriber } from '../subscriptions/subscriber.js';
import type { ClientRequest } from './client-request.js';
import type { CommandHandler, Outcome } from './outcome.js';

interface BackendDeskDeps {
  readonly backends: BackendCommands;
  readonly subscriber: Subscriber;
  readonly subscriptions: SubscriptionEvents | null;
}

/** The commands that back ends answer, and the subscriptions that come with their answers. */
export class BackendCommandHandler {
  readonly #deps: BackendDeskDeps;
  readonly #subscriptionsMax: number;

  constructor(deps: BackendDeskDeps, subscriptionsPerConnection: number) {
    this.#deps = deps;
    this.#subscriptionsMax = subscriptionsPerConnection;
  }

  handlerOf(command: string, endpoint: string): CommandHandler | undefined {
    if (!this.#deps.backends.has(command, endpoint)) return undefined;
    return (connection, request) => this.#ask(connection, request);
  }

  async #ask(connection: Connection, request: ClientRequest): Promise<Outcome> {
    const { backends, subscriber, subscriptions } = this.#deps;
    const call = backendRequest(connection, request);
    const wanted = backends.subscriptionOf(request.command, call);
    if (wanted === null) return throwOnMistake(await backends.execute(request.command, call));
    // Subscribed before the backend looks, so that what changes after its look is not missed; given back if it fails.
    const standing = connection.subscriptionTo(subscriptionStream(wanted.id));
    if (standing === undefined) this.#requirePlace(connection);
    const pending = standing === undefined ? await subscriber.begin(connection, [subscribeRequest(wanted.id)]) : [];
    const outcome = await backends.execute(request.command, call);
    if (outcome.status !== 'ok') {
      subscriber.abandon(pending);
      return throwOnMistake(outcome);
    }
    // What a `reload` asks again.
    const subscription = standing ?? pending[0]!.subscription;
    subscription.query = { command: request.command, call };
    const after = (): void => {
      subscriber.complete(pending);
      // It may have left while the backend was asked.
      if (connection.subscriptions.includes(subscription)) subscriptions?.joined(wanted.id, request.command);
    };
    return { ...outcome, event: wanted.id, after };
  }

  #requirePlace(connection: Connection): void {
    const count = connection.subscriptions.filter(({ kind }) => kind === 'subscription').length;
    if (count < this.#subscriptionsMax) return;
    throw new RefusalError('bad_request', `at most ${this.#subscriptionsMax} subscriptions per connection`);
  }
}

/** Updates to a subscription id are not kept: a client that comes back asks its command again. */
const SUBSCRIPTION_POLICY: StreamPolicy = {
  name: 'subscription',
  type: 'subscription',
  retention: null,
  slow: 'queue',
  queueBytes: 256 * 1024,
  snapshot: false,
  ack: false,
};

function subscribeRequest(id: string): SubscribeRequest {
  const stream = subscriptionStream(id);
  return { kind: 'subscription', name: id, policy: SUBSCRIPTION_POLICY, stream, shared: true, after: null };
}

/** What the command table is told of a client's request. */
export function backendRequest(connection: Connection, request: ClientRequest): BackendRequest {
  return {
    endpoint: connection.endpoint.path,
    options: request.options,
    optionsText: memberText(request.text, 'options') ?? '{}',
    authorization: connection.authorization,
    user: connection.user,
  };
}

/** Throws RefusalError, so that the client's mistake counts among the bad requests of the connection. */
export function throwOnMistake(outcome: BackendOutcome): BackendOutcome {
  if (outcome.mistake === undefined) return outcome;
  throw new RefusalError('bad_request', outcome.mistake);
}
