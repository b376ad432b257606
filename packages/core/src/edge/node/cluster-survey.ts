import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ControlTarget, Engine } from '../../engine.js';
import { EngineError } from '../../errors.js';
import { isObject } from '../../json.js';
import type { Logger } from '../../logger.js';
import type { ConnectionSearch, NodeCommand, NodeQuestion } from '../../node-commands.js';
import type { NodeReading, ReadingLog } from '../../node-readings.js';
import { roomStream, subscriptionStream } from '../../streams.js';
import type { LocalStreams, Subscription } from '../delivery/connection.js';
import type { LocalStream } from '../delivery/local-streams.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import { ConnectionSurvey, shareOf, type FoundConnections } from './connection-survey.js';

/** A node that died a moment ago still counts as reached, so somebody may wait as long as this. */
const DEADLINE_MS = 1000;
/** Questions of this node that may wait for answers at once. */
const ASKS_MAX = 1000;
/** Names in one answer: a larger one would push messages out of the asker's inbox. */
const NAMES_MAX = 10_000;

const SUBSCRIPTIONS = subscriptionStream('');

export interface ClusterSurveyDeps {
  readonly engine: Pick<Engine, 'control' | 'nodes'>;
  readonly logger: Logger;
  /** Streams that this node answers from; absent on a node without sockets. */
  readonly localStreams?: LocalStreams;
  readonly connections?: ConnectionTable;
  /** Absent: the node keeps none. */
  readonly readings?: ReadingLog | undefined;
}

/** `complete` is false when a node did not answer in time, or had more names than an answer may hold. */
export interface RoomMembers {
  readonly users: readonly string[];
  readonly connections: number;
  readonly complete: boolean;
}

export interface SubscriptionCounts {
  /** Subscription id → connections, in the order of the ids. */
  readonly subscriptions: ReadonlyMap<string, number>;
  readonly complete: boolean;
}

type SurveyCommand = Extract<NodeCommand, { command: 'ask' }>;
type SurveyResponse = Extract<NodeCommand, { command: 'report' }>;

/**
 * Questions that only the nodes themselves can answer. Each question goes to the nodes it concerns, each
 * answers the asker, and the answers are complete when as many came as nodes were reached, or when a second is over.
 * Nothing is remembered between two questions. Rejects with EngineError.
 */
export class ClusterSurvey {
  readonly #deps: ClusterSurveyDeps;
  readonly #node: string;
  readonly #surveys = new Map<string, Survey>();
  /** The question about each room that is being answered. */
  readonly #asked = new Map<string, Promise<unknown>>();
  /** The question about each room that is asked when the one before it is answered. */
  readonly #next = new Map<string, Promise<RoomMembers>>();
  #sequence = 0;

  constructor(deps: ClusterSurveyDeps, options: { node: string }) {
    this.#deps = deps;
    this.#node = options.node;
  }

  /**
   * Those who ask about a room while it is being asked about share the next question. The one under way may have been
   * answered before they entered.
   */
  members(room: string): Promise<RoomMembers> {
    let next = this.#next.get(room);
    if (next === undefined) {
      const ask = (): Promise<RoomMembers> => this.#askNext(room);
      // What comes in the same batch shares the first question, too.
      next = (this.#asked.get(room) ?? nextTurn()).then(ask, ask);
      this.#next.set(room, next);
    }
    return next;
  }

  #askNext(room: string): Promise<RoomMembers> {
    this.#next.delete(room);
    const asked = this.#askMembers(room).finally(() => this.#asked.delete(room));
    this.#asked.set(room, asked);
    return asked;
  }

  async #askMembers(room: string): Promise<RoomMembers> {
    const stream = roomStream(room);
    const { answers, unanswered } = await this.#ask({ kind: 'channel', stream }, { about: 'members', stream });
    const users = new Set<string>();
    let connections = 0;
    let complete = unanswered === 0;
    for (const answer of answers.filter(isObject)) {
      for (const user of answer['users'] as string[]) users.add(user);
      connections += answer['connections'] as number;
      if (answer['truncated'] === true) complete = false;
    }
    return { users: [...users].sort().slice(0, NAMES_MAX), connections, complete: complete && users.size <= NAMES_MAX };
  }

  async subscriptions(): Promise<SubscriptionCounts> {
    const { answers, unanswered } = await this.#ask({ kind: 'all' }, { about: 'subscriptions' });
    const counts = new Map<string, number>();
    let complete = unanswered === 0;
    for (const answer of answers.filter(isObject)) {
      for (const [id, connections] of Object.entries(answer['counts'] as Record<string, number>)) {
        counts.set(id, (counts.get(id) ?? 0) + connections);
      }
      if (answer['truncated'] === true) complete = false;
    }
    return { subscriptions: new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1))), complete };
  }

  /** Whose the connection of that node is (`user` null: a guest's); null when there is none. */
  async connection(node: string, id: string): Promise<{ user: string | null } | null> {
    const question = { about: 'connection', connection: id } as const;
    const { answers, unanswered } = await this.#ask({ kind: 'node', node }, question);
    if (unanswered > 0) throw new EngineError('unavailable', `node ${node} did not answer`);
    const found = answers.find(isObject);
    return found === undefined ? null : { user: found['user'] as string | null };
  }

  /** Connections of all nodes in the order of their ids. */
  async connections(wanted: ConnectionSearch): Promise<FoundConnections> {
    const [{ answers }, nodes] = await Promise.all([
      this.#ask({ kind: 'all' }, { about: 'connections', wanted }),
      this.#deps.engine.nodes(),
    ]);
    return new ConnectionSurvey(answers, nodes).found(wanted.limit);
  }

  /** What that node has measured behind a time, oldest first; null: there is no such node. */
  async readings(node: string, afterMs: number): Promise<readonly NodeReading[] | null> {
    const { answers, unanswered } = await this.#ask({ kind: 'node', node }, { about: 'readings', afterMs });
    if (unanswered > 0) throw new EngineError('unavailable', `node ${node} did not answer`);
    if (answers.length === 0) return null;
    // A node of an earlier release does not know the question, and answers nothing.
    const answer = answers.find(isObject);
    return answer === undefined ? [] : (answer['readings'] as readonly NodeReading[]);
  }

  /** A question of another node (or of this one), or an answer to one of this node's own. */
  take(command: SurveyCommand | SurveyResponse): void {
    if (command.command === 'report') {
      // Unknown: it came after the deadline.
      this.#surveys.get(command.id)?.add(command.answer);
      return;
    }
    const { id, from: node } = command;
    const report = { command: 'report', id, answer: this.#answer(command.question) } as const;
    this.#deps.engine.control({ kind: 'node', node }, report).catch((error: unknown) => {
      // The asker counts this node among those that did not answer.
      this.#deps.logger.debug('question could not be answered', { about: command.question.about, error });
    });
  }

  async #ask(target: ControlTarget, question: NodeQuestion): Promise<{ answers: unknown[]; unanswered: number }> {
    if (this.#surveys.size >= ASKS_MAX) throw new EngineError('unavailable', 'too many questions wait for answers');
    const id = (++this.#sequence).toString(36);
    const survey = new Survey();
    // Before the question goes out: its answers may overtake the engine's own.
    this.#surveys.set(id, survey);
    const timer = setTimeout(() => survey.end(), DEADLINE_MS);
    try {
      survey.expect(await this.#deps.engine.control(target, { command: 'ask', id, from: this.#node, question }));
      return await survey.ended;
    } finally {
      clearTimeout(timer);
      this.#surveys.delete(id);
    }
  }

  #answer(question: NodeQuestion): unknown {
    const { localStreams, connections, readings } = this.#deps;
    switch (question.about) {
      case 'members':
        return membersOf(localStreams?.get(question.stream));
      case 'subscriptions':
        return subscriptionsOf(localStreams?.shared() ?? []);
      case 'connection': {
        const connection = connections?.get(question.connection);
        return connection === undefined ? null : { user: connection.user };
      }
      case 'connections':
        return shareOf(connections?.all() ?? [], question.wanted, this.#node);
      case 'readings':
        return { readings: readings?.after(question.afterMs) ?? [] };
    }
  }
}

/** The answers to one question. */
class Survey {
  readonly #answers: unknown[] = [];
  readonly #end = Promise.withResolvers<{ answers: unknown[]; unanswered: number }>();
  #expected = Number.POSITIVE_INFINITY;

  get ended(): Promise<{ answers: unknown[]; unanswered: number }> {
    return this.#end.promise;
  }

  expect(count: number): void {
    this.#expected = count;
    this.#endIfAll();
  }

  add(answer: unknown): void {
    this.#answers.push(answer);
    this.#endIfAll();
  }

  end(): void {
    const answers = this.#answers;
    this.#end.resolve({ answers, unanswered: Math.max(0, this.#expected - answers.length) });
  }

  #endIfAll(): void {
    if (this.#answers.length >= this.#expected) this.end();
  }
}

function membersOf(localStream: LocalStream<Subscription> | undefined): object {
  const users = new Set<string>();
  let connections = 0;
  for (const subscription of localStream?.subscriptions() ?? []) {
    connections++;
    const { user } = subscription.connection;
    if (user !== null) users.add(user);
  }
  return { users: [...users].slice(0, NAMES_MAX), connections, truncated: users.size > NAMES_MAX };
}

function subscriptionsOf(localStreams: Iterable<LocalStream<Subscription>>): object {
  const counts = new Map<string, number>();
  for (const { stream, size } of localStreams) {
    if (!stream.startsWith(SUBSCRIPTIONS)) continue;
    if (counts.size === NAMES_MAX) return { counts: Object.fromEntries(counts), truncated: true };
    counts.set(stream.slice(SUBSCRIPTIONS.length), size);
  }
  return { counts: Object.fromEntries(counts), truncated: false };
}
