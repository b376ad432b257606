import { describe, expect, it } from '@jest/globals';
import { EngineStats } from '@ws-gateway/core';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { BatchQueue } from '../src/batch-queue.js';
import { newInbox, type InboxState } from '../src/inbox-state.js';
import { RecentRecords } from '../src/recent-records.js';
import { silent } from './harness.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function texts(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => String(from + i));
}

function createQueue(bytesMax = 1_000_000) {
  const inbox = new RecordingInbox();
  const stats = new EngineStats();
  const swallowed: string[] = [];
  const listener = {
    lost: (key: string) => void inbox.events.push(`lost:${key}`),
    swallowed: (key: string) => void swallowed.push(key),
  };
  const parts = { inbox, recent: new RecentRecords(), stats, logger: silent };
  const queue = new BatchQueue(parts, { listener, bytesMax });
  const state = newInbox({ key: 'in:a', log: null });
  let number = 0;
  const add = (bodies: readonly string[], { lost = 0, to = state }: { lost?: number; to?: InboxState } = {}) => {
    const messages = bodies.flatMap((text) => [Buffer.from('m\tt/u/u1\t1\t'), Buffer.from(text)]);
    const bytes = messages.reduce((sum, part) => sum + part.length, 0);
    queue.add({ inbox: to, number: ++number, server: 7, parts: messages, bytes, lost });
  };
  return { inbox, stats, queue, state, add, swallowed };
}

/** Numbers of messages that came in each turn of the loop until all that wait have come. */
async function portionsOf({ inbox, stats }: { inbox: RecordingInbox; stats: EngineStats }): Promise<number[]> {
  const portions = [inbox.messages.length];
  while (stats.inboxWaitingMessages > 0) {
    await turn();
    portions.push(inbox.messages.length);
  }
  return portions.map((count, at) => count - (portions[at - 1] ?? 0)).filter((count) => count > 0);
}

describe('batch queue', () => {
  it('hands little over at once', () => {
    const { inbox, queue, add, state } = createQueue();
    add(texts(0, 8));
    queue.handOver();
    queue.flush();
    expect(inbox.events).toEqual([...texts(0, 8).map((text) => `message:${text}`), 'end']);
    expect(state.processed).toBe(1);
  });

  // All batches of an answer were handed over in one turn: a record for 5,000 users held each handshake.
  it('hands much over in portions of 128 messages, one in a turn of the loop, in order, and flushes each', async () => {
    const { inbox, queue, add, stats } = createQueue();
    for (let at = 0; at < 1000; at += 40) add(texts(at, at + 40));
    queue.handOver();
    queue.flush();
    expect(await portionsOf({ inbox, stats })).toEqual([128, 128, 128, 128, 128, 128, 128, 104]);
    expect(inbox.texts()).toEqual(texts(0, 1000));
    expect(inbox.batches).toBe(8);
  });

  it('gives a turn of the loop no more when what comes in it is many small batches', async () => {
    const { inbox, queue, add, stats } = createQueue();
    for (let at = 0; at < 300; at += 2) {
      add(texts(at, at + 2));
      queue.handOver();
    }
    expect(await portionsOf({ inbox, stats })).toEqual([128, 128, 44]);
    expect(inbox.texts()).toEqual(texts(0, 300));
  });

  it('hands the next small batch over at once however many have come in turns before', async () => {
    const { inbox, queue, add } = createQueue();
    for (let at = 0; at < 300; at++) {
      add(texts(at, at + 1));
      queue.handOver();
      expect(inbox.messages).toHaveLength(at + 1);
      await turn();
    }
  });

  it('ends a portion of large messages by their bytes', async () => {
    const { inbox, queue, add, stats } = createQueue(10_000_000);
    add(Array.from({ length: 12 }, () => 'x'.repeat(200_000)));
    queue.handOver();
    expect(await portionsOf({ inbox, stats })).toEqual([2, 2, 2, 2, 2, 2]);
  });

  it('counts a batch and its bytes when all of it was handed over', async () => {
    const { queue, add, state, stats, swallowed } = createQueue(4000);
    add(texts(0, 100));
    add(texts(100, 300));
    queue.handOver();
    expect([state.processed, stats.inboxWaitingMessages]).toEqual([1, 200]);
    const { bytesRead } = state;
    expect(swallowed).toEqual(['in:a']);
    await portionsOf({ inbox: new RecordingInbox(), stats });
    expect(state.processed).toBe(2);
    expect(state.bytesRead).toBeGreaterThan(2 * bytesRead);
  });

  it('tells of lost batches behind what was before them and before what is behind them', async () => {
    const { inbox, queue, add, stats } = createQueue();
    add(texts(0, 200));
    add(['behind'], { lost: 3 });
    queue.handOver();
    await portionsOf({ inbox, stats });
    expect(inbox.events.filter((event) => event !== 'end').slice(-3)).toEqual([
      'message:199',
      'lost:in:a',
      'message:behind',
    ]);
    expect(stats.gapRepairs.values.get('lost')).toBe(1);
  });

  it('says while much waits that more had better stay where it is, and then calls whoever was told so once', async () => {
    const { queue, add, stats } = createQueue();
    let calls = 0;
    const read = () => void calls++;
    for (let at = 0; at < 20; at++) add(texts(0, 100));
    queue.handOver();
    expect(queue.isFull).toBe(true);
    queue.whenRoom(read);
    queue.whenRoom(read);
    expect(stats.inboxReadsPutOff).toBe(1);
    while (queue.isFull) {
      expect(calls).toBe(0);
      await turn();
    }
    await portionsOf({ inbox: new RecordingInbox(), stats });
    expect(calls).toBe(1);
  });

  it('can be asked for all that waits, and hands nothing over once it is cleared', async () => {
    const { inbox, queue, add, stats } = createQueue();
    add(texts(0, 500));
    queue.handOver();
    queue.handOverAll();
    expect(inbox.texts()).toEqual(texts(0, 500));
    add(texts(500, 1000));
    queue.handOver();
    queue.clear();
    const { length } = inbox.events;
    await turn();
    await turn();
    expect(inbox.events).toHaveLength(length);
    expect(stats.inboxWaitingMessages).toBe(0);
  });
});
