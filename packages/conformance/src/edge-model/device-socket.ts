import type { Position, Socket, StreamName } from '@ws-gateway/core';
import type { DeviceTransport } from './device-transport.js';
import { BLOCKS, quotesOf, QUOTES } from './scenario.js';

/** The position of a stream that a client is told when it subscribes. */
export interface Told extends Position {
  readonly stream: StreamName;
  readonly recovered?: boolean;
  readonly replayed?: number;
}

/** One stay in a stream, from the frame that tells of it to its end. */
export interface Stay {
  readonly told: Told;
  /** Position that the client brought; null: none. */
  readonly after: Position | null;
  readonly frames: { readonly offset: number; readonly id: string }[];
  over: boolean;
}

export interface Answer {
  readonly rid: number;
  readonly event: string;
  readonly status: string;
  readonly payload: { readonly topics?: readonly TopicRow[] } & Partial<Told>;
}

export type TopicRow = Partial<Told> & { readonly public?: Told };

interface Push {
  readonly event: string;
  readonly id: string;
  readonly key?: string;
  readonly stream?: StreamName;
  readonly epoch: string;
  readonly offset: number;
  readonly payload: { readonly blocked?: boolean };
}

interface Hooks {
  readonly answered: (answer: Answer) => void;
  readonly ended: (code: number, reason: string) => void;
  /** Transport of the device's node. */
  readonly transport: DeviceTransport;
}

/** The client's end of a socket. It notes what arrives, and what must not have arrived. */
export class DeviceSocket implements Socket {
  readonly stays: Stay[] = [];
  readonly faults: string[] = [];
  /** Close code; null: open. */
  code: number | null = null;
  readonly transport: DeviceTransport;
  readonly #hooks: Hooks;
  #blocked = false;

  constructor(hooks: Hooks) {
    this.#hooks = hooks;
    this.transport = hooks.transport;
  }

  send(frame: Uint8Array | string): 'sent' | 'closed' {
    if (this.code !== null) return 'closed';
    const message = JSON.parse(typeof frame === 'string' ? frame : Buffer.from(frame).toString()) as Answer & Push;
    if (this.#blocked) this.faults.push(`after the block's frame: ${JSON.stringify(message)}`);
    if (message.event === 'connected' || message.rid > 0) this.#hooks.answered(message);
    else if (message.event === BLOCKS) this.#blocked ||= message.payload.blocked === true;
    else this.#take(message);
    return 'sent';
  }

  cork(write: () => void): void {
    write();
  }

  bufferedBytes(): number {
    return 0;
  }

  join(group: string): void {
    this.transport.join(group, this);
  }

  leave(group: string): void {
    this.transport.leave(group, this);
  }

  /** The model's devices always answer. */
  probe(): void {}

  end(code: number, reason: string): void {
    this.gone(code);
    // The transport reports the end a turn of the loop later, too.
    setImmediate(() => this.#hooks.ended(code, reason));
  }

  gone(code: number): void {
    this.code = code;
    this.transport.forget(this);
  }

  stayIn(stream: StreamName): Stay | undefined {
    return this.stays.find(({ told, over }) => told.stream === stream && !over);
  }

  enter(told: Told, after: Position | null): void {
    const stay = this.stayIn(told.stream);
    // A client that names its position in a stream it is in begins anew there.
    if (stay !== undefined && after !== null) stay.over = true;
    if (stay === undefined || stay.over) this.stays.push({ told, after, frames: [], over: false });
    // A client that enters a room it is in is told where it stands.
    else if (told.offset !== positionIn(stay).offset) this.faults.push(`told ${JSON.stringify(told)} in the middle`);
  }

  exit(stream: StreamName): void {
    const stay = this.stayIn(stream);
    if (stay !== undefined) stay.over = true;
  }

  #take({ event, key, stream, epoch, offset, id }: Push): void {
    if ((event === QUOTES) !== (stream === quotesOf(key ?? ''))) this.faults.push(`${id} of ${stream} with key ${key}`);
    const stay = stream === undefined ? undefined : this.stayIn(stream);
    if (stay === undefined) this.faults.push(`${id} of ${String(stream)}, where the client is not`);
    else if (epoch !== stay.told.epoch) this.faults.push(`${id} of ${stay.told.stream} in another epoch`);
    else stay.frames.push({ offset, id });
  }
}

export function positionIn({ told, frames }: Stay): Position {
  return { epoch: told.epoch, offset: frames.at(-1)?.offset ?? told.offset };
}
