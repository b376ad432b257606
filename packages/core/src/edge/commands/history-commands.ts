import type { Engine } from '../../engine.js';
import { isUserId } from '../../names.js';
import { roomStream, userStream, type RetainedStream } from '../../streams.js';
import type { StreamPolicy } from '../../topics.js';
import type { ClusterSurvey } from '../node/cluster-survey.js';
import type { Connection } from '../delivery/connection.js';
import { ok, type CommandHandlers, type Outcome } from './outcome.js';
import { connectionViews } from '../../presence-view.js';
import { RefusalError } from '../refusals.js';
import { isRecord, own, type ClientRequest } from './client-request.js';
import { requireName, requireRoom } from './room-commands.js';
import type { TopicAccess } from '../subscriptions/topic-access.js';
import { positionOf } from './client-request.js';

const DEFAULT_LIMIT = 100;
const LIMIT_MAX = 1000;

interface HistoryDeps {
  readonly engine: Engine;
  readonly access: TopicAccess;
  readonly survey: ClusterSurvey;
}

/** `history`, `ack` and `presence`: what the engine keeps, as far as the token allows. */
export class HistoryCommands {
  readonly #deps: HistoryDeps;
  readonly #roomPolicy: StreamPolicy;

  constructor(deps: HistoryDeps, roomPolicy: StreamPolicy) {
    this.#deps = deps;
    this.#roomPolicy = roomPolicy;
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
    const after = own(options, 'after');
    if (after !== undefined && !isRecord(after)) throw new RefusalError('bad_request', 'after: {"epoch","offset"}');
    const position = after === undefined ? null : positionOf(after);
    const page = await this.#deps.engine.read(stream, position, limitOf(options));
    const frames = page.messages.map(({ frame }) => Buffer.from(frame).toString());
    const { epoch, offset, recovered } = page;
    const payloadText = `{"messages":[${frames.join(',')}],"epoch":"${epoch}","offset":${offset},"recovered":${recovered}}`;
    return { status: 'ok', payload: null, payloadText };
  }

  #streamOf(connection: Connection, options: Readonly<Record<string, unknown>>): RetainedStream {
    const topic = own(options, 'topic');
    const { user } = connection;
    if (typeof topic === 'string') {
      const policy = this.#deps.access.require(topic, connection.login);
      if (policy.retention === null) throw new RefusalError('bad_request', `topic ${topic} keeps no history`);
      if (user === null) throw new RefusalError('not_allowed', 'guests have no history');
      return { stream: userStream(topic, user), retention: policy.retention, user };
    }
    const room = requireRoom(connection, own(options, 'room'));
    const { retention } = this.#roomPolicy;
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
    const accepted = await this.#deps.engine.acknowledge(subscription.retained!, offset);
    if (!accepted) throw new RefusalError('bad_request', 'offset: lies above the top of the stream');
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
    const { users, connections, complete } = await this.#deps.survey.members(room);
    return ok({ users, connections, ...(complete ? {} : { incomplete: true }) });
  }
}

function limitOf(options: Readonly<Record<string, unknown>>): number {
  const limit = own(options, 'limit') ?? DEFAULT_LIMIT;
  if (typeof limit !== 'number' || !Number.isSafeInteger(limit) || limit < 1) {
    throw new RefusalError('bad_request', 'limit: an integer from 1');
  }
  return Math.min(limit, LIMIT_MAX);
}
