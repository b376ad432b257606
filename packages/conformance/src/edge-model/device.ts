import type { Position, StreamName } from '@ws-gateway/core';
import type { Clock } from './clock.js';
import { DeviceSocket, positionIn, type Answer, type Told } from './device-socket.js';
import type { ModelNode } from './model-node.js';
import { BLOCKS, ROOM, streamsOf, TOPIC, type User } from './scenario.js';

export type Command = 'subscribe' | 'unsubscribe' | 'enter' | 'leave';
export type Positions = ReadonlyMap<StreamName, Position>;

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
  pending: { readonly rid: number; readonly command: Command; readonly after: Positions } | null = null;
  readonly #brought: Positions;
  readonly #clock: Clock;
  #connection: object | null = null;
  #rid = 0;

  constructor({ node, user, clock }: { node: ModelNode; user: User; clock: Clock }, brought: Positions) {
    this.node = node;
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

  request(command: Command): void {
    const rid = ++this.#rid;
    const { own, room } = streamsOf(this.user);
    const asked = command === 'subscribe' ? own : room;
    const at = this.positions().get(asked);
    this.pending = { rid, command, after: new Map(at === undefined ? [] : [[asked, at]]) };
    const isRoom = command === 'enter' || command === 'leave';
    const options = isRoom ? { room: ROOM, ...at } : { topics: [{ topic: TOPIC, ...at }] };
    this.node.edge.message(
      this.#connection!,
      new TextEncoder().encode(JSON.stringify({ rid, command, options })).buffer,
    );
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
    const places = [own, everybody].map((stream) => [stream, this.#brought.get(stream)] as const);
    const known = places.flatMap(([stream, at]) => (at === undefined ? [] : [`${stream}:${at.epoch}:${at.offset}`]));
    return `token=${this.user}&topics=${TOPIC},${BLOCKS}&recover=${encodeURIComponent(known.join(','))}`;
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
    const { own, public: everybody, room } = streamsOf(this.user);
    if (pending.command === 'leave') this.socket.exit(room);
    else if (pending.command === 'unsubscribe') for (const stream of [own, everybody]) this.socket.exit(stream);
    else this.#entered(payload, pending.after);
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
