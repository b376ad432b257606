import { AnswerError, ClientError, closedError, unsupportedError, type ClientErrorCode } from './errors.js';
import type { JoinedRoom, JoinedStream, JoinedTopic, Left } from './frames.js';
import { isRecord, nameIn, splitName } from './frames.js';
import type { Transport } from './gateway-connection.js';
import { roomStream, type Position, type Positions } from './positions.js';
import type { Refused } from './refusal.js';

/** A topic, or a key of one (`quotes/k/AAPL`), with the position to go on from if there is one. */
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
  /** Called when it is not known what this connection has joined. */
  doubtful(): void;
}

type Command = 'subscribe' | 'enter';

/** Something to be joined that the gateway has not confirmed yet. */
interface Call {
  readonly command: Command;
  /** Topics, or one room. */
  readonly wishes: readonly TopicWish[];
  /** Names that are still wanted. */
  readonly names: Set<string>;
  /** Resolves with the answer's payload. */
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

  /** Lists the topics for the next handshake. */
  topicsFor(transport: Transport): string[] {
    const riding = transport === 'sse' ? this.#ridingCalls().flatMap(({ names }) => [...names]) : [];
    return [...new Set([...this.#topics, ...riding])];
  }

  /** Positions that came with topics which are not confirmed yet. */
  wished(topic: string): Position | null {
    const wishes = [...this.#calls].flatMap((call) => (call.command === 'subscribe' ? call.wishes : []));
    return wishes.map(positionOf).find((_position, at) => nameOf(wishes[at]!) === topic) ?? null;
  }

  /** Subscribes. A caller that wants a topic that another has just asked for waits for the same answer. */
  async subscribe(wishes: readonly TopicWish[]): Promise<readonly JoinedTopic[]> {
    const names = new Set(wishes.map(nameOf));
    const rows: JoinedTopic[] = [];
    for (let shared; (shared = this.#pending('subscribe', names));) {
      // What was refused may have been another topic of the same call.
      const answer = await shared.settled.catch(() => null);
      rows.push(...rowsOf(answer).filter((row) => names.delete(nameIn(row))));
    }
    if (names.size > 0) {
      const rest = wishes.filter((wish) => names.has(nameOf(wish)));
      rows.push(...rowsOf(await this.#join('subscribe', rest, names)).filter((row) => names.has(nameIn(row))));
    }
    return rows;
  }

  async unsubscribe(topics: readonly string[]): Promise<void> {
    const forget = (): void => {
      for (const topic of topics) if (!this.#topics.has(topic)) this.#positions.forgetTopic(topic);
    };
    for (const topic of topics) this.#topics.delete(topic);
    forget();
    this.#withdraw('subscribe', topics);
    // What was under way before the answer has left its positions.
    await this.#tell('unsubscribe', { topics: topics.map(onWire) }, forget);
  }

  async enter(room: string, position: Position | null): Promise<JoinedRoom> {
    const names = new Set([room]);
    for (let shared; (shared = this.#pending('enter', names));) await shared.settled.catch(() => null);
    const answer = await this.#join('enter', [position === null ? room : { topic: room, ...position }], names);
    return roomRow(answer, room);
  }

  async leave(room: string): Promise<void> {
    const forget = (): void => {
      if (!this.#rooms.has(room)) this.#positions.forget(roomStream(room));
    };
    this.#rooms.delete(room);
    forget();
    this.#withdraw('enter', [room]);
    await this.#tell('leave', { room }, forget);
  }

  /** Takes the rows of each `connected`. */
  connected(transport: Transport, rows: readonly JoinedTopic[]): void {
    if (transport === 'sse') {
      this.#joinedByHandshake(rows);
      return;
    }
    for (const room of this.#rooms) if (!this.#pending('enter', new Set([room]))) this.#enterAgain(room);
    for (const call of this.#calls) void this.#perform(call);
  }

  /** The gateway has taken these away: nobody asks for them again, or the next handshake would be refused for good. */
  left({ topics, rooms }: Left): void {
    for (const { topic, keys = [undefined] } of topics) {
      for (const key of keys) this.#topics.delete(nameIn({ topic, key }));
    }
    for (const room of rooms) this.#rooms.delete(room);
  }

  /** A handshake was refused; true: for topics that rode in it to be tried, and which are given up now. */
  refused({ code, message }: Refused, transport: Transport): boolean {
    const riding = transport === 'sse' && TOPIC_CODES.test(code) ? this.#ridingCalls() : [];
    this.#oneByOne ||= riding.length > 1;
    if (riding.length === 1) this.#drop(riding[0]!, new AnswerError('subscribe', 'forbidden', { code, message }));
    return riding.length > 0;
  }

  /** The client is closed for good. */
  end(): void {
    this.#ended = true;
    for (const call of this.#calls) this.#drop(call, closedError());
  }

  #pending(command: Command, names: ReadonlySet<string>): Call | undefined {
    return [...this.#calls].find((call) => call.command === command && [...names].some((name) => call.names.has(name)));
  }

  /** New topics that ride in the next handshake of server-sent events. */
  #ridingCalls(): Call[] {
    const calls = [...this.#calls].filter(({ command }) => command === 'subscribe');
    return this.#oneByOne ? calls.slice(0, 1) : calls;
  }

  #enterAgain(room: string): void {
    this.enter(room, null).catch((error: unknown) => {
      if (this.#ended || !this.#rooms.has(room)) return;
      if (isFinal(error)) {
        this.#rooms.delete(room);
        this.#positions.forget(roomStream(room));
        this.#handlers.failed(error);
        return;
      }
      const again = (): void => {
        if (!this.#ended && this.#rooms.has(room)) this.#enterAgain(room);
      };
      setTimeout(again, RETRY_MS * (1 + Math.random()));
    });
  }

  /** Settles by the gateway's word, over as many connections as it takes. */
  #join(command: Command, wishes: readonly TopicWish[], names: Set<string>): Promise<unknown> {
    const call: Call = { command, wishes, names, inFlight: false, ...deferred() };
    this.#calls.add(call);
    void this.#perform(call);
    return call.settled;
  }

  async #perform(call: Call): Promise<void> {
    if (call.inFlight) return;
    call.inFlight = true;
    try {
      const options = this.#optionsOf(call);
      const answer = await this.#handlers.ask(call.command, options, (payload) => this.#confirmed(call, payload));
      this.#drop(call, null, answer);
    } catch (error) {
      call.inFlight = false;
      this.#failed(call, error);
    }
  }

  #optionsOf({ command, wishes, names }: Call): object {
    if (command === 'subscribe') return { topics: wishes.filter((wish) => names.has(nameOf(wish))).map(onWire) };
    const room = nameOf(wishes[0]!);
    return { room, ...(this.#positions.get(roomStream(room)) ?? positionOf(wishes[0]!)) };
  }

  #confirmed({ command, names }: Call, payload: unknown): void {
    for (const name of names) (command === 'enter' ? this.#rooms : this.#topics).add(name);
    if (command === 'enter') for (const room of names) this.#handlers.joinedRoom(roomRow(payload, room));
    else for (const row of rowsOf(payload)) if (names.has(nameIn(row))) this.#handlers.joinedTopic(row);
  }

  #failed(call: Call, error: unknown): void {
    const code = codeOf(error);
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
    const joined = new Set(rows.map(nameIn));
    for (const call of this.#calls) {
      if (call.command === 'enter') {
        this.#drop(call, unsupportedError('enter'));
      } else if ([...call.names].every((name) => joined.has(name))) {
        for (const name of call.names) this.#topics.add(name);
        this.#drop(call, null, { topics: rows });
      }
    }
    // They are entered again as soon as there are WebSockets.
    if (this.#rooms.size > 0) this.#handlers.failed(unsupportedError('enter'));
    this.#oneByOne &&= this.#calls.size > 0;
    if (this.#calls.size > 0 || [...joined].some((topic) => !this.#topics.has(topic))) this.#handlers.rejoin();
  }

  /** Takes names back. What is not wanted any more need not be asked for; what has been asked for is not remembered. */
  #withdraw(command: Command, names: readonly string[]): void {
    for (const call of this.#calls) {
      if (call.command !== command) continue;
      for (const name of names) call.names.delete(name);
      if (call.names.size === 0 && !call.inFlight) this.#drop(call, null);
    }
  }

  #drop(call: Call, error: unknown, answer?: unknown): void {
    this.#calls.delete(call);
    if (error === null) call.resolve(answer);
    else call.reject(error);
  }

  /** Tells the gateway. Without a connection there is nothing to tell: the next one will not ask for it. */
  async #tell(command: string, options: object, onOk: () => void): Promise<void> {
    try {
      await this.#handlers.ask(command, options, onOk);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'unsupported') this.#handlers.rejoin();
      else if (code === 'timeout') this.#handlers.doubtful();
      else if (code !== 'disconnected') throw error;
    }
  }
}

/** Codes with which a topic in a handshake, or a key of one, can be refused. */
const TOPIC_CODES = /topic|key|^bad_request$/;
/** Codes that say "not now". */
const PASSING_CODES = /^(rate_limited|unavailable|busy|internal_error)$/;

function deferred(): Pick<Call, 'settled' | 'resolve' | 'reject'> {
  const parts = {} as Pick<Call, 'resolve' | 'reject'>;
  const settled = new Promise<unknown>((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return Object.assign(parts, { settled });
}

function isFinal(error: unknown): error is AnswerError {
  return error instanceof AnswerError && !PASSING_CODES.test(error.code);
}

function codeOf(error: unknown): ClientErrorCode | null {
  return error instanceof ClientError ? error.code : null;
}

function nameOf(wish: TopicWish): string {
  return typeof wish === 'string' ? wish : wish.topic;
}

function onWire(wish: TopicWish): unknown {
  const [topic, key] = splitName(nameOf(wish));
  const position = positionOf(wish);
  return key ? { topic, keys: [key], ...(position && { positions: { [key]: position } }) } : wish;
}

function positionOf(wish: TopicWish): Position | null {
  return typeof wish === 'string' ? null : { epoch: wish.epoch, offset: wish.offset };
}

function rowsOf(payload: unknown): JoinedTopic[] {
  const topics = isRecord(payload) ? payload['topics'] : [];
  return Array.isArray(topics) ? (topics as JoinedTopic[]) : [];
}

function roomRow(payload: unknown, room: string): JoinedRoom {
  return { ...(isRecord(payload) ? (payload as JoinedStream) : {}), room };
}
