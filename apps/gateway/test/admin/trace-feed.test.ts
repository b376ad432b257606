import { afterEach, describe, expect, it } from '@jest/globals';
import type { HttpStreamClient, TraceStep } from '@ws-gateway/core';
import { waitFor } from '@ws-gateway/testkit';
import { TraceFeed } from '../../src/admin/trace-feed.js';

const MINUTE_MS = 60_000;

function step(atMs: number, id: string): TraceStep {
  return { event: 'sent', atMs, data: { id, user: 'u1', node: 'n1', timestamp: new Date(atMs).toISOString() } };
}

/** A feed with a client, by a clock that stands until it is moved. */
class FeedUnderTest {
  nowMs = 0;
  /** Bytes that the client has not taken. */
  untaken = 0;
  ended = 0;
  /** Times that the nodes were told that it is over. */
  closed = 0;
  readonly feed = new TraceFeed(() => this.nowMs);
  #text = '';

  constructor() {
    this.feed.begin({
      close: () => {
        this.closed++;
        return Promise.resolve();
      },
    });
    const client: HttpStreamClient = {
      write: (text) => void (this.#text += text),
      end: () => {
        this.ended++;
        this.feed.closed();
      },
      bufferedBytes: () => this.untaken,
    };
    this.feed.attach(client);
  }

  get events(): { event: string; data: Record<string, unknown> }[] {
    return [...this.#text.matchAll(/^event: (.*)\ndata: (.*)$/gm)].map(([, event, data]) => ({
      event: event!,
      data: JSON.parse(data!) as Record<string, unknown>,
    }));
  }

  ids(): unknown[] {
    return this.events.filter(({ event }) => event === 'sent').map(({ data }) => data['id']);
  }
}

let under: FeedUnderTest;
afterEach(() => under.feed.closed());

describe('the feed of a trace', () => {
  it('ends by itself after ten minutes, says so, and has the nodes forget it', async () => {
    under = new FeedUnderTest();
    under.nowMs = 10 * MINUTE_MS - 1;
    under.feed.steps([step(1, 'last')], 0);
    // A step waits for those of other nodes, so by then the time is over.
    under.nowMs = 10 * MINUTE_MS + 300;
    await waitFor(() => under.ended > 0, { what: 'the end' });
    expect(under.events.map(({ event }) => event)).toEqual(['sent', 'end']);
    expect(under.events[1]!.data).toEqual({ reason: 'ten minutes are over' });
    expect([under.ended, under.closed]).toEqual([1, 1]);
  });

  it('goes on until then, whatever the time of the day says', async () => {
    under = new FeedUnderTest();
    under.nowMs = 10 * MINUTE_MS - 301;
    under.feed.steps([step(Date.now() + 3_600_000, 'in time')], 0);
    under.nowMs = 10 * MINUTE_MS - 1;
    await waitFor(() => under.ids().length > 0, { what: 'the step' });
    expect([under.ended, under.closed]).toEqual([0, 0]);
  });

  it('puts the steps of several nodes in the order of their times', async () => {
    under = new FeedUnderTest();
    under.feed.steps([step(20, 'b'), step(30, 'c')], 0);
    under.nowMs = 200;
    under.feed.steps([step(10, 'a'), step(40, 'd')], 0);
    under.nowMs = 600;
    await waitFor(() => under.ids().length === 4, { what: 'four steps' });
    expect(under.ids()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('counts what its client does not take, and tells the number once there is room again', async () => {
    under = new FeedUnderTest();
    under.untaken = 1024 * 1024 + 1;
    under.feed.steps([step(1, 'a'), step(2, 'b')], 3);
    under.nowMs = 400;
    under.feed.steps([step(3, 'c')], 0);
    under.nowMs = 800;
    under.feed.steps([step(4, 'barrier')], 0);
    await waitFor(() => {
      under.nowMs += 400;
      under.untaken = under.nowMs > 4000 ? 0 : under.untaken;
      return under.events.some(({ event }) => event === 'lost');
    });
    expect(under.ids()).toEqual([]);
    expect(under.events.at(-1)).toEqual({ event: 'lost', data: { steps: 7 } });
  });

  it('keeps no more than twenty thousand steps waiting', async () => {
    under = new FeedUnderTest();
    const many = Array.from({ length: 20_100 }, (_, n) => step(n, `n${n}`));
    under.feed.steps(many, 0);
    under.nowMs = 400;
    await waitFor(() => under.events.some(({ event }) => event === 'lost'), { what: 'the number of those lost' });
    expect(under.ids()).toHaveLength(20_000);
    expect(under.events.at(-1)).toEqual({ event: 'lost', data: { steps: 100 } });
  });
});
