import { Continuity, type StreamNews } from './continuity.js';
import { ClientError, closedError, unsupportedError } from './errors.js';
import type { ClientEvents, Closed, Disconnected } from './events.js';
import {
  isMessage,
  nameIn,
  type Connected,
  type Frame,
  type Left,
  type JoinedRoom,
  type JoinedTopic,
  type Message,
} from './frames.js';
import type { Transport } from './gateway-connection.js';
import { Listeners } from './listeners.js';
import { Memberships, type TopicWish } from './memberships.js';
import { MessageQueue, type MessageIterator } from './message-iterator.js';
import { watchNetwork } from './network-watch.js';
import { resolveOptions, type ClientOptions, type ResolvedOptions } from './options.js';
import { Positions, type Position, type SavedPositions } from './positions.js';
import { ReconnectLoop } from './reconnect-loop.js';
import type { Refused } from './refusal.js';
import { Requests, type RequestOptions } from './requests.js';
import { SilenceWatch } from './silence.js';

export type ClientState = 'idle' | 'connecting' | 'connected' | 'closed';

/** Payload types by topic, for those who want them: `createClient<{ notifications: Notification }>(…)`. */
export type TopicPayloads = object;

export type MessageOf<Topics extends TopicPayloads, Name extends string> = Message<
  Name extends keyof Topics ? Topics[Name] : unknown
>;

export type Listener<Topics extends TopicPayloads, Name extends string> = (
  detail: Name extends keyof ClientEvents ? ClientEvents[Name] : MessageOf<Topics, Name>,
) => unknown;

/**
 * Connects at once, unless `autoConnect` is false; listeners added in the same turn miss nothing. Throws ClientError
 * `bad_option` and `bad_token`.
 */
export function createClient<Topics extends TopicPayloads = Record<string, unknown>>(
  options: ClientOptions,
): Client<Topics> {
  return new Client<Topics>(resolveOptions(options));
}

/**
 * One user's place at the gateway, over as many connections as it takes. Each message of a stream is told once, in
 * order; what was missed while there was no connection follows, or `lost` says that this cannot be proved.
 */
export class Client<Topics extends TopicPayloads = Record<string, unknown>> {
  /** Resolves when the client is closed for good, whoever did it; never rejects. */
  readonly closed: Promise<Closed>;
  readonly #options: ResolvedOptions;
  readonly #positions: Positions;
  readonly #continuity: Continuity;
  readonly #requests = new Requests();
  readonly #memberships: Memberships;
  readonly #silence: SilenceWatch;
  readonly #loop: ReconnectLoop;
  /** Listeners by event of the client. */
  readonly #events = new Listeners((name, error) => this.#listenerFailed(name, error));
  /** Listeners by `event` of a message. */
  readonly #topics = new Listeners((name, error) => this.#listenerFailed(name, error));
  readonly #iterators = new Set<MessageQueue<Message>>();
  #state: ClientState = 'idle';
  #resolveClosed: (closed: Closed) => void = () => undefined;
  #rejoining = false;
  #stopWatching = (): void => undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#positions = new Positions(options.positions);
    this.#continuity = new Continuity(this.#positions);
    this.#memberships = new Memberships(options.topics, this.#positions, {
      ask: (command, body, onOk) => this.#ask(command, body, { onOk }),
      joinedTopic: (row) => this.#tell(this.#continuity.topic(row)),
      joinedRoom: (row) => this.#tell(this.#continuity.room(row)),
      failed: (error) => this.#emit('error', error),
      rejoin: () => this.#rejoin(),
      doubtful: () => this.#loop.reconnect('no answer'),
    });
    this.#silence = new SilenceWatch({
      ask: (timeoutMs) => this.#ask('ping', {}, { timeoutMs }),
      dead: () => this.#loop.abandon('nothing was heard'),
    });
    this.#loop = new ReconnectLoop(
      options,
      {
        positions: this.#positions,
        topics: (transport) => this.#memberships.topicsFor(transport),
        wished: (topic) => this.#memberships.wished(topic),
      },
      {
        connected: (connected) => this.#connected(connected),
        frame: (frame) => this.#frame(frame),
        heard: () => this.#silence.heard(),
        disconnected: (end) => this.#disconnected(end),
        refused: (refused, transport) => this.#refused(refused, transport),
        positionsRefused: (topics) => this.#continuity.positionsRefused(topics),
        reconnecting: (next) => this.#emit('reconnecting', next),
        error: (error) => this.#emit('error', error),
        authenticate: (authToken) => this.#ask('authentication', { authToken, update: true }),
      },
    );
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    if (options.autoConnect) this.connect();
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Subscribed, or to be subscribed with the next connection. */
  get topics(): readonly string[] {
    return this.#memberships.topics;
  }

  /**
   * Begins to connect, with `autoConnect: false`. Otherwise, and a second time, it does nothing. Wait with `ready()`.
   */
  connect(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'connecting';
    this.#stopWatching = watchNetwork({
      online: () => this.#wake(true),
      offline: () => this.#probe(),
      awake: () => this.#wake(false),
    });
    // Not in this turn: listeners are added first.
    void Promise.resolve()
      .then(() => this.#loop.run())
      .then((closed) => this.#end(closed));
  }

  /** Makes the attempt that is waited for now; one that is connected comes back by a new connection, and resumes. */
  reconnect(): void {
    this.#loop.reconnect('reconnect');
  }

  /**
   * Listens to an event of the client (`connected`, `lost`, …; see ClientEvents), or by any other name to the messages
   * with this `event`: a topic, a subscription id, `room`, `hub`, `broadcast`, …. A topic named like an event of the
   * client is to be had by `message` only. Gives the function that ends it.
   */
  on<Name extends string>(name: Name, listener: Listener<Topics, Name>): () => void {
    const listeners = CLIENT_EVENTS.includes(name) ? this.#events : this.#topics;
    return listeners.add(name, listener as (detail: unknown) => unknown);
  }

  /**
   * Messages from now on, by `for await`; of one `event` (a topic, …) or all. One that takes its time costs nobody else
   * anything: up to `limit` messages wait, then the oldest goes and `dropped` counts it. Ends when the client is closed.
   */
  messages<Name extends string>(event: Name, options?: { limit?: number }): MessageIterator<MessageOf<Topics, Name>>;
  messages(event?: null, options?: { limit?: number }): MessageIterator<Message>;
  messages(event: string | null = null, { limit = this.#options.bufferLimit } = {}): MessageIterator<Message> {
    const queue = new MessageQueue<Message>(limit, (own) => {
      const push = (message: unknown): void => own.push(message as Message);
      const remove = event === null ? this.#events.add('message', push) : this.#topics.add(event, push);
      return () => {
        remove();
        this.#iterators.delete(own);
      };
    });
    if (this.state === 'closed') queue.end();
    else this.#iterators.add(queue);
    return queue;
  }

  /** Resolves when connected, at once if it is; rejects with ClientError `closed` when that will not be any more. */
  ready(): Promise<void> {
    if (this.state === 'connected') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = this.on('connected', () => {
        stop();
        resolve();
      });
      void this.closed.then(({ why, reason }) => {
        stop();
        reject(closedError(`${why} ${reason}: `));
      });
    });
  }

  /**
   * Sends a command and gives the answer's payload. Rejects with AnswerError when the gateway refuses, else with
   * ClientError: `disconnected` (not connected, or the connection was lost before the answer), `timeout`, `closed`,
   * `unsupported` (connected by server-sent events).
   */
  request<Answer = unknown>(
    command: string,
    body: object = {},
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Answer> {
    return this.#ask(command, body, options) as Promise<Answer>;
  }

  /**
   * Subscribes, also while there is no connection: it resolves when the gateway has confirmed, and holds for all later
   * connections. Rejects with AnswerError when the gateway refuses; then nothing is remembered.
   */
  subscribe(topics: string | readonly TopicWish[]): Promise<readonly JoinedTopic[]> {
    return this.#unlessClosed(() => this.#memberships.subscribe([topics].flat()));
  }

  /** Unsubscribes for good, and forgets the positions. */
  unsubscribe(topics: string | readonly string[]): Promise<void> {
    return this.#unlessClosed(() => this.#memberships.unsubscribe([topics].flat()));
  }

  /** Like `subscribe`, for a room; entered again on each later connection. */
  enter(room: string, position: Position | null = null): Promise<JoinedRoom> {
    return this.#unlessClosed(() => this.#memberships.enter(room, position));
  }

  leave(room: string): Promise<void> {
    return this.#unlessClosed(() => this.#memberships.leave(room));
  }

  /**
   * Returns where the client is in each stream, as JSON: to be saved with the state that was made from the messages.
   */
  positions(): SavedPositions {
    return this.#positions.save();
  }

  /** Closes the client for good. Pending requests are rejected, iterators end after what they hold. */
  close(): Promise<Closed> {
    if (this.state === 'idle') this.connect();
    this.#loop.close();
    return this.closed;
  }

  #ask(
    command: string,
    options: object,
    { timeoutMs = this.#options.requestTimeoutMs, onOk }: Partial<RequestOptions> = {},
  ): Promise<unknown> {
    return this.#unlessClosed(() => {
      if (this.#loop.transport === 'sse') {
        return Promise.reject(unsupportedError(command));
      }
      this.#options.debug?.(`command ${command}`);
      return this.#requests.request(
        (text) => this.#loop.send(text),
        { command, options },
        { timeoutMs, ...(onOk && { onOk }) },
      );
    });
  }

  #unlessClosed<T>(action: () => Promise<T>): Promise<T> {
    return this.state === 'closed' ? Promise.reject(closedError()) : action();
  }

  #connected(connected: Connected): 'welcome' | 'behind' {
    const news = this.#continuity.connected(connected);
    if (news === null) return 'behind';
    this.#state = 'connected';
    this.#silence.start(connected.heartbeat_ms);
    this.#emit('connected', connected);
    this.#tell(news);
    this.#memberships.connected(this.#loop.transport ?? 'websocket', connected.topics);
    return 'welcome';
  }

  #frame(frame: Frame): void {
    if (isMessage(frame)) this.#message(frame);
    else if (frame.rid > 0) this.#requests.answer(frame);
    else if (frame.event === 'left') this.#memberships.left(frame.payload as Left);
    else if (frame.status === 'error') {
      const text = JSON.stringify(frame.payload);
      this.#emit('error', new ClientError('gateway_error', `the gateway says: ${text}`, frame.payload));
    }
  }

  #message(message: Message): void {
    const news = this.#continuity.message(message);
    if (news === null) return;
    this.#tell(news);
    const { event, stream = '', offset = '' } = message;
    this.#options.debug?.(`message ${event} ${stream} ${offset}`.trimEnd());
    this.#events.emit('message', message);
    this.#topics.emit(event, message);
    if (message.key) this.#topics.emit(nameIn(message), message);
  }

  #tell(news: readonly StreamNews[]): void {
    for (const { event, detail } of news) this.#emit(event, detail);
  }

  #refused(refused: Refused, transport: Transport): boolean {
    const dropped = this.#memberships.refused(refused, transport);
    if (!dropped) this.#emit('refused', refused);
    return dropped;
  }

  #disconnected(end: Disconnected): void {
    this.#silence.stop();
    this.#requests.rejectAll();
    // Not if it was left before it was told.
    if (this.state !== 'connected') return;
    this.#state = 'connecting';
    this.#emit('disconnected', end);
  }

  /** Several topics of one turn are named by one handshake. */
  #rejoin(): void {
    if (this.#rejoining) return;
    this.#rejoining = true;
    setTimeout(() => {
      this.#rejoining = false;
      if (this.#loop.transport === 'sse') this.#loop.reconnect('topics');
    });
  }

  #wake(networkChanged: boolean): void {
    this.#loop.hurry(networkChanged);
    this.#probe();
  }

  /** Server-sent events cannot be asked: they say something at each heartbeat. */
  #probe(): void {
    if (this.#loop.transport === 'websocket') void this.#silence.probe();
  }

  #end(closed: Closed): void {
    this.#stopWatching();
    this.#state = 'closed';
    this.#memberships.end();
    this.#emit('closed', closed);
    for (const iterator of [...this.#iterators]) iterator.end();
    this.#resolveClosed(closed);
  }

  #emit<Name extends keyof ClientEvents>(name: Name, detail: ClientEvents[Name]): void {
    this.#options.debug?.(`${name} ${detail instanceof Error ? detail.message : JSON.stringify(detail)}`);
    this.#events.emit(name, detail);
  }

  #listenerFailed(name: string, error: unknown): void {
    // A listener of errors that throws itself: there is nobody left to tell.
    if (name !== 'error') this.#emit('error', new ClientError('listener_failed', `a listener of ${name}`, error));
  }
}

const CLIENT_EVENTS: readonly string[] = [
  'message',
  'connected',
  'disconnected',
  'reconnecting',
  'refused',
  'recovered',
  'lost',
  'error',
  'closed',
] satisfies (keyof ClientEvents)[];
