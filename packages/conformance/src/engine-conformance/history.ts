import { expect } from '@jest/globals';
import type { HistoryPage, RetainedStream, Retention } from '@ws-gateway/core';
import {
  headOf,
  admit,
  channelItem,
  latest,
  ordered,
  topic,
  unsourced,
  userItem,
  type ConformanceTests,
  type TestNode,
} from './fixture.js';

const own = { stream: `${topic}/u/u1`, retention: ordered, user: 'u1' };

function texts({ messages }: HistoryPage): string[] {
  return messages.map(({ frame }) => (JSON.parse(Buffer.from(frame).toString()) as { text: string }).text);
}

/** Publishes the texts 1…count to u1. */
async function publish(
  { engine }: TestNode,
  count: number,
  { from = 1, retention = ordered as Retention } = {},
): Promise<void> {
  for (let i = from; i < from + count; i++) await engine.publish(unsourced(userItem('u1', String(i), retention)));
}

export const history: ConformanceTests = {
  'counts each stream from 1 without a gap': async (fixture) => {
    const node = await fixture.node();
    const { items } = await node.engine.publish(
      unsourced(userItem('u1', 'a'), userItem('u2', 'a'), userItem('u1', 'b'), channelItem(`${topic}/*`, 'p', ordered)),
    );
    expect(items!.map(({ position }) => position!.offset)).toEqual([1, 1, 2, 1]);
    expect(items!.every(({ position }) => /^[0-9a-z]{6,}$/.test(position!.epoch))).toBe(true);
    expect(items![0]!.position!.epoch).toBe(items![2]!.position!.epoch);
  },

  'tells an epoch before the first message and keeps it': async (fixture) => {
    const node = await fixture.node();
    const everyone = { stream: `${topic}/*`, retention: ordered, user: null };
    const [mine, all] = await node.engine.positions([own, everyone]);
    expect([mine!.offset, all!.offset]).toEqual([0, 0]);
    expect(await node.engine.positions([everyone, own])).toEqual([all, mine]);
    const admitted = await admit(node, 'u1', 'c1', { streams: [own, everyone] });
    expect(admitted).toEqual({ status: 'admitted', positions: [mine, all] });
    const { items } = await node.engine.publish(
      unsourced(userItem('u1', 'a'), channelItem(`${topic}/*`, 'p', ordered)),
    );
    expect(items!.map(({ position }) => position!.epoch)).toEqual([mine!.epoch, all!.epoch]);
    const page = await node.engine.read(own, mine!, 100);
    expect(page).toMatchObject({ epoch: mine!.epoch, offset: 1, recovered: true });
    expect(texts(page)).toEqual(['a']);
  },

  'keeps what is told of a stream, whether it was written or not': async (fixture) => {
    const node = await fixture.node();
    const everyone = { stream: `${topic}/*`, retention: ordered, user: null };
    await publish(node, 2);
    const told = await node.engine.positions([own, everyone]);
    await node.engine.keep([own, everyone]);
    expect(await node.engine.positions([own, everyone])).toEqual(told);
    const { items } = await node.engine.publish(
      unsourced(userItem('u1', '3'), channelItem(`${topic}/*`, 'p', ordered)),
    );
    expect(items!.map(({ position }) => position)).toEqual(
      told.map(({ epoch, offset }) => ({ epoch, offset: offset + 1 })),
    );
    expect(await node.engine.erase('u2', [{ stream: `${topic}/u/u2`, retention: ordered, user: 'u2' }])).toEqual({
      streams: 0,
      messages: 0,
    });
  },

  'tells of each message when its life ends, in a batch with others that have none': async (fixture) => {
    const node = await fixture.node();
    const everyone = { stream: `${topic}/*`, retention: ordered, user: null };
    const block = { kind: 'block', topic, user: 'u1', retention: ordered, block: null } as const;
    await node.engine.publish(
      unsourced(
        userItem('u1', 'a'),
        { ...userItem('u1', 'b'), endsAtMs: 5000 },
        { ...channelItem(`${topic}/*`, 'p', ordered), endsAtMs: 6000 },
        userItem('u1', 'c'),
        { ...block, head: headOf('d', own.stream), sourceOffset: -1, recordTimeMs: 1, endsAtMs: 7000 },
        { ...userItem('u2', 'not kept', null), endsAtMs: 8000 },
        channelItem(`${topic}/*`, 'q', ordered),
      ),
    );
    const lives = async (stream: RetainedStream) => {
      const { messages } = await node.engine.read(stream, null, 100);
      return messages.map(({ offset, endsAtMs = 0 }) => [offset, endsAtMs]);
    };
    expect(await lives(own)).toEqual([
      [1, 0],
      [2, 5000],
      [3, 0],
      [4, 7000],
    ]);
    expect(await lives(everyone)).toEqual([
      [1, 6000],
      [2, 0],
    ]);
  },

  'gives no more bytes than asked for, but one message at least, and goes on behind them': async (fixture) => {
    const node = await fixture.node();
    const retention = { ...ordered, size: 100 };
    const wide = { ...own, retention };
    await publish(node, 90, { retention });
    const all = await node.engine.read(wide, null, 100);
    const size = all.messages[0]!.frame.length;
    const some = await node.engine.read(wide, null, 100, 3.5 * size);
    expect(some).toMatchObject({ offset: 90, recovered: true });
    expect(some.messages.length).toBeGreaterThan(1);
    expect(some.messages.length).toBeLessThanOrEqual(4);
    expect(texts(await node.engine.read(wide, null, 100, 1))).toEqual(['1']);
    expect(texts(await node.engine.read(wide, null, 0, 1))).toEqual([]);
    const read = [...texts(some)];
    for (let at = some.messages.at(-1)!; at.offset < 90;) {
      const page = await node.engine.read(wide, { epoch: at.epoch, offset: at.offset }, 100, 40 * size);
      expect(page.recovered).toBe(true);
      read.push(...texts(page));
      at = page.messages.at(-1)!;
    }
    expect(read).toEqual(texts(all));
  },

  'replays what followed a position, a page at a time': async (fixture) => {
    const node = await fixture.node();
    await publish(node, 7);
    const { epoch } = await node.engine.read(own, null, 100);
    const first = await node.engine.read(own, { epoch, offset: 2 }, 3);
    expect([first.offset, first.recovered, texts(first)]).toEqual([7, true, ['3', '4', '5']]);
    expect(first.messages.map(({ offset }) => offset)).toEqual([3, 4, 5]);
    expect(first.messages[0]).toMatchObject({ stream: own.stream, epoch, recordTimeMs: 1234 });
    const second = await node.engine.read(own, { epoch, offset: 5 }, 3);
    expect([second.recovered, texts(second)]).toEqual([true, ['6', '7']]);
    const top = await node.engine.read(own, { epoch, offset: 7 }, 3);
    expect([top.recovered, texts(top)]).toEqual([true, []]);
  },

  'proves nothing for a position of another epoch, above the top or out of range': async (fixture) => {
    const node = await fixture.node();
    await publish(node, 3);
    const { epoch } = await node.engine.read(own, null, 100);
    const bad = [
      { epoch: 'another', offset: 1 },
      { epoch: '', offset: 0 },
      { epoch, offset: 4 },
      { epoch, offset: -1 },
      { epoch, offset: 1.5 },
      { epoch, offset: Number.NaN },
    ];
    for (const position of bad) {
      const page = await node.engine.read(own, position, 100);
      expect([position, page.recovered, page.epoch, page.offset, texts(page)]).toEqual([
        position,
        false,
        epoch,
        3,
        ['1', '2', '3'],
      ]);
    }
  },

  'keeps the newest messages up to the size and says when some are missing': async (fixture) => {
    const node = await fixture.node();
    await publish(node, 40);
    const all = await node.engine.read(own, null, 100);
    expect(texts(all)).toEqual(Array.from({ length: 10 }, (_, i) => String(31 + i)));
    expect([all.offset, all.recovered]).toEqual([40, false]);
    const { epoch } = all;
    expect((await node.engine.read(own, { epoch, offset: 29 }, 100)).recovered).toBe(false);
    const page = await node.engine.read(own, { epoch, offset: 30 }, 100);
    expect([page.recovered, page.messages.length]).toEqual([true, 10]);
    const pageOfLost = await node.engine.read(own, { epoch, offset: 5 }, 2);
    expect([pageOfLost.recovered, texts(pageOfLost)]).toEqual([false, ['31', '32']]);
  },

  'drops messages older than the ttl and keeps the epoch': async (fixture) => {
    const node = await fixture.node();
    const brief = { ...ordered, ttlMs: 400 };
    const stream = { ...own, retention: brief };
    await publish(node, 3, { retention: brief });
    const { epoch } = await node.engine.read(stream, null, 100);
    await fixture.harness.elapse(500);
    const none = await node.engine.read(stream, { epoch, offset: 1 }, 100);
    expect([none.epoch, none.offset, none.recovered, texts(none)]).toEqual([epoch, 3, false, []]);
    await publish(node, 2, { from: 4, retention: brief });
    const page = await node.engine.read(stream, { epoch, offset: 2 }, 100);
    expect([page.recovered, texts(page)]).toEqual([false, ['4', '5']]);
    expect((await node.engine.read(stream, { epoch, offset: 3 }, 100)).recovered).toBe(true);
    await fixture.harness.elapse(1000);
    expect((await node.engine.read(stream, { epoch, offset: 5 }, 100)).recovered).toBe(true);
  },

  'keeps no more bytes than the stream may have, and the newest message whatever its size': async (fixture) => {
    const node = await fixture.node();
    const one = headOf(own.stream, 'x'.repeat(1000)).length;
    const bounded = { ...ordered, bytesMax: 3 * one };
    const stream = { ...own, retention: bounded };
    const write = (letters: string, size = 1000) =>
      node.engine.publish(
        unsourced(...letters.split('').map((letter) => userItem('u1', letter.repeat(size), bounded))),
      );
    const kept = async () =>
      texts(await node.engine.read(stream, null, 100))
        .map((text) => text[0])
        .join('');
    await write('ab');
    expect(await kept()).toBe('ab');
    await write('c');
    await write('d');
    expect(await kept()).toBe('bcd');
    await write('efghijkl');
    expect(await kept()).toBe('jkl');
    const page = await node.engine.read(stream, null, 100);
    const { epoch } = page;
    expect(page.recovered).toBe(false);
    expect((await node.engine.read(stream, { epoch, offset: 9 }, 100)).recovered).toBe(true);
    expect((await node.engine.read(stream, { epoch, offset: 8 }, 100)).recovered).toBe(false);
    await write('m', 5000);
    expect(await kept()).toBe('m');
    await write('n', 500);
    await write('op', 10);
    expect(await kept()).toBe('nop');
  },

  'bounds the bytes of what was kept before they were bounded': async (fixture) => {
    const node = await fixture.node();
    const one = headOf(own.stream, 'x'.repeat(1000)).length;
    await node.engine.publish(unsourced(...'abcdefgh'.split('').map((text) => userItem('u1', text.repeat(1000)))));
    const bounded = { ...ordered, bytesMax: 4 * one };
    await node.engine.publish(unsourced(userItem('u1', 'i'.repeat(1000), bounded)));
    const page = await node.engine.read({ ...own, retention: bounded }, null, 100);
    expect(texts(page).map((text) => text[0])).toEqual(['f', 'g', 'h', 'i']);
    // What does not bound them goes on.
    await node.engine.publish(unsourced(userItem('u1', 'j'.repeat(1000))));
    expect(texts(await node.engine.read(own, null, 100)).map((text) => text[0])).toEqual(['f', 'g', 'h', 'i', 'j']);
  },

  'says without a position whether the beginning is there': async (fixture) => {
    const node = await fixture.node();
    expect(await node.engine.read(own, null, 10)).toMatchObject({ offset: 0, recovered: true, messages: [] });
    await publish(node, 4);
    const page = await node.engine.read(own, null, 2);
    expect([page.recovered, texts(page)]).toEqual([true, ['1', '2']]);
  },

  'keeps a batch larger than the history': async (fixture) => {
    const node = await fixture.node();
    await node.engine.publish(unsourced(...Array.from({ length: 100 }, (_, i) => userItem('u1', String(i + 1)))));
    const page = await node.engine.read(own, null, 100);
    expect([page.offset, texts(page)]).toEqual([100, Array.from({ length: 10 }, (_, i) => String(91 + i))]);
  },
};

const stream = { ...own, retention: latest };

export const latestMode: ConformanceTests = {
  'keeps the newest value only': async (fixture) => {
    const node = await fixture.node();
    const empty = await node.engine.read(stream, null, 10);
    expect([empty.offset, empty.recovered, texts(empty)]).toEqual([0, true, []]);
    const { epoch } = empty;
    await publish(node, 5, { retention: latest });
    const page = await node.engine.read(stream, null, 10);
    expect([page.offset, page.recovered, texts(page)]).toEqual([5, true, ['5']]);
    const after = await node.engine.read(stream, { epoch, offset: 2 }, 10);
    expect([after.recovered, texts(after)]).toEqual([true, ['5']]);
    const top = await node.engine.read(stream, { epoch, offset: 5 }, 10);
    expect([top.recovered, texts(top)]).toEqual([true, []]);
    const above = await node.engine.read(stream, { epoch, offset: 6 }, 10);
    expect([above.recovered, texts(above)]).toEqual([false, ['5']]);
    const other = await node.engine.read(stream, { epoch: 'another', offset: 5 }, 10);
    expect([other.recovered, texts(other)]).toEqual([false, ['5']]);
  },

  'proves nothing once the newest value is older than the ttl': async (fixture) => {
    const node = await fixture.node();
    const brief = { ...latest, ttlMs: 300 };
    await publish(node, 2, { retention: brief });
    const { epoch } = await node.engine.read({ ...stream, retention: brief }, null, 10);
    await fixture.harness.elapse(400);
    const page = await node.engine.read({ ...stream, retention: brief }, { epoch, offset: 1 }, 10);
    expect([page.offset, page.recovered, texts(page)]).toEqual([2, false, []]);
    expect((await node.engine.read({ ...stream, retention: brief }, { epoch, offset: 2 }, 10)).recovered).toBe(true);
  },

  'stays contiguous when the mode of a stream is changed': async (fixture) => {
    const node = await fixture.node();
    await publish(node, 3);
    await publish(node, 3, { from: 4, retention: latest });
    await publish(node, 3, { from: 7 });
    const page = await node.engine.read(own, null, 100);
    expect([page.offset, page.recovered]).toEqual([9, false]);
    const offsets = page.messages.map(({ offset }) => offset);
    expect(offsets.slice(-3)).toEqual([7, 8, 9]);
    expect(offsets).toEqual(offsets.map((_, i) => offsets[0]! + i));
  },
};
