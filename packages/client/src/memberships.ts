import { AnswerError, ClientError } from './errors.js';
import type { JoinedRoom, JoinedStream, JoinedTopic } from './frames.js';
import { isRecord } from './frames.js';
import type { Transport } from './gateway-connection.js';
import { roomStream, type Position, type Positions } from './positions.js';
import type { Refused } from './refusal.js';

/** A topic, with the position to go on from if there is one. */
export type TopicWish = string | ({ readonly topic: string } & Position);

export interface MembershipHandlers {
  /** Rejects as Requests does; `unsupported` where there are no commands. `onOk` runs in the moment of the answer. */
  ask(command: string, options: object, onOk: (payload: unknown) => void): Promise<unknown>;
  joinedTopic(row: JoinedTopic): void;
  joinedRoom(row: JoinedRoom): void;
  /** A room that could not be entered again. */
  failed(error: AnswerError | ClientError): void;
  /** The topics have to be named anew, by another handshake. */
  rejoin(): void;
  /** What this connection has joined is not known. */
  doubtful(): void;
}

/** Something to be joined that the gateway has not confirmed yet. */
interface Call {
  readonly command: 'subscribe' | 'enter';
  readonly names: Set<string>;
  /** Positions that the application gave, by name. */
  readonly wished: ReadonlyMap<string, Position>;
  options(): object;
  confirmed(payload: unknown): void;
  readonly settled: Promise<unknown>;
  resolve(payload: unknown): void;
  reject(error: unknown): void;
  inFlight: boolean;
}

const RETRY_MS = 1_000;

/**
 * The topics and rooms the application wants to be in, over all connections. Topics the gateway has confirmed ride in the
 * next handshake; a new one goes by command first, so that a wrong name is refused alone and not with the connection.
 * Rooms are entered again by command after each `connected`. Server-sent events have no commands: there a new topic rides
 * in a handshake made for it, and there are no rooms.
 */
export class Memberships {
  readonly #topics: Set<string>;
  readonly #rooms = new Set<string>();
  readonly #calls = new Set<Call>();
  readonly #positions: Positions;
  readonly #handlers: MembershipHandlers;
  /** A handshake with several new topics was refused: they go one at a time. */
  #oneByOne = false;
  #ended = false;

  constructor(topics: readonly string[], positions: Positions, handlers: MembershipHandlers) {
    this.#topics = new Set(topics);
    this.#positions = positions;
    this.#handlers = handlers;
  }

  /** Confirmed, or named when the client was made. */
  get topics(): string[] {
    return [...this.#topics];
  }

  /** For the next handshake. */
  topicsFor(transport: Transport): string[] {
    if (transport === 'websocket') return this.topics;
    return [...new Set([...this.#topics, ...this.#ridingCalls().flatMap(({ names }) => [...names])])];
  }

  get wished(): ReadonlyMap<string, Position> {
    return new Map([...this.#calls].flatMap(({ wished }) => [...wished]));
  }

  /** Who wants a topic that somebody else has just asked for waits for the same answer. */
  async subscribe(wishes: readonly TopicWish[]): Promise<readonly JoinedTopic[]> {
    const names = new Set(wishes.map(topicOf));
    const shared = [...this.#calls].filter(
      (call) => call.command === 'subscribe' && [...names].some((name) => call.names.has(name)),
    );
    if (shared.length === 0) return this.#subscribe(names, wishes);
    const answers = await Promise.all(shared.map(({ settled }) => settled.catch(() => undefined)));
    const rows = answers.flatMap(rowsOf).filter(({ topic }) => names.delete(topic));
    if (names.size === 0) return rows;
    if (this.#ended) throw new ClientError('closed', 'subscribe: the client is closed');
    // What was refused may have been another topic of the same call.
    return [...rows, ...(await this.subscribe(wishes.filter((wish) => names.has(topicOf(wish)))))];
  }

  async unsubscribe(topics: readonly string[]): Promise<void> {
    for (const topic of topics) {
      this.#topics.delete(topic);
      this.#positions.forgetTopic(topic);
    }
    this.#withdraw('subscribe', topics);
    await this.#tell('unsubscribe', { topics }, () => {
      // What was under way before the answer has left its positions.
      const gone = topics.filter((topic) => !this.#topics.has(topic));
      for (const topic of gone) this.#positions.forgetTopic(topic);
    });
  }

  async enter(room: string, position: Position | null): Promise<JoinedRoom> {
    const [shared] = [...this.#calls].filter(({ command, names }) => command === 'enter' && names.has(room));
    if (shared !== undefined) {
      await shared.settled.catch(() => undefined);
      return this.enter(room, position);
    }
    let row: JoinedRoom = { room };
    const confirmed = (payload: unknown): void => {
      row = { ...(isRecord(payload) ? (payload as JoinedStream) : {}), room };
      if (!names.has(room)) return;
      this.#rooms.add(room);
      this.#handlers.joinedRoom(row);
    };
    const names = new Set([room]);
    const options = (): object => ({ room, ...(this.#positions.get(roomStream(room)) ?? position) });
    await this.#join({ command: 'enter', names, wished: new Map(), options, confirmed });
    return row;
  }

  async leave(room: string): Promise<void> {
    this.#rooms.delete(room);
    this.#positions.forget(roomStream(room));
    this.#withdraw('enter', [room]);
    await this.#tell('leave', { room }, () => {
      if (!this.#rooms.has(room)) this.#positions.forget(roomStream(room));
    });
  }

  /** After each `connected`, with its rows. */
  connected(transport: Transport, rows: readonly JoinedTopic[]): void {
    if (transport === 'sse') {
      this.#joinedByHandshake(rows);
      return;
    }
    const entering = new Set(
      [...this.#calls].filter(({ command }) => command === 'enter').flatMap(({ names }) => [...names]),
    );
    for (const room of this.#rooms) if (!entering.has(room)) this.#enterAgain(room);
    for (const call of this.#calls) void this.#perform(call);
  }

  /** A handshake was refused; true: for topics that rode in it to be tried, and which are given up now. */
  refused({ code, message }: Refused, transport: Transport): boolean {
    const riding = transport === 'sse' && TOPIC_CODES.has(code) ? this.#ridingCalls() : [];
    if (riding.length > 1) this.#oneByOne = true;
    else for (const call of riding) this.#drop(call, new AnswerError('subscribe', 'forbidden', { code, message }));
    return riding.length > 0;
  }

  /** The client is closed for good. */
  end(): void {
    this.#ended = true;
    for (const call of this.#calls) {
      this.#drop(call, new ClientError('closed', `${call.command}: the client is closed`));
    }
  }

  async #subscribe(names: Set<string>, wishes: readonly TopicWish[]): Promise<readonly JoinedTopic[]> {
    const rowsIn = (payload: unknown): JoinedTopic[] => rowsOf(payload).filter(({ topic }) => names.has(topic));
    const confirmed = (payload: unknown): void => {
      for (const name of names) this.#topics.add(name);
      for (const row of rowsIn(payload)) this.#handlers.joinedTopic(row);
    };
    const options = (): object => ({ topics: wishes.filter((wish) => names.has(topicOf(wish))) });
    const wished = new Map(wishes.flatMap((wish) => (typeof wish === 'string' ? [] : [[wish.topic, wish] as const])));
    return rowsIn(await this.#join({ command: 'subscribe', names, wished, options, confirmed }));
  }

  #enterAgain(room: string): void {
    this.enter(room, null).catch((error: unknown) => {
      if (this.#ended || !this.#rooms.has(room)) return;
      if (!isFinal(error)) {
        setTimeout(() => this.#retryRoom(room), RETRY_MS * (1 + Math.random()));
        return;
      }
      this.#rooms.delete(room);
      this.#positions.forget(roomStream(room));
      this.#handlers.failed(error);
    });
  }

  #retryRoom(room: string): void {
    if (!this.#ended && this.#rooms.has(room)) this.#enterAgain(room);
  }

  /** Settles by the gateway's word, over as many connections as it takes. */
  #join(call: Pick<Call, 'command' | 'names' | 'wished' | 'options' | 'confirmed'>): Promise<unknown> {
    let resolve: Call['resolve'] = () => undefined;
    let reject: Call['reject'] = () => undefined;
    const settled = new Promise<unknown>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    const whole: Call = { ...call, settled, resolve, reject, inFlight: false };
    this.#calls.add(whole);
    void this.#perform(whole);
    return settled;
  }

  async #perform(call: Call): Promise<void> {
    if (call.inFlight) return;
    call.inFlight = true;
    try {
      const payload = await this.#handlers.ask(call.command, call.options(), (answer) => call.confirmed(answer));
      this.#calls.delete(call);
      call.resolve(payload);
    } catch (error) {
      call.inFlight = false;
      this.#failed(call, error);
    }
  }

  #failed(call: Call, error: unknown): void {
    const code = error instanceof ClientError ? error.code : null;
    const wanted = call.names.size > 0 && !this.#ended;
    // The next connection's turn, unless nothing of it is wanted any more.
    if (code === 'disconnected' && wanted) return;
    if (code === 'unsupported' && wanted && call.command === 'subscribe') {
      this.#handlers.rejoin();
      return;
    }
    // It may have been carried out all the same: what is told to have failed must not go on by half.
    if (code === 'timeout') this.#handlers.doubtful();
    this.#drop(call, call.names.size === 0 ? null : error);
  }

  /** Server-sent events: the rows say what the handshake has joined. */
  #joinedByHandshake(rows: readonly JoinedTopic[]): void {
    const joined = new Set(rows.map(({ topic }) => topic));
    for (const call of this.#calls) {
      if (call.command === 'enter') {
        this.#drop(call, unsupported('enter'));
      } else if ([...call.names].every((name) => joined.has(name))) {
        for (const name of call.names) this.#topics.add(name);
        this.#calls.delete(call);
        call.resolve({ topics: rows });
      }
    }
    // They are entered again as soon as there are WebSockets.
    if (this.#rooms.size > 0) this.#handlers.failed(unsupported('enter'));
    if (this.#calls.size === 0) this.#oneByOne = false;
    if (this.#calls.size > 0 || [...joined].some((topic) => !this.#topics.has(topic))) this.#handlers.rejoin();
  }

  /** New topics that ride in the next handshake of server-sent events. */
  #ridingCalls(): Call[] {
    const calls = [...this.#calls].filter(({ command }) => command === 'subscribe');
    return this.#oneByOne ? calls.slice(0, 1) : calls;
  }

  /** What is not wanted any more need not be asked for; what has been asked for is not remembered. */
  #withdraw(command: Call['command'], names: readonly string[]): void {
    for (const call of this.#calls) {
      if (call.command !== command) continue;
      for (const name of names) call.names.delete(name);
      if (call.names.size === 0 && !call.inFlight) this.#drop(call, null);
    }
  }

  /** null: nothing of it is wanted any more. */
  #drop(call: Call, error: unknown): void {
    this.#calls.delete(call);
    if (error === null) call.resolve(undefined);
    else call.reject(error);
  }

  /** Without a connection there is nothing to tell: the next one will not ask for it. */
  async #tell(command: string, options: object, onOk: () => void): Promise<void> {
    try {
      await this.#handlers.ask(command, options, onOk);
    } catch (error) {
      const code = error instanceof ClientError ? error.code : null;
      if (code === 'unsupported') this.#handlers.rejoin();
      if (code === 'timeout') this.#handlers.doubtful();
      if (code !== 'disconnected' && code !== 'unsupported' && code !== 'timeout') throw error;
    }
  }
}

/** What a topic in a handshake can be refused for. */
const TOPIC_CODES: ReadonlySet<string> = new Set(['unknown_topic', 'topic_forbidden', 'bad_request']);
/** Codes that say "not now". */
const PASSING_CODES: ReadonlySet<string> = new Set(['rate_limited', 'unavailable', 'busy', 'internal_error']);

function isFinal(error: unknown): error is AnswerError {
  return error instanceof AnswerError && !PASSING_CODES.has(error.code);
}

function unsupported(command: string): ClientError {
  return new ClientError('unsupported', `${command}: server-sent events carry no commands`);
}

function topicOf(wish: TopicWish): string {
  return typeof wish === 'string' ? wish : wish.topic;
}

function rowsOf(payload: unknown): JoinedTopic[] {
  const topics = isRecord(payload) ? payload['topics'] : [];
  return Array.isArray(topics) ? (topics as JoinedTopic[]) : [];
}
