import type { Position, StreamName } from '@ws-gateway/core';
import type { Clock } from './clock.js';
import { DeviceSocket, positionIn, type Answer, type Told } from './device-socket.js';
import type { ModelNode } from './model-node.js';
import { BLOCKS, QUOTES, quotesOf, ROOM, streamsOf, TOPIC, type User } from './scenario.js';

export type Command = 'subscribe' | 'unsubscribe' | 'subscribeKeys' | 'unsubscribeKeys' | 'enter' | 'leave';
export type Positions = ReadonlyMap<StreamName, Position>;

interface DeviceOrigin {
  readonly node: ModelNode;
  readonly user: User;
  readonly keys: readonly string[];
  readonly clock: Clock;
}

interface Pending {
  readonly rid: number;
  /** Streams that the answer ends. */
  readonly left: readonly StreamName[];
  /** Positions that the request brought. */
  readonly after: Positions;
}

/** One connection of a user's client, which keeps its positions for the next one. */
export class Device {
  readonly user: User;
  readonly node: ModelNode;
  readonly socket: DeviceSocket;
  readonly startedAt: number;
  /** Time at which the handshake was decided; 0 before. */
  decidedAt = 0;
  /** Code of the refusal; null: admitted, or not decided yet. */
  refused: string | null = null;
  /** True when the client itself ended the connection. */
  cut = false;
  connected = false;
  /** The request under way. A device sends one at a time. */
  pending: Pending | null = null;
  /** Keys that the handshake asks for. */
  readonly #keys: readonly string[];
  readonly #brought: Positions;
  readonly #clock: Clock;
  #connection: object | null = null;
  #rid = 0;

  constructor({ node, user, keys, clock }: DeviceOrigin, brought: Positions) {
    this.node = node;
    this.#keys = keys;
    this.user = user;
    this.#clock = clock;
    this.#brought = brought;
    this.startedAt = clock.tick();
    this.socket = new DeviceSocket({
      answered: (answer) => this.#answered(answer),
      ended: (code, reason) => this.node.edge.closed(this.#connection!, code, reason),
      transport: node.transport,
    });
  }

  get open(): boolean {
    return this.#connection !== null && this.socket.code === null && this.node.alive;
  }

  /** The model does not await this: other things go on meanwhile. */
  async connect({ abort }: { abort: boolean }): Promise<void> {
    const reception = this.node.edge.receive(handshakeOf(this.#query()));
    const admission = reception.received
      ? await this.node.edge.admit(reception.arrival, { aborted: false })
      : { ...reception, admitted: false as const };
    this.decidedAt = this.#clock.tick();
    if (!admission.admitted) {
      this.refused = admission.refusal.code;
      return;
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (!this.node.alive) return;
    this.cut = abort;
    if (abort) return this.node.edge.closed(admission.connection, 1006, '');
    this.#connection = admission.connection;
    this.node.edge.opened(admission.connection, this.socket);
  }

  disconnect(): void {
    this.cut = true;
    this.socket.gone(1006);
    this.node.edge.closed(this.#connection!, 1006, '');
  }

  /** The node of this device was killed: nothing comes from there any more. */
  lost(): void {
    this.cut = true;
    if (this.socket.code === null) this.socket.gone(1006);
  }

  /** `keys` are those that a command about keys names. */
  request(command: Command, keys: readonly string[]): void {
    const rid = ++this.#rid;
    const { asked, left } = this.#streamsOf(command, keys);
    const positions = this.positions();
    const known = asked.map((stream) => [stream, positions.get(stream)] as const);
    const after = new Map(known.flatMap(([stream, at]) => (at === undefined ? [] : [[stream, at]])));
    this.pending = { rid, left, after };
    const [at] = [...after.values()];
    const isRoom = command === 'enter' || command === 'leave';
    const options = isRoom ? { room: ROOM, ...at } : { topics: [{ topic: TOPIC, ...at }] };
    const byKey = Object.fromEntries(
      keys.flatMap((key) => (after.has(quotesOf(key)) ? [[key, after.get(quotesOf(key))]] : [])),
    );
    const ofKeys = { topics: [{ topic: QUOTES, keys, positions: byKey }] };
    const request = { rid, command: command.replace('Keys', ''), options: command.endsWith('Keys') ? ofKeys : options };
    this.node.edge.message(this.#connection!, new TextEncoder().encode(JSON.stringify(request)).buffer);
  }

  /** Streams whose positions a command brings, and those that it leaves. */
  #streamsOf(command: Command, keys: readonly string[]): { asked: readonly StreamName[]; left: readonly StreamName[] } {
    const { own, public: everybody, room } = streamsOf(this.user);
    const quotes = keys.map(quotesOf);
    switch (command) {
      case 'subscribe':
        return { asked: [own], left: [] };
      case 'unsubscribe':
        return { asked: [], left: [own, everybody] };
      case 'subscribeKeys':
        return { asked: quotes, left: [] };
      case 'unsubscribeKeys':
        return { asked: [], left: quotes };
      case 'enter':
        return { asked: [room], left: [] };
      case 'leave':
        return { asked: [], left: [room] };
    }
  }

  /** Positions from which the client would resume after this connection. */
  positions(): Positions {
    return new Map([
      ...this.#brought,
      ...this.socket.stays.map((stay) => [stay.told.stream, positionIn(stay)] as const),
    ]);
  }

  #query(): string {
    const { own, public: everybody } = streamsOf(this.user);
    const places = [own, everybody, ...this.#keys.map(quotesOf)].map(
      (stream) => [stream, this.#brought.get(stream)] as const,
    );
    const known = places.flatMap(([stream, at]) => (at === undefined ? [] : [`${stream}:${at.epoch}:${at.offset}`]));
    const keys = this.#keys.map((key) => `&key.${QUOTES}=${encodeURIComponent(key)}`);
    const topics = [TOPIC, ...(keys.length > 0 ? [QUOTES] : []), BLOCKS].join(',');
    return `token=${this.user}&topics=${topics}${keys.join('')}&recover=${encodeURIComponent(known.join(','))}`;
  }

  #answered({ rid, event, status, payload }: Answer): void {
    if (event === 'connected') {
      this.connected = true;
      this.#entered(payload, this.#brought);
      return;
    }
    const { pending } = this;
    this.pending = null;
    if (pending?.rid !== rid || status !== 'ok') {
      this.socket.faults.push(`answered ${rid} ${status} ${JSON.stringify(payload)}`);
      return;
    }
    for (const stream of pending.left) this.socket.exit(stream);
    if (pending.left.length === 0) this.#entered(payload, pending.after);
  }

  #entered(payload: Answer['payload'], after: Positions): void {
    const rows = [payload, ...(payload.topics ?? []).flatMap((row) => [row, row.public])];
    for (const row of rows)
      if (row?.stream !== undefined) this.socket.enter(row as Told, after.get(row.stream) ?? null);
  }
}

function handshakeOf(query: string) {
  const headers = { authorization: '', origin: null, protocols: '', forwardedFor: '', header: () => '' };
  return { path: '/ws', query, remoteAddress: '::1', ...headers };
}
