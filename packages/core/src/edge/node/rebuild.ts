import { setTimeout as delay } from 'node:timers/promises';
import { closeOver, closeReason } from '../../close-codes.js';
import { EngineError } from '../../errors.js';
import type { Engine, HistoryPage, SessionLimit } from '../../engine.js';
import type { ContinuityLoss } from '../../inbox.js';
import type { Logger } from '../../logger.js';
import type { PresenceEvents } from '../../outgoing/presence-events.js';
import type { Position } from '../../streams.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import type { Connection, Subscription } from '../delivery/connection.js';
import type { Delivery } from '../delivery/delivery.js';
import { unknownTo, type CatchUp } from '../subscriptions/catch-up.js';
import type { Interests } from '../subscriptions/interests.js';
import type { Sender } from '../delivery/sender.js';

/** Connections that are registered at once: a store that has just come back is not met with everything in one go. */
const CONNECTIONS_PER_STEP = 200;
/** Streams of those connections. */
const STREAMS_PER_STEP = 1000;
const RETRY_MS = 250;
const CLOSE_SLICE_MS = 100;
/** Closes take at most this long, and at least 5 are in each slice: few sockets are gone in less than a second. */
const CLOSE_SPREAD_MS = 5000;
const CLOSES_PER_SLICE_MIN = 5;

interface RebuildDeps {
  readonly engine: Engine;
  readonly connections: ConnectionTable;
  readonly interests: Interests;
  readonly delivery: Delivery;
  readonly catchUp: Pick<CatchUp, 'start'>;
  readonly sender: Pick<Sender, 'close'>;
  readonly presence: Pick<PresenceEvents, 'connected'> | null;
  readonly logger: Logger;
}

/**
 * Repairs what a loss in the engine concerns, from the sockets that are open: writes their rows again and reads what
 * followed each socket's own position. A socket closes with 4003 only when one of its streams has no history that proves
 * that nothing is missing; such closes are spread over seconds, so that the other nodes see a slope and not a wall.
 */
export class Rebuild {
  readonly #deps: RebuildDeps;
  readonly #sessions: SessionLimit | null;
  /** Connections to be registered again, each with its subscriptions that hold meanwhile. */
  readonly #pending = new Map<Connection, Set<Subscription>>();
  /** Connections with a stream that may have a hole, and its topic; undefined: all that is theirs is in doubt. */
  readonly #unproven = new Map<Connection, string | undefined>();
  #losses: ContinuityLoss[] = [];
  #running: Promise<void> | null = null;

  constructor(deps: RebuildDeps, { sessions }: { sessions: SessionLimit | null }) {
    this.#deps = deps;
    this.#sessions = sessions;
  }

  /**
   * Holds at once what the loss concerns: a frame from behind the loss must not reach a socket before what it hides. A
   * loss that comes while another one is repaired makes the repair start over for what is not done.
   */
  run(loss: ContinuityLoss): Promise<void> {
    this.#losses = [...this.#losses, loss];
    // All are held before the first row is written: a shared stream, or another connection of the same user, would bring
    // live frames that hide those between the loss and the row.
    for (const connection of this.#deps.connections.all()) this.#hold(connection, loss);
    this.#running ??= this.#runAll().finally(() => (this.#running = null));
    return this.#running;
  }

  #hold(connection: Connection, loss: ContinuityLoss): void {
    const { user } = connection;
    const held = this.#pending.get(connection) ?? new Set();
    let isConcerned = user !== null && loss.concerns(user);
    for (const subscription of connection.subscriptions) {
      const place = placeOf(subscription);
      if (!loss.concerns(place)) continue;
      isConcerned = true;
      const isHeldHere = held.has(subscription);
      const isProvable =
        subscription.retained !== null && (subscription.held === null || (isHeldHere && isWaiting(subscription)));
      // One that is still joining has read its history before the loss, and what it holds now may have a hole.
      if (!isProvable && loss.missed(place)) this.#unproven.set(connection, subscription.policy.name);
      if (subscription.held === null || isHeldHere) subscription.outlivedLoss = true;
      if (subscription.retained === null || subscription.held !== null) continue;
      this.#deps.delivery.demote(subscription);
      subscription.held = [];
      held.add(subscription);
    }
    if (isConcerned) this.#pending.set(connection, held);
  }

  async #runAll(): Promise<void> {
    const { interests, delivery, logger } = this.#deps;
    let registered = 0;
    while (this.#pending.size > 0 || this.#losses.length > 0) {
      const losses = this.#losses;
      const isConcerned = (stream: string): boolean => losses.some(({ concerns }) => concerns(stream));
      await this.#insist(() => interests.renew(isConcerned));
      for (const step of stepsOf([...this.#pending])) {
        if (losses !== this.#losses) break;
        await Promise.all(step.map(([connection, held]) => this.#rejoin(connection, held, losses)));
        registered += step.length;
        // Nobody else may have anything to send for long.
        delivery.endBatch();
      }
      if (losses === this.#losses) this.#losses = [];
    }
    logger.info('rows written again', { connections: registered });
    this.#closeUnproven().catch((error: unknown) => logger.error('sockets could not be closed', { error }));
  }

  async #rejoin(connection: Connection, held: ReadonlySet<Subscription>, losses: readonly ContinuityLoss[]) {
    if (!(await this.#insist(() => this.#register(connection, held, losses)))) this.#giveUp(connection);
    if (losses !== this.#losses) return;
    this.#pending.delete(connection);
    if (this.#unproven.has(connection)) this.#doom(connection, this.#unproven.get(connection));
    for (const subscription of held) {
      // What has a hole is never let go, or the client would come back with a position behind the hole.
      if (!isWaiting(subscription) || this.#unproven.has(connection)) continue;
      if (!subscription.left) this.#deps.delivery.release(subscription, []);
    }
  }

  async #register(
    connection: Connection,
    held: ReadonlySet<Subscription>,
    losses: readonly ContinuityLoss[],
  ): Promise<void> {
    // Asked before each try: nobody would take back the row of a connection that has ended meanwhile.
    if (connection.state === 'closed') return;
    const waiting = [...held].filter((subscription) => isWaiting(subscription) && !subscription.left);
    // What came until now is in the history that is read below, perhaps in a newer epoch.
    for (const subscription of waiting) {
      subscription.held = [];
      subscription.heldBytes = 0;
    }
    const { login, endpoint } = connection;
    const { presence } = this.#deps;
    const result = await this.#deps.engine.admit({
      connection: connection.id,
      user: login.user,
      endpoint: endpoint.path,
      sinceMs: login.sinceMs,
      streams: waiting.map((subscription) => subscription.retained!),
      sessions: this.#sessions,
      token: login.identity,
      exclusive: endpoint.exclusive,
      rejoin: true,
    });
    // It is another login's since, of which nothing is known yet.
    if (connection.login !== login) return this.#register(connection, held, losses);
    // Its place was free, and was taken on another node, before this row.
    if (result.status === 'already_connected' || result.status === 'session_limit') {
      this.#deps.sender.close(connection, closeReason('session_replaced'));
    }
    // Blocked while the store was away, or between its return and this row.
    if (result.status === 'blocked') {
      this.#deps.sender.close(connection, closeReason('user_blocked', result.block.reason));
    }
    if (result.status === 'revoked') this.#deps.sender.close(connection, closeReason('revoked'));
    if (result.status !== 'admitted') return;
    // Who counts has counted it out, and would count its end a second time.
    if (result.renewed !== true && losses.some(({ reaped }) => reaped === true)) presence?.connected(connection);
    await Promise.all(waiting.map((subscription, at) => this.#catchUp(subscription, result.positions[at]!, losses)));
  }

  /**
   * Sends what followed the socket's own position, if that can be proved or nothing was missed: at once as much as the
   * queue of the topic holds, and what is more at the pace of the socket.
   */
  async #catchUp(subscription: Subscription, top: Position, losses: readonly ContinuityLoss[]): Promise<void> {
    const { epoch, offset, retained, policy } = subscription;
    if (epoch === top.epoch && offset === top.offset) return;
    const page = await this.#deps.engine.read(
      retained!,
      { epoch, offset },
      retained!.retention.size,
      policy.queueBytes,
    );
    // Another loss has come: what holds goes on holding, and is read again.
    if (losses !== this.#losses || subscription.held === null || subscription.left) return;
    // Older data came back, and the socket is ahead of it. What was lost of records is published again by whoever has them;
    // that anything else was lost is told by the epoch that the next message begins.
    if (!page.recovered && page.epoch === epoch && page.offset < offset) return;
    if (!page.recovered && !isWholeSince(epoch, page) && losses.some(({ missed }) => missed(placeOf(subscription)))) {
      this.#unproven.set(subscription.connection, policy.name);
      return;
    }
    // Nothing was missed, so the socket has had what history does not reach.
    if (!page.recovered && page.epoch === epoch) return;
    // Under a new epoch the history is all there is.
    const last = page.messages.at(-1);
    if (last !== undefined && last.offset < page.offset) {
      this.#deps.catchUp.start(subscription, page.messages);
      return;
    }
    subscription.epoch = page.epoch;
    subscription.offset = last?.offset ?? page.offset;
    this.#deps.delivery.release(subscription, unknownTo(subscription, page.messages));
  }

  /** Frames of its held subscriptions are dropped from here on (see Delivery). */
  #doom(connection: Connection, topic: string | undefined): void {
    connection.pendingClose ??= closeOver(topic, 'resync');
  }

  /** Its row cannot be written. */
  #giveUp(connection: Connection): void {
    if (!this.#unproven.has(connection)) this.#unproven.set(connection, undefined);
  }

  async #closeUnproven(): Promise<void> {
    const leaving = [...this.#unproven];
    this.#unproven.clear();
    if (leaving.length === 0) return;
    this.#deps.logger.warn('continuity lost, clients must reconnect', { connections: leaving.length });
    for (const [connection, topic] of leaving) this.#doom(connection, topic);
    const count = Math.max(CLOSES_PER_SLICE_MIN, Math.ceil((leaving.length * CLOSE_SLICE_MS) / CLOSE_SPREAD_MS));
    while (leaving.length > 0) {
      for (const [connection, topic] of leaving.splice(0, count)) {
        this.#deps.sender.close(connection, closeOver(topic, 'resync'));
      }
      if (leaving.length > 0) await delay(CLOSE_SLICE_MS);
    }
  }

  /** Repeats a step until it succeeds; false when trying again cannot help. */
  async #insist(step: () => Promise<void>): Promise<boolean> {
    for (;;) {
      try {
        await step();
        return true;
      } catch (error) {
        if (!(error instanceof EngineError)) {
          this.#deps.logger.error('rows could not be written again', { error });
          return false;
        }
        // The process ends, and its sockets were sent away in good order.
        if (error.code === 'stopped') return true;
      }
      await delay(RETRY_MS);
    }
  }
}

/** Place by which the engine knows where the stream is: a user's own streams lie where the user's row is. */
function placeOf({ localStream, connection }: Subscription): string {
  return localStream.shared ? localStream.stream : (connection.user ?? localStream.stream);
}

/** One that a repair has held still waits for it: it is not live again, and its history is not being sent in pages. */
function isWaiting({ held, replaying }: Subscription): boolean {
  return held !== null && replaying === null;
}

type Registration = readonly [connection: Connection, held: ReadonlySet<Subscription>];

function stepsOf(registrations: readonly Registration[]): Registration[][] {
  const steps: Registration[][] = [];
  let streams = STREAMS_PER_STEP;
  for (const registration of registrations) {
    const count = registration[1].size;
    const step = steps.at(-1);
    const isFull = step?.length === CONNECTIONS_PER_STEP || streams + count > STREAMS_PER_STEP;
    if (step === undefined || isFull) steps.push([registration]);
    else step.push(registration);
    streams = isFull ? count : streams + count;
  }
  return steps;
}

/** All that was published since the store's loss is in the page, under the epoch that began with it. */
function isWholeSince(epoch: string, { epoch: now, offset, messages }: HistoryPage): boolean {
  return now !== epoch && (messages[0]?.offset ?? offset + 1) === 1;
}
