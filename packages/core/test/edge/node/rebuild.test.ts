import { describe, expect, it } from '@jest/globals';
import { ConnectionTable } from '../../../src/edge/delivery/connection-table.js';
import type { Interests } from '../../../src/edge/subscriptions/interests.js';
import { Rebuild } from '../../../src/edge/node/rebuild.js';
import type { AdmitResult, Engine, HistoryPage, Logger } from '../../../src/index.js';
import { DeliveryUnderTest } from '../delivery/recording-sockets.js';

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
    const connections = new ConnectionTable();
    const underTest = new DeliveryUnderTest();
    const { delivery, sender } = underTest;
    const { connection, socket } = underTest.subscriber(PUBLIC);
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

    connections.add(connection);
    await new Rebuild({ engine, connections, interests, delivery, sender, logger: silent }).run();
    expect(socket.frames).toEqual(['new 1', 'new 2', 'new 3']);
    delivery.deliver(message(4));
    delivery.endBatch();
    expect(socket.frames.at(-1)).toBe('new 4');
    expect(socket.frames).toHaveLength(4);
  });
});
