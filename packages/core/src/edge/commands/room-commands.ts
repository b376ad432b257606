import { own } from '../../json.js';
import { isName } from '../../names.js';
import { hubRoomStream, roomStream, type Position } from '../../streams.js';
import type { StreamPolicy } from '../../stream-policy.js';
import type { Connection, SubscribeRequest, Subscription } from '../delivery/connection.js';
import type { Subscriber } from '../subscriptions/subscriber.js';
import { ok, type CommandHandlers, type Outcome } from './outcome.js';
import { RefusalError, requireAtMost } from '../refusals.js';
import { positionOf, type ClientRequest } from './client-request.js';

export interface RoomOptions {
  readonly policy: StreamPolicy;
  readonly roomsPerConnection: number;
}

/** `enter` and `leave`, as commands and as bare frames (`{"action":"enter","room":"…"}`). */
export class RoomCommands {
  readonly #subscriber: Subscriber;
  readonly #options: RoomOptions;

  constructor(subscriber: Subscriber, options: RoomOptions) {
    this.#subscriber = subscriber;
    this.#options = options;
  }

  get handlers(): CommandHandlers {
    return {
      enter: (connection, request) => this.#enter(connection, request),
      leave: (connection, request) => this.#leave(connection, request),
    };
  }

  async #enter(connection: Connection, request: ClientRequest): Promise<Outcome> {
    const room = requireRoom(connection, own(request.options, 'room'));
    const after = positionOf(request.options);
    const standing = placesIn(connection, room);
    if (standing.length > 0 && after === null) {
      const [part] = await this.#subscriber.standing(standing);
      return ok({ room, ...this.#subscriber.describeStream(part!) });
    }
    if (standing.length === 0) {
      requireAtMost(this.#options.roomsPerConnection, 'rooms', connection.namesOf('room').size + 1);
    }
    const pending = await this.#subscriber.begin(connection, this.#requests(connection, room, after), standing);
    await this.#subscriber.readOpen(pending);
    // What was said within the hub is not kept, so nothing proves that none of it was missed.
    if (connection.endpoint.hub !== null && pending[0]!.recovered === true) pending[0]!.recovered = false;
    return ok({ room, ...this.#subscriber.describeStream(pending[0]!) }, () => this.#subscriber.complete(pending));
  }

  #leave(connection: Connection, request: ClientRequest): Outcome {
    const room = requireName(own(request.options, 'room'));
    for (const subscription of placesIn(connection, room)) this.#subscriber.leave(subscription);
    return ok({ room });
  }

  /** A member of a hub is in the room twice: as everybody is, and for what is said within the hub only. */
  #requests(connection: Connection, room: string, after: Position | null): SubscribeRequest[] {
    const { policy } = this.#options;
    const target = { kind: 'room', name: room, shared: true } as const;
    const everybody: SubscribeRequest = { ...target, policy, stream: roomStream(room), after };
    const { hub } = connection.endpoint;
    if (hub === null) return [everybody];
    const withinHub = {
      ...target,
      policy: { ...policy, retention: null },
      stream: hubRoomStream(hub, room),
      after: null,
    };
    return [everybody, withinHub];
  }
}

/** Throws RefusalError: the name, and whether this connection may have to do with the room. */
export function requireRoom(connection: Connection, name: unknown): string {
  const room = requireName(name);
  if (connection.login.allowsRoom(room)) return room;
  const why = connection.user === null ? 'guests cannot enter rooms' : `room ${room} is not allowed by the token`;
  throw new RefusalError('room_forbidden', why);
}

export function requireName(name: unknown): string {
  if (typeof name === 'string' && isName(name)) return name;
  throw new RefusalError('bad_request', 'room: 1 to 128 characters of A-Z a-z 0-9 . _ -');
}

function placesIn(connection: Connection, room: string): Subscription[] {
  return connection.subscriptions.filter(({ kind, name }) => kind === 'room' && name === room);
}
