import { AnswerError, ClientError } from './errors.js';
import type { JoinedRoom, JoinedStream, JoinedTopic } from './frames.js';
import { isRecord } from './frames.js';
import { roomStream, type Position, type Positions } from './positions.js';

/** A topic, with the position to go on from if there is one. */
export type TopicWish = string | ({ readonly topic: string } & Position);

export interface MembershipHandlers {
  /** Rejects as Requests does. `onOk` runs in the moment of the answer. */
  ask(command: string, options: object, onOk: (payload: unknown) => void): Promise<unknown>;
  joinedTopic(row: JoinedTopic): void;
  joinedRoom(row: JoinedRoom): void;
  /** A room that could not be entered again. */
  failed(error: AnswerError): void;
}

/** Something to be joined that the gateway has not confirmed yet. */
interface Call {
  readonly command: 'subscribe' | 'enter';
  readonly names: Set<string>;
  options(): object;
  confirmed(payload: unknown): void;
  resolve(payload: unknown): void;
  reject(error: unknown): void;
  inFlight: boolean;
}

const RETRY_MS = 1_000;

/**
 * The topics and rooms the application wants to be in, over all connections. Topics the gateway has confirmed ride in the
 * next handshake; a new one goes by command first, so that a wrong name is refused alone and not with the connection.
 * Rooms are entered again by command after each `connected`.
 */
export class Memberships {
  readonly #topics: Set<string>;
  readonly #rooms = new Set<string>();
  readonly #calls = new Set<Call>();
  readonly #positions: Positions;
  readonly #handlers: MembershipHandlers;
  #ended = false;

  constructor(topics: readonly string[], positions: Positions, handlers: MembershipHandlers) {
    this.#topics = new Set(topics);
    this.#positions = positions;
    this.#handlers = handlers;
  }

  /** For the next handshake. */
  get topics(): string[] {
    return [...this.#topics];
  }

  subscribe(wishes: readonly TopicWish[]): Promise<readonly JoinedTopic[]> {
    const names = new Set(wishes.map((wish) => (typeof wish === 'string' ? wish : wish.topic)));
    let rows: readonly JoinedTopic[] = [];
    const wanted = (): TopicWish[] => wishes.filter((wish) => names.has(typeof wish === 'string' ? wish : wish.topic));
    const confirmed = (payload: unknown): void => {
      rows = rowsOf(payload).filter(({ topic }) => names.has(topic));
      for (const name of names) this.#topics.add(name);
      for (const row of rows) this.#handlers.joinedTopic(row);
    };
    const options = (): object => ({ topics: wanted() });
    return this.#join({ command: 'subscribe', names, options, confirmed }).then(() => rows);
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

  enter(room: string, position: Position | null): Promise<JoinedRoom> {
    let row: JoinedRoom = { room };
    const confirmed = (payload: unknown): void => {
      row = { ...(isRecord(payload) ? (payload as JoinedStream) : {}), room };
      if (!names.has(room)) return;
      this.#rooms.add(room);
      this.#handlers.joinedRoom(row);
    };
    const names = new Set([room]);
    const options = (): object => ({ room, ...(this.#positions.get(roomStream(room)) ?? position) });
    return this.#join({ command: 'enter', names, options, confirmed }).then(() => row);
  }

  async leave(room: string): Promise<void> {
    this.#rooms.delete(room);
    this.#positions.forget(roomStream(room));
    this.#withdraw('enter', [room]);
    await this.#tell('leave', { room }, () => {
      if (!this.#rooms.has(room)) this.#positions.forget(roomStream(room));
    });
  }

  /** After each `connected`. */
  connected(): void {
    const entering = new Set(
      [...this.#calls].filter(({ command }) => command === 'enter').flatMap(({ names }) => [...names]),
    );
    for (const room of this.#rooms) if (!entering.has(room)) this.#enterAgain(room);
    for (const call of this.#calls) void this.#perform(call);
  }

  /** The client is closed for good. */
  end(): void {
    this.#ended = true;
    for (const call of this.#calls) call.reject(new ClientError('closed', `${call.command}: the client is closed`));
    this.#calls.clear();
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
  #join(call: Pick<Call, 'command' | 'names' | 'options' | 'confirmed'>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const whole: Call = { ...call, resolve, reject, inFlight: false };
      this.#calls.add(whole);
      void this.#perform(whole);
    });
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
      const lost = error instanceof ClientError && error.code === 'disconnected';
      // The next connection's turn, unless nothing of it is wanted any more.
      if (lost && call.names.size > 0 && !this.#ended) return;
      this.#calls.delete(call);
      if (call.names.size === 0) call.resolve(undefined);
      else call.reject(error);
    }
  }

  /** What is not wanted any more need not be asked for; what has been asked for is not remembered. */
  #withdraw(command: Call['command'], names: readonly string[]): void {
    for (const call of this.#calls) {
      if (call.command !== command) continue;
      for (const name of names) call.names.delete(name);
      if (call.names.size > 0 || call.inFlight) continue;
      this.#calls.delete(call);
      call.resolve(undefined);
    }
  }

  /** Without a connection there is nothing to tell: the next one will not ask for it. */
  async #tell(command: string, options: object, onOk: () => void): Promise<void> {
    try {
      await this.#handlers.ask(command, options, onOk);
    } catch (error) {
      if (error instanceof ClientError && error.code === 'disconnected') return;
      throw error;
    }
  }
}

/** Codes that say "not now". */
const PASSING_CODES: ReadonlySet<string> = new Set(['rate_limited', 'unavailable', 'busy', 'internal_error']);

function isFinal(error: unknown): error is AnswerError {
  return error instanceof AnswerError && !PASSING_CODES.has(error.code);
}

function rowsOf(payload: unknown): JoinedTopic[] {
  const topics = isRecord(payload) ? payload['topics'] : [];
  return Array.isArray(topics) ? (topics as JoinedTopic[]) : [];
}
