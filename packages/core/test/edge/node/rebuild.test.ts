import { ofNoRecord } from '../../../src/inbox.js';
import { describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { ConnectionTable } from '../../../src/edge/delivery/connection-table.js';
import { Connection, type Endpoint } from '../../../src/edge/delivery/connection.js';
import { Login } from '../../../src/edge/login.js';
import type { Interests } from '../../../src/edge/subscriptions/interests.js';
import { Rebuild } from '../../../src/edge/node/rebuild.js';
import type {
  AdmitResult,
  ContinuityLoss,
  Engine,
  HistoryPage,
  Identity,
  Logger,
  Position,
  RetainedStream,
  StreamMessage,
} from '../../../src/index.js';
import { EdgeStats } from '../../../src/stats.js';
import { topicPolicy } from '../../policies.js';
import { DeliveryUnderTest, RecordingSocket } from '../delivery/recording-sockets.js';

const PUBLIC = 'notifications/*';
const NEW_EPOCH = 'e2';
const silent: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silent,
};

function message(offset: number, seen = false, stream = PUBLIC, epoch = NEW_EPOCH): StreamMessage {
  const frame = Buffer.from(`new ${offset}`);
  return { stream, epoch, offset, recordTimeMs: 1, except: '', ...ofNoRecord, seen, frame };
}

const nothingMissed: ContinuityLoss = { reason: 'test', concerns: () => true, missed: () => false };
const missed: ContinuityLoss = { reason: 'test', concerns: () => true, missed: () => true };

/** The parts of an edge around Rebuild, with an engine whose answers a test gives. */
class Node {
  readonly connections = new ConnectionTable(new EdgeStats());
  readonly underTest = new DeliveryUnderTest();
  readonly delivery = this.underTest.delivery;
  readonly rebuild: Rebuild;
  readonly admitted: string[] = [];
  readonly told: string[] = [];
  /** Rows that the store still has. */
  readonly rows = new Set<string>();
  watch = async (): Promise<void> => undefined;
  top: (stream: string) => Position = () => ({ epoch: NEW_EPOCH, offset: 3 });
  read: (stream: string, after: Position) => Promise<HistoryPage> = async () => {
    throw new Error('nobody reads here');
  };

  constructor() {
    const admit = async ({ connection, streams }: { connection: string; streams: RetainedStream[] }) => {
      this.admitted.push(connection);
      const positions = streams.map(({ stream }) => this.top(stream));
      return { status: 'admitted', positions, renewed: this.rows.has(connection) } satisfies AdmitResult;
    };
    const read = ({ stream }: RetainedStream, after: Position) => this.read(stream, after);
    const { connections, delivery } = this;
    const engine = { admit, read } as unknown as Engine;
    const interests = { renew: () => this.watch() } as unknown as Interests;
    const { sender } = this.underTest;
    const presence = { connected: ({ id }: Connection) => void this.told.push(id) };
    const catchUp = { start: () => undefined };
    const deps = { engine, presence, connections, interests, delivery, catchUp, sender, logger: silent };
    this.rebuild = new Rebuild(deps, { sessions: null });
  }

  /** An open socket of a user, subscribed to a stream and up to date. */
  open(user: string, stream: string, { retained = true } = {}) {
    const socket = new RecordingSocket(this.underTest.transport);
    const identity = { user } as Identity;
    const endpoint = { path: '/ws', exclusive: null } as Endpoint;
    const origin = { endpoint, address: '127.0.0.1', agent: '', login: new Login(identity, '', 0), cameAtMs: 0 };
    const connection = new Connection(`c-${user}`, origin);
    connection.socket = socket;
    connection.state = 'open';
    const topic = topicPolicy('notifications', retained ? {} : { retention: null });
    const subscription = this.underTest.subscribe(connection, stream, topic);
    this.connections.add(connection);
    return { connection, socket, subscription };
  }

  deliver(...messages: StreamMessage[]): void {
    for (const one of messages) this.delivery.deliver(one);
    this.delivery.endBatch();
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

describe('rows written again after the engine lost its data', () => {
  // Live frames of a shared stream came with the node's row for it, before the sockets' turn: the first one moved each
  // subscription into the new epoch, and what had been published before the row was taken for delivered.
  it('sends what a shared stream got before the node watched it again, ahead of the live frames', async () => {
    const node = new Node();
    // The records 1 and 2 came before this row, 3 right behind it.
    node.watch = async () => node.deliver(message(3));
    node.read = async () => ({
      epoch: NEW_EPOCH,
      offset: 3,
      recovered: false,
      messages: [message(0.5, true), message(1), message(2), message(3)],
    });
    const { socket } = node.open('u1', PUBLIC);
    await node.rebuild.run(nothingMissed);
    expect(socket.frames).toEqual(['new 1', 'new 2', 'new 3']);
    node.deliver(message(4));
    expect(socket.frames.at(-1)).toBe('new 4');
    expect(socket.frames).toHaveLength(4);
  });
});

describe('messages that may not have come to a node', () => {
  const OWN = 'notifications/u/u1';

  // Every socket of the node was closed before anybody looked whether something was missing.
  it('close no socket whose history proves what followed, which it gets', async () => {
    const node = new Node();
    node.top = () => ({ epoch: 'e1', offset: 5 });
    node.read = async (stream, { offset }) => {
      const messages = [4, 5].filter((at) => at > offset).map((at) => message(at, false, stream, 'e1'));
      return { epoch: 'e1', offset: 5, recovered: true, messages };
    };
    const own = node.open('u1', OWN);
    node.deliver(message(3, false, OWN, 'e1'));
    const done = node.rebuild.run(missed);
    // From behind the hole, while the history is read.
    node.deliver(message(5, false, OWN, 'e1'));
    await done;
    expect(own.socket.frames).toEqual(['new 3', 'new 4', 'new 5']);
    node.deliver(message(6, false, OWN, 'e1'));
    expect(own.socket.frames.at(-1)).toBe('new 6');
    expect(own.socket.closed).toBeNull();
  });

  it('close with 4003 who has a stream without history, or one that proves nothing, and no one else', async () => {
    const node = new Node();
    node.top = (stream) => ({ epoch: 'e1', offset: stream.endsWith('lost') ? 50 : 0 });
    node.read = async (stream) => ({
      epoch: 'e1',
      offset: 50,
      recovered: false,
      messages: [message(50, false, stream)],
    });
    const whole = node.open('whole', 'notifications/u/whole');
    whole.subscription.epoch = 'e1';
    const lost = node.open('lost', 'notifications/u/lost');
    lost.subscription.epoch = 'e1';
    const room = node.open('room', 'room/r1', { retained: false });
    await node.rebuild.run(missed);
    // A position behind the hole would hide it from the client that comes back.
    node.deliver(message(51, false, 'notifications/u/lost', 'e1'));
    await until(() => lost.socket.closed !== null && room.socket.closed !== null);
    expect([whole.socket.closed, lost.socket.closed, room.socket.closed]).toEqual([null, 4003, 4003]);
    expect(lost.socket.frames).toEqual([]);
  });

  // All sockets that had what the old master alone had seen were closed, and got the whole history again when they came back.
  it('close nobody who is ahead of the older data that came back, and who gets what begins the next epoch', async () => {
    const node = new Node();
    node.top = () => ({ epoch: 'e1', offset: 21 });
    node.read = async () => ({ epoch: 'e1', offset: 21, recovered: false, messages: [] });
    const own = node.open('u1', OWN);
    node.deliver(message(36, false, OWN, 'e1'));
    await node.rebuild.run(missed);
    node.deliver(message(22, true, OWN, NEW_EPOCH), message(23, false, OWN, NEW_EPOCH));
    expect(own.socket.frames).toEqual(['new 36', 'new 23']);
    expect(own.socket.closed).toBeNull();
  });

  it('close nobody when the epoch that began since the loss is whole, of which the rest is sent', async () => {
    const node = new Node();
    node.top = () => ({ epoch: NEW_EPOCH, offset: 2 });
    const messages = [message(1, true, OWN), message(2, false, OWN)];
    node.read = async () => ({ epoch: NEW_EPOCH, offset: 2, recovered: false, messages });
    const own = node.open('u1', OWN);
    node.deliver(message(36, false, OWN, 'e1'));
    await node.rebuild.run(missed);
    expect(own.socket.frames).toEqual(['new 36', 'new 2']);
    expect(own.socket.closed).toBeNull();
  });

  it('concern the streams of their place alone', async () => {
    const node = new Node();
    const loss = {
      reason: 'test',
      concerns: (place: string) => place === 'u1',
      missed: (place: string) => place === 'u1',
    };
    const near = node.open('u1', OWN, { retained: false });
    const far = node.open('u2', 'notifications/u/u2', { retained: false });
    await node.rebuild.run(loss);
    await until(() => near.socket.closed !== null);
    expect([near.socket.closed, far.socket.closed, node.admitted]).toEqual([4003, null, ['c-u1']]);
  });

  it('are closed for over seconds when they are many', async () => {
    const node = new Node();
    const crowd = Array.from({ length: 200 }, (_, i) => node.open(`u${i}`, 'room/r1', { retained: false }));
    await node.rebuild.run(missed);
    const closed = () => crowd.filter((one) => one.socket.closed !== null).length;
    await until(() => closed() > 0);
    expect(closed()).toBeLessThan(20);
    await until(() => closed() === crowd.length);
  }, 20_000);

  // The reaper told that its connections expired, and when it woke up it told that they disconnected: whoever counts got
  // below zero.
  it('at a node that was taken for dead are told to be connected again, but for those whose row was still there', async () => {
    const node = new Node();
    node.top = () => ({ epoch: '', offset: 0 });
    node.open('kept', 'notifications/u/kept');
    node.open('reaped', 'notifications/u/reaped');
    node.rows.add('c-kept');
    await node.rebuild.run(nothingMissed);
    expect(node.told).toEqual([]);
    await node.rebuild.run({ ...nothingMissed, reaped: true });
    expect(node.told).toEqual(['c-reaped']);
  });

  it('are looked for again when a second loss comes while the first is repaired', async () => {
    const node = new Node();
    let top = 2;
    node.top = () => ({ epoch: 'e1', offset: top });
    const reads: number[] = [];
    node.read = async (stream, { offset }) => {
      reads.push(offset);
      const page = { epoch: 'e1', offset: top, recovered: true };
      const messages = [1, 2, 3, 4]
        .filter((at) => at > offset && at <= top)
        .map((at) => message(at, false, stream, 'e1'));
      // 3 was dropped on its way, 4 is the first behind the hole.
      if (reads.length === 1) {
        top = 4;
        void node.rebuild.run(missed);
        node.deliver(message(4, false, stream, 'e1'));
      }
      return { ...page, messages };
    };
    const own = node.open('u1', OWN);
    node.deliver(message(1, false, OWN, 'e1'));
    await node.rebuild.run(missed);
    expect(own.socket.frames).toEqual(['new 1', 'new 2', 'new 3', 'new 4']);
    expect([reads, own.socket.closed]).toEqual([[1, 1], null]);
  });
});
