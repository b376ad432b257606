import { closeReason } from '../../close-codes.js';
import { EngineError } from '../../errors.js';
import type { Engine } from '../../engine.js';
import type { Logger } from '../../logger.js';
import type { Position } from '../../streams.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import type { Connection, Subscription } from '../delivery/connection.js';
import type { Delivery } from '../delivery/delivery.js';
import type { Interests } from '../subscriptions/interests.js';
import type { Sender } from '../delivery/sender.js';

/** Connections registered at once: a store that has just come back is not met with everything in one go. */
const CONNECTIONS_PER_STEP = 200;
const RETRY_MS = 250;

interface RebuildDeps {
  readonly engine: Engine;
  readonly connections: ConnectionTable;
  readonly interests: Interests;
  readonly delivery: Delivery;
  readonly sender: Pick<Sender, 'close'>;
  readonly logger: Logger;
}

/**
 * Writes this node's rows again after the engine lost its data, from the sockets that are open. What was published
 * between the loss and a connection's row is read from the new history, so a live socket misses only what the store
 * itself lost.
 */
export class Rebuild {
  readonly #deps: RebuildDeps;
  #running: Promise<void> | null = null;

  constructor(deps: RebuildDeps) {
    this.#deps = deps;
  }

  /** One at a time; a second call while one runs makes it start over. */
  run(): Promise<void> {
    const before = this.#running ?? Promise.resolve();
    this.#running = before.then(() => this.#run());
    return this.#running;
  }

  async #run(): Promise<void> {
    const { connections, interests, delivery, logger } = this.#deps;
    // All held before the first row is written: a shared stream, or another connection of the same user, would bring live
    // frames that hide those between the loss and the row.
    const all = Array.from(connections.all(), (connection) => ({ connection, held: this.#hold(connection) }));
    await this.#insist(() => interests.renew());
    for (let at = 0; at < all.length; at += CONNECTIONS_PER_STEP) {
      const step = all.slice(at, at + CONNECTIONS_PER_STEP);
      await Promise.all(step.map(({ connection, held }) => this.#rejoin(connection, held)));
      // Nobody else may have anything to send for long.
      delivery.endBatch();
    }
    logger.info('rows written again', { connections: all.length });
  }

  /** The subscriptions that hold from now on; not those that hold already, for somebody else. */
  #hold(connection: Connection): Subscription[] {
    const subscriptions = connection.subscriptions.filter(({ retained, held }) => retained !== null && held === null);
    for (const subscription of subscriptions) {
      this.#deps.delivery.demote(subscription);
      subscription.held = [];
    }
    return subscriptions;
  }

  async #rejoin(connection: Connection, subscriptions: readonly Subscription[]): Promise<void> {
    if (connection.state === 'closed') return;
    await this.#insist(() => this.#register(connection, subscriptions));
    for (const subscription of subscriptions) {
      if (subscription.held !== null && isThere(subscription)) this.#deps.delivery.release(subscription, []);
    }
  }

  async #register(connection: Connection, subscriptions: readonly Subscription[]): Promise<void> {
    const { login, endpoint } = connection;
    const result = await this.#deps.engine.admit({
      connection: connection.id,
      user: login.user,
      endpoint: endpoint.path,
      sinceMs: login.sinceMs,
      streams: subscriptions.map((subscription) => subscription.retained!),
      sessions: null,
      token: login.identity,
      exclusive: endpoint.exclusive,
      rejoin: true,
    });
    // Its place was free, and was taken on another node, before this row.
    if (result.status === 'already_connected') this.#deps.sender.close(connection, closeReason('session_replaced'));
    // Blocked while the store was away, or between its return and this row.
    if (result.status === 'blocked') {
      this.#deps.sender.close(connection, closeReason('user_blocked', result.block.reason));
    }
    if (result.status === 'revoked') this.#deps.sender.close(connection, closeReason('revoked'));
    if (result.status !== 'admitted') return;
    await Promise.all(subscriptions.map((subscription, at) => this.#catchUp(subscription, result.positions[at]!)));
  }

  /** Sends what followed the socket's own position; under a new epoch that is all there is. */
  async #catchUp(subscription: Subscription, top: Position): Promise<void> {
    const { epoch, offset, retained, held } = subscription;
    if (held === null || (epoch === top.epoch && offset === top.offset)) return;
    const page = await this.#deps.engine.read(retained!, { epoch, offset }, retained!.retention.size);
    // Older data came back: the socket has had it all, and what comes next begins an epoch.
    if (!page.recovered && page.epoch === epoch) return;
    if (!isThere(subscription)) return;
    const replay = page.messages.filter(({ seen }) => !seen);
    subscription.epoch = page.epoch;
    subscription.offset = page.messages.at(-1)?.offset ?? page.offset;
    this.#deps.delivery.release(subscription, replay);
  }

  async #insist(step: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await step();
        return;
      } catch (error) {
        if (!(error instanceof EngineError) || error.code === 'stopped') {
          this.#deps.logger.error('rows could not be written again', { error });
          return;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** It may have been left while its history was read. */
function isThere(subscription: Subscription): boolean {
  return subscription.connection.subscriptions.includes(subscription);
}
