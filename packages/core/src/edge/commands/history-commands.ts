import type { Engine } from '../../engine.js';
import { HISTORY_LIMIT, HISTORY_LIMIT_MAX, historyBytesMax, readHistory } from '../../history-text.js';
import { isObject, own } from '../../json.js';
import { isUserId } from '../../names.js';
import { keyStream, roomStream, userStream, type Position, type RetainedStream } from '../../streams.js';
import type { StreamPolicy } from '../../stream-policy.js';
import type { ClusterSurvey } from '../node/cluster-survey.js';
import type { Connection } from '../delivery/connection.js';
import type { Takes } from '../delivery/takes.js';
import { ok, rateLimited, type CommandHandlers, type Outcome } from './outcome.js';
import { connectionViews } from '../../presence-view.js';
import { RefusalError } from '../refusals.js';
import { positionOf, type ClientRequest } from './client-request.js';
import { HistoryTurns } from './history-turns.js';
import { requireName, requireRoom } from './room-commands.js';
import { ConnectionBuckets } from '../rate-limits.js';
import { requireKey } from './topic-requests.js';
import type { Tracing } from '../../trace/tracing.js';
import type { TopicAccess } from '../subscriptions/topic-access.js';

interface HistoryDeps {
  readonly engine: Engine;
  readonly takes: Takes;
  readonly tracing: Tracing;
  readonly access: TopicAccess;
  readonly survey: ClusterSurvey;
}

export interface HistoryOptions {
  readonly roomPolicy: StreamPolicy;
  /** Looked at each time. */
  readonly limits: {
    /** Size of an answer of `history`. */
    readonly historyBytes: number;
    /** Limit for one connection; 0: none. Each question goes to all nodes with members of the room. */
    readonly surveysPerSecond: number;
  };
}

/** `history`, `ack` and `presence`: what the engine keeps, as far as the token allows. */
export class HistoryCommands {
  readonly #deps: HistoryDeps;
  readonly #options: HistoryOptions;
  readonly #surveys = new ConnectionBuckets();
  readonly #turns: HistoryTurns;

  constructor(deps: HistoryDeps, options: HistoryOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#turns = new HistoryTurns(options.limits);
  }

  get handlers(): CommandHandlers {
    return {
      history: (connection, request) => this.#history(connection, request),
      presence: (connection, request) => this.#presence(connection, request),
      ack: (connection, request) => this.#acknowledge(connection, request),
    };
  }

  async #history(connection: Connection, { options }: ClientRequest): Promise<Outcome> {
    const stream = this.#streamOf(connection, options);
    const position = afterOf(options);
    const limit = limitOf(options);
    const bytesMax = historyBytesMax(this.#options.limits.historyBytes);
    const request = { after: position, limit, bytesMax };
    const reading = this.#turns.take(connection, () => readHistory(this.#deps.engine, stream, request));
    if (reading === null) return rateLimited('too many answers of history wait to be read');
    const payloadText = await reading;
    return { status: 'ok', payload: null, payloadText };
  }

  #streamOf(connection: Connection, options: Readonly<Record<string, unknown>>): RetainedStream {
    const name = own(options, 'topic');
    if ((name === undefined) === (own(options, 'room') === undefined)) {
      throw new RefusalError('bad_request', 'history: either {"topic"} or {"room"}');
    }
    const { user } = connection;
    if (typeof name === 'string') {
      const key = own(options, 'key');
      const keys = key === undefined ? undefined : [requireKey(key)];
      const { topic } = this.#deps.access.wish({ name, keys }, connection.login);
      const { retention } = topic;
      if (retention === null) throw new RefusalError('bad_request', `topic ${name} keeps no history`);
      if (user === null) throw new RefusalError('not_allowed', 'guests have no history');
      if (keys === undefined) return { stream: userStream(name, user), retention, user };
      return { stream: keyStream(name, keys[0]!), retention, user: null };
    }
    const room = requireRoom(connection, own(options, 'room'));
    const { retention } = this.#options.roomPolicy;
    if (retention === null) throw new RefusalError('bad_request', 'rooms keep no history');
    return { stream: roomStream(room), retention, user: null };
  }

  async #acknowledge(connection: Connection, { options }: ClientRequest): Promise<Outcome> {
    const stream = own(options, 'stream');
    const offset = own(options, 'offset');
    const subscription = typeof stream === 'string' ? connection.subscriptionTo(stream) : undefined;
    if (subscription === undefined || !subscription.policy.ack || subscription.localStream.shared) {
      throw new RefusalError('bad_request', 'stream: the own stream of a subscribed topic with ack');
    }
    if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < 0) {
      throw new RefusalError('bad_request', 'offset: an integer from 0');
    }
    // The engine shall know who took what is acknowledged.
    if (subscription.policy.tracking !== null) await this.#deps.takes.flush();
    const accepted = await this.#deps.engine.acknowledge(subscription.retained!, offset);
    if (!accepted) throw new RefusalError('bad_request', 'offset: lies above the top of the stream');
    this.#deps.tracing.tracer?.acked(connection, subscription.localStream.stream, offset);
    return ok({ stream, offset });
  }

  async #presence(connection: Connection, { options }: ClientRequest): Promise<Outcome> {
    const user = own(options, 'user');
    const room = own(options, 'room');
    if ((user === undefined) === (room === undefined)) {
      throw new RefusalError('bad_request', 'presence: either {"user"} or {"room"}');
    }
    if (room !== undefined) return this.#membersOf(connection, requireName(room));
    if (typeof user !== 'string' || !isUserId(user)) throw new RefusalError('bad_request', 'user: a user id');
    if (user !== connection.user && !connection.login.seesOthers) {
      throw new RefusalError('not_allowed', 'the presence of others needs the claim presence');
    }
    return ok({ connections: connectionViews(await this.#deps.engine.presence(user)) });
  }

  async #membersOf(connection: Connection, room: string): Promise<Outcome> {
    const isInside = connection.subscriptionTo(roomStream(room)) !== undefined;
    if (!isInside && !connection.login.seesOthers) {
      throw new RefusalError('not_allowed', 'who is in a room: enter it, or have the claim presence');
    }
    const { surveysPerSecond } = this.#options.limits;
    if (!this.#surveys.take(connection, surveysPerSecond))
      return rateLimited(`at most ${surveysPerSecond} questions a second about who is in a room`);
    const { users, connections, complete } = await this.#deps.survey.members(room);
    return ok({ users, connections, ...(complete ? {} : { incomplete: true }) });
  }
}

/** null: from the beginning. */
function afterOf(options: Readonly<Record<string, unknown>>): Position | null {
  const after = own(options, 'after') ?? null;
  if (after === null) return null;
  const position = isObject(after) ? positionOf(after) : null;
  if (position === null) throw new RefusalError('bad_request', 'after: {"epoch","offset"}');
  return position;
}

function limitOf(options: Readonly<Record<string, unknown>>): number {
  const limit = own(options, 'limit') ?? HISTORY_LIMIT;
  if (typeof limit !== 'number' || !Number.isSafeInteger(limit) || limit < 1) {
    throw new RefusalError('bad_request', 'limit: an integer from 1');
  }
  return Math.min(limit, HISTORY_LIMIT_MAX);
}
