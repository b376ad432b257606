import type { Connection, NativeSubscribers, Subscription } from './connection.js';
import { FanOutScheduler } from './fan-out-scheduler.js';
import { Outboxes } from './outboxes.js';

/**
 * The rule of everything that waits for a socket: **what is older leaves first.** A frame may wait in three places: the
 * outbox of its socket (for the end of the batch), the frames of a fan-out group (for the group's turn), the slow queue of
 * its socket (for the socket). What goes past one of them would overtake, so each way to a socket begins here:
 *
 * - `add`, a frame for one socket: the socket's groups get what waits for them, then the frame goes into the outbox, or
 *   into the slow queue as long as there is one;
 * - `publish`, a frame for groups: all outboxes are emptied before;
 * - `join` and `leave`: the group gets what waits for it before a socket comes or goes;
 * - `lag`: what waits in the slow queue already leaves before what the stream's backlog gets (see SlowQueue);
 * - `settle`, before the end of a socket: its outbox is emptied, then its groups get what waits for them.
 */
export class WaitingFrames {
  readonly #outboxes: Outboxes;
  readonly #groups = new FanOutScheduler();

  /** `onSent` is called behind each write to a single socket. */
  constructor(onSent: (connection: Connection) => void) {
    this.#outboxes = new Outboxes(onSent);
  }

  /** False while the socket has a slow queue: then the frame belongs in there. */
  add(connection: Connection, frame: Uint8Array): boolean {
    this.#groups.settleFor(connection);
    if (connection.slowQueue !== null) return false;
    this.#outboxes.add(connection, frame);
    return true;
  }

  /** False when nobody is left to publish to: emptying an outbox may close sockets. */
  publish(native: NativeSubscribers, frame: Uint8Array): boolean {
    this.#outboxes.flushAll();
    if (native.members.length === 0) return false;
    this.#groups.publish(native, frame);
    return true;
  }

  /** Moves the subscription of an open socket from single service to native fan-out. */
  join(subscription: Subscription, native: NativeSubscribers): void {
    const socket = subscription.connection.socket!;
    const group = native.groupWithRoom(socket.transport);
    this.#groups.settle(native, group);
    subscription.localStream.remove(subscription);
    native.add(subscription, group);
    socket.join(group.name);
  }

  /** Moves the subscription of a slow socket from single service to the backlog of its stream. */
  lag(subscription: Subscription): void {
    const { localStream, connection, policy } = subscription;
    localStream.remove(subscription);
    connection.slowQueue!.follow(policy, localStream.obtainBacklog().add(subscription));
  }

  /** Moves a subscription that is served with others to single service, at the position where its stream is. */
  serveSingly(subscription: Subscription): void {
    const { localStream } = subscription;
    this.leave(subscription);
    subscription.epoch = localStream.epoch;
    subscription.offset = localStream.offset;
    localStream.addDirect(subscription);
  }

  /** Out of its stream, whoever served it. */
  leave(subscription: Subscription): void {
    const { localStream, connection, group } = subscription;
    if (group !== null) {
      this.#groups.settle(localStream.native!, group);
      connection.socket?.leave(group.name);
    }
    localStream.remove(subscription);
  }

  settle(connection: Connection): void {
    this.#outboxes.send(connection);
    this.#groups.settleFor(connection);
  }

  /** Sends what one socket has in its outbox. */
  flushOne(connection: Connection): void {
    this.#outboxes.send(connection);
  }

  /** Sends what was collected for single sockets. */
  flush(): void {
    this.#outboxes.flush();
  }

  /** Begins the groups' turns, if they are not under way. */
  beginTurns(): void {
    this.#groups.begin();
  }
}
