import { expect } from '@jest/globals';
import type { DecidedMessage, PublishItem, TakeNote, Ticket } from '@ws-gateway/core';
import { waitFor } from '@ws-gateway/testkit';
import {
  admit,
  ordered,
  sourced,
  topic,
  userItem,
  type ConformanceTests,
  type Fixture,
  type TestNode,
  unsourced,
} from './fixture.js';
import type { RecordedMessage } from './recording-inbox.js';

const OFFLINE_AFTER_MS = 400;
const ACK_TIMEOUT_MS = 800;
const none = { heard: 0, taken: 0, waiting: 0, dropped: 0 } as const;

function ticket(about: string, more: Partial<Ticket> = {}): Ticket {
  return { offlineAfterMs: OFFLINE_AFTER_MS, ackTimeoutMs: 0, endsAtMs: 0, about, ...more };
}

function tracked(user: string, about: string, more: Partial<Ticket> = {}): PublishItem {
  return { ...userItem(user, about), ticket: ticket(about, more) } as PublishItem;
}

/** A note about what arrived. */
function noteOf({ stream, source, sourceOffset }: RecordedMessage, counts: Partial<TakeNote>): TakeNote {
  return { user: stream.split('/').at(-1)!, stream, source, sourceOffset, ...none, ...counts };
}

async function arrived({ inbox }: TestNode, text: string): Promise<RecordedMessage> {
  await inbox.waitFor(() => inbox.messages.some((message) => message.text === text), text);
  return inbox.messages.find((message) => message.text === text)!;
}

/** Everything that is decided, read page by page as a node does. */
class Reader {
  readonly decided: DecidedMessage[] = [];
  readonly #node: TestNode;
  readonly #receipts = new Map<number, string>();

  constructor(node: TestNode) {
    this.#node = node;
  }

  get told(): string[] {
    return this.decided.map(({ about, outcome, connections }) => `${about} ${outcome} ${connections}`);
  }

  async read(): Promise<number> {
    const { engine } = this.#node;
    let pending = 0;
    for (let part = 0; part < engine.outcomes.parts; part++) {
      const page = await engine.outcomes.page(part, this.#receipts.get(part) ?? null);
      if (page === null) continue;
      this.#receipts.set(part, page.receipt);
      this.decided.push(...page.messages);
      pending += page.pending;
    }
    return pending;
  }

  /** Resolves when so many are decided. */
  async waitFor(count: number, fixture: Fixture): Promise<void> {
    const deadlineMs = performance.now() + 20_000;
    for (await this.read(); this.decided.length < count; await this.read()) {
      if (performance.now() > deadlineMs) throw new Error(`decided so far: ${this.told.join(', ')}`);
      await fixture.harness.elapse(100);
    }
  }
}

export const outcomes: ConformanceTests = {
  'decides once that a message was delivered, when every node that was handed it has said so': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await node.engine.publish(sourced(-1, [[5, tracked('u1', 'a')]]));
    const note = noteOf(await arrived(node, 'a'), { heard: 1, taken: 2 });
    await node.engine.outcomes.note([note]);
    await node.engine.outcomes.note([note]);
    const reader = new Reader(node);
    await reader.waitFor(1, fixture);
    await fixture.harness.elapse(2 * OFFLINE_AFTER_MS);
    expect(await reader.read()).toBe(0);
    expect(reader.told).toEqual(['a delivered 2']);
  },

  'decides that nobody was there when no connection has taken a message in time': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await node.engine.publish(
      sourced(-1, [
        [1, tracked('nobody', 'a')],
        [2, tracked('u1', 'b')],
      ]),
    );
    await node.engine.outcomes.note([noteOf(await arrived(node, 'b'), { heard: 1 })]);
    const reader = new Reader(node);
    expect(await reader.read()).toBe(2);
    expect(reader.told).toEqual([]);
    await reader.waitFor(2, fixture);
    expect(reader.told.sort()).toEqual(['a offline 0', 'b offline 0']);
    // Who comes later changes nothing.
    await node.engine.outcomes.note([noteOf(await arrived(node, 'b'), { taken: 1 })]);
    expect(await reader.read()).toBe(0);
    expect(reader.told).toHaveLength(2);
  },

  // Redis sorted what was due at the same moment by its text: record 100 was told before record 99.
  'tells what became of a user’s messages in the order of their records': async (fixture) => {
    const node = await fixture.node();
    const offsets = [8, 9, 10, 11, 99, 100, 101];
    await node.engine.publish(
      sourced(
        -1,
        offsets.map((offset) => [offset, tracked('nobody', String(offset))]),
      ),
    );
    const reader = new Reader(node);
    await reader.waitFor(offsets.length, fixture);
    expect(reader.decided.map(({ about }) => Number(about))).toEqual(offsets);
  },

  'lets a connection that came in time, and read the message in the history, count': async (fixture) => {
    const node = await fixture.node();
    await node.engine.publish(sourced(-1, [[1, tracked('u1', 'a')]]));
    const stream = { stream: `${topic}/u/u1`, retention: ordered, user: 'u1' };
    const [message] = (await node.engine.read(stream, null, 10)).messages;
    expect(message!.acceptedMs).toBeGreaterThan(0);
    const { source, sourceOffset } = message!;
    await node.engine.outcomes.note([{ user: 'u1', stream: stream.stream, source, sourceOffset, ...none, taken: 1 }]);
    const reader = new Reader(node);
    await reader.waitFor(1, fixture);
    expect(reader.told).toEqual(['a delivered 1']);
  },

  'covers by an acknowledgement all that lies below it, and calls the rest unacknowledged': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    const waiting = { ackTimeoutMs: ACK_TIMEOUT_MS };
    const items = ['a', 'b', 'c'].map((about, at) => [at, tracked('u1', about, waiting)] as const);
    await node.engine.publish(sourced(-1, items));
    await arrived(node, 'c');
    await node.engine.outcomes.note(node.inbox.messages.map((message) => noteOf(message, { heard: 1, taken: 1 })));
    await node.engine.acknowledge({ stream: `${topic}/u/u1`, retention: ordered, user: 'u1' }, 2);
    const reader = new Reader(node);
    await reader.read();
    expect(reader.told).toEqual(['a acked 1', 'b acked 1']);
    await reader.waitFor(3, fixture);
    expect(reader.told[2]).toBe('c unacked 1');
  },

  'counts what the queues of all its takers gave up as dropped, and only that': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await node.engine.publish(
      sourced(-1, [
        [1, tracked('u1', 'a')],
        [2, tracked('u1', 'b')],
      ]),
    );
    const [a, b] = [await arrived(node, 'a'), await arrived(node, 'b')];
    const reader = new Reader(node);
    await node.engine.outcomes.note([a, b].map((message) => noteOf(message, { heard: 1, taken: 2, waiting: 2 })));
    await node.engine.outcomes.note([a, b].map((message) => noteOf(message, { waiting: -1, dropped: 1 })));
    await fixture.harness.elapse(2 * OFFLINE_AFTER_MS);
    expect(await reader.read()).toBe(2);
    await node.engine.outcomes.note([noteOf(a, { waiting: -1, dropped: 1 }), noteOf(b, { waiting: -1 })]);
    await reader.read();
    expect(reader.told.sort()).toEqual(['a dropped 2', 'b delivered 2']);
  },

  'calls nothing dropped for as long as another connection may take it': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    // As long as a slow machine may take for what is done meanwhile.
    const patient = { offlineAfterMs: 5000 };
    await node.engine.publish(
      sourced(-1, [
        [1, tracked('u1', 'a', patient)],
        [2, tracked('u1', 'b', patient)],
      ]),
    );
    const messages = [await arrived(node, 'a'), await arrived(node, 'b')];
    const note = (counts: Partial<TakeNote>, which = messages): Promise<void> =>
      node.engine.outcomes.note(which.map((message) => noteOf(message, counts)));
    await note({ heard: 1, taken: 1, waiting: 1 });
    await note({ waiting: -1, dropped: 1 });
    const reader = new Reader(node);
    expect([await reader.read(), reader.told]).toEqual([2, []]);
    // It had been reading the history.
    await note({ taken: 1 }, messages.slice(0, 1));
    await reader.waitFor(2, fixture);
    expect(reader.told.sort()).toEqual(['a delivered 2', 'b dropped 1']);
  },

  'calls dropped what was given up, also where the client acknowledges what came behind it': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    const waiting = { ackTimeoutMs: 60_000, offlineAfterMs: 1000 };
    const items = ['a', 'b', 'c'].map((about, at) => [at, tracked('u1', about, waiting)] as const);
    await node.engine.publish(sourced(-1, items));
    await arrived(node, 'c');
    const given = node.inbox.messages.slice(0, 2).map((message) => noteOf(message, { heard: 1, taken: 1, dropped: 1 }));
    const taken = node.inbox.messages.slice(2).map((message) => noteOf(message, { heard: 1, taken: 1 }));
    await node.engine.outcomes.note([...given, ...taken]);
    const reader = new Reader(node);
    // Long before the time for an acknowledgement is over.
    await reader.waitFor(2, fixture);
    expect(reader.told).toEqual(['a dropped 1', 'b dropped 1']);
    await node.engine.publish(sourced(2, [[3, tracked('u1', 'd', waiting)]]));
    await node.engine.outcomes.note([noteOf(await arrived(node, 'd'), { heard: 1, taken: 1, dropped: 1 })]);
    await node.engine.acknowledge({ stream: `${topic}/u/u1`, retention: ordered, user: 'u1' }, 4);
    await reader.waitFor(4, fixture);
    expect(reader.told.slice(2)).toEqual(['c acked 1', 'd dropped 1']);
  },

  'tells what was too old from what found nobody': async (fixture) => {
    const node = await fixture.node();
    const old: PublishItem = {
      kind: 'expired',
      topic,
      user: 'u1',
      ticket: ticket('a'),
      head: '',
      sourceOffset: 1,
      recordTimeMs: 1234,
    };
    await node.engine.publish(
      sourced(-1, [
        [1, old],
        [2, tracked('u2', 'b', { endsAtMs: 1 })],
      ]),
    );
    const reader = new Reader(node);
    await reader.waitFor(2, fixture);
    expect(reader.told.sort()).toEqual(['a expired 0', 'b expired 0']);
  },

  'delivers a message that no record says, and has no outcome for it': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await node.engine.publish(unsourced(tracked('u1', 'a'), tracked('nobody', 'b')));
    await arrived(node, 'a');
    expect(await new Reader(node).read()).toBe(0);
  },

  'lets no acknowledgement of what comes behind the erasure of a user count for what was before': async (fixture) => {
    const node = await fixture.node();
    const waiting = { ackTimeoutMs: ACK_TIMEOUT_MS };
    const stream = { stream: `${topic}/u/u1`, retention: ordered, user: 'u1' };
    await node.engine.publish(sourced(-1, [[1, tracked('u1', 'a', waiting)]]));
    await node.engine.erase('u1', [stream]);
    await node.engine.publish(sourced(1, [[2, tracked('u1', 'b', waiting)]]));
    await node.engine.acknowledge(stream, 1);
    const reader = new Reader(node);
    await reader.waitFor(2, fixture);
    expect(reader.told).toEqual(['b acked 1', 'a offline 0']);
  },

  'keeps what is decided until it is confirmed': async (fixture) => {
    const node = await fixture.node();
    await node.engine.publish(sourced(-1, [[1, tracked('u1', 'a', { endsAtMs: 1 })]]));
    const pages = async (receipts: ReadonlyMap<number, string>) => {
      const parts = Array.from({ length: node.engine.outcomes.parts }, (_, part) => part);
      return Promise.all(parts.map((part) => node.engine.outcomes.page(part, receipts.get(part) ?? null)));
    };
    await waitFor(async () => (await pages(new Map())).some((page) => page!.messages.length === 1), {
      what: 'the outcome',
    });
    const again = await pages(new Map());
    expect(again.flatMap((page) => page!.messages.map(({ about }) => about))).toEqual(['a']);
    const receipts = new Map(again.map((page, part) => [part, page!.receipt]));
    expect((await pages(receipts)).flatMap((page) => page!.messages)).toEqual([]);
    // A receipt counts once.
    await node.engine.publish(sourced(1, [[2, tracked('u1', 'b', { endsAtMs: 1 })]]));
    await waitFor(async () => (await pages(receipts)).some((page) => page!.messages.length === 1), {
      what: 'the second',
    });
    expect((await pages(receipts)).flatMap((page) => page!.messages.map(({ about }) => about))).toEqual(['b']);
  },
};
