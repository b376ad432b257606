import { describe, expect, it } from '@jest/globals';
import { LocalStreamTable } from '../../../src/edge/delivery/local-streams.js';
import { ConnectionTable } from '../../../src/edge/delivery/connection-table.js';
import { Connection, Subscription } from '../../../src/edge/delivery/connection.js';
import { Delivery } from '../../../src/edge/delivery/delivery.js';
import type { Interests } from '../../../src/edge/subscriptions/interests.js';
import { Rebuild } from '../../../src/edge/node/rebuild.js';
import { Sender } from '../../../src/edge/delivery/sender.js';
import { EdgeStats, type AdmitResult, type Engine, type HistoryPage, type Logger } from '../../../src/index.js';
import { topicPolicy } from '../../policies.js';
import { FanOutScheduler } from '../../../src/edge/delivery/fan-out-groups.js';

const PUBLIC = 'notifications/*';
const NEW_EPOCH = 'e2';
const silent: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silent,
};

function message(offset: number, seen = false) {
  const frame = Buffer.from(`new ${offset}`);
  return { stream: PUBLIC, epoch: NEW_EPOCH, offset, recordTimeMs: 1, except: '', seen, frame };
}

describe('rows written again after the engine lost its data', () => {
  // Live frames of a shared stream came with the node's row for it, before the sockets' turn: the first one moved each
  // subscription into the new epoch, and what had been published before the row was taken for delivered.
  it('sends what a shared stream got before the node watched it again, ahead of the live frames', async () => {
    const stats = new EdgeStats();
    const localStreams = new LocalStreamTable();
    const connections = new ConnectionTable();
    const scheduler = new FanOutScheduler({ publish: () => undefined });
    const sender = new Sender({ stats, scheduler }, { answerQueueBytes: 1000 });
    const delivery = new Delivery({ localStreams, sender, scheduler, stats });
    const watch = async (): Promise<void> => {
      // The records 1 and 2 came before this row, 3 right behind it.
      delivery.deliver(message(3));
      delivery.endBatch();
    };
    const admit = async (): Promise<AdmitResult> => ({
      status: 'admitted',
      positions: [{ epoch: NEW_EPOCH, offset: 3 }],
    });
    const read = async (): Promise<HistoryPage> => ({
      epoch: NEW_EPOCH,
      offset: 3,
      recovered: false,
      messages: [message(0.5, true), message(1), message(2), message(3)],
    });
    const engine = { admit, read } as unknown as Engine;
    const interests = { renew: watch } as unknown as Interests;

    const sent: string[] = [];
    const connection = new Connection('c1', {
      endpoint: { path: '/ws', guests: false, hub: null, pipe: null },
      address: '127.0.0.1',
      authorization: '',
      identity: null,
      sinceMs: 0,
    });
    connection.socket = {
      send: (frame) => (sent.push(Buffer.from(frame as Uint8Array).toString()), 'sent'),
      cork: (write) => write(),
      bufferedBytes: () => 0,
      join: () => undefined,
      leave: () => undefined,
      end: () => undefined,
    };
    connection.state = 'open';
    connections.add(connection);
    const policy = topicPolicy('notifications');
    const target = { kind: 'topic', name: 'notifications', policy } as const;
    const subscription = new Subscription(connection, localStreams.obtain(PUBLIC, true), target);
    subscription.localStream.addDirect(subscription);
    connection.subscriptions.push(subscription);
    delivery.release(subscription, []);

    await new Rebuild({ engine, connections, interests, delivery, sender, logger: silent }).run();
    expect(sent).toEqual(['new 1', 'new 2', 'new 3']);
    delivery.deliver(message(4));
    delivery.endBatch();
    expect(sent.at(-1)).toBe('new 4');
    expect(sent).toHaveLength(4);
  });
});
