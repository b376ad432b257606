import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  SseTransport,
  type HttpAnswer,
  type HttpRequest,
  type HttpServer,
  type HttpStream,
  type HttpStreamEvents,
  type RouteHandler,
} from '../../src/index.js';
import { readEventId } from '../../src/sse/event-id.js';
import { EdgeUnderTest, turns } from '../edge/edge-under-test.js';

/** A server of one route, driven by the test. */
class RouteUnderTest implements Pick<HttpServer, 'route'> {
  readonly handlers = new Map<string, RouteHandler>();

  route(method: string, _path: string, handle: RouteHandler): never {
    this.handlers.set(method, handle);
    return this as never;
  }
}

/** One client of the stream, from its request on. */
class ClientOfStream {
  readonly pieces: string[] = [];
  readonly abort = new AbortController();
  buffered = 0;
  ended = false;
  answer: HttpAnswer | null = null;
  events: HttpStreamEvents | null = null;
  readonly #asking: Promise<void>;

  constructor(server: RouteUnderTest, user: string, { query = 'topics=notifications', lastEventId = '' } = {}) {
    const headers: Record<string, string> = { authorization: `Bearer ${user}`, 'last-event-id': lastEventId };
    const request = {
      method: 'GET',
      path: '/sse',
      query,
      params: {},
      header: (name: string) => headers[name] ?? '',
      body: () => Promise.resolve(new Uint8Array()),
      signal: this.abort.signal,
      remoteAddress: '::1',
    } satisfies HttpRequest;
    this.#asking = (async () => void (this.answer = await server.handlers.get('GET')!(request)))();
  }

  get text(): string {
    return this.pieces.join('');
  }

  /** Ids and payloads of the events, in their order. */
  get got(): { id: string; payload: unknown }[] {
    const blocks = this.text.split('\n\n').filter((block) => block.includes('data: '));
    return blocks.map((block) => ({
      id: /^id: (.*)$/m.exec(block)?.[1] ?? '',
      payload: (JSON.parse(/^data: (.*)$/m.exec(block)![1]!) as { payload?: unknown }).payload,
    }));
  }

  async answered(): Promise<HttpAnswer> {
    await this.#asking;
    return this.answer!;
  }

  /** As the HTTP server does when it gets the answer. */
  async open(): Promise<this> {
    const { body } = await this.answered();
    this.events = (body as HttpStream)({
      write: (piece) => void this.pieces.push(Buffer.from(piece as string).toString()),
      bufferedBytes: () => this.buffered,
      end: () => {
        this.ended = true;
        queueMicrotask(() => this.events!.closed());
      },
    });
    return this;
  }
}

let node: EdgeUnderTest;
let server: RouteUnderTest;
let expired = 0;

function serve(handshakeTimeoutMs = 10_000): void {
  const logger = { error: () => expired++, child: () => logger } as never;
  server = new RouteUnderTest();
  const options = { path: '/sse', allowedOrigins: [], heartbeatMs: 0, handshakeTimeoutMs };
  new SseTransport(node.edge, options, logger).serve(server as never);
}

beforeEach(async () => {
  node = await new EdgeUnderTest().start();
  expired = 0;
  serve();
});
afterEach(() => node.stop());

const client = (...args: [user: string, options?: object]) => new ClientOfStream(server, ...args);
const own = (user: string) => `notifications/u/${user}`;
const offsets = (stream: string, { got }: ClientOfStream) =>
  got.map(({ id }) => readEventId(id)!.after(stream)!.offset);

async function publishBatch(users: (string | null)[]): Promise<void> {
  const items = users.map((user, at) => {
    const stream = user === null ? 'notifications/*' : own(user);
    const head = `{"rid":-1,"event":"notifications","status":"update","payload":${at},"stream":"${stream}","epoch":"`;
    const retention = { mode: 'ordered', size: 100, ttlMs: 60_000 } as const;
    const base = { sourceOffset: -1, recordTimeMs: 1, retention, head };
    return user === null
      ? ({ ...base, kind: 'channel', stream } as const)
      : ({ ...base, kind: 'user', topic: 'notifications', user } as const);
  });
  await node.engine.publish({ source: null, items });
  await turns();
}

describe('a transport of server-sent events', () => {
  // With the edge's own position, which is that of the whole batch, a client that got half of it would miss the rest.
  it('writes a batch in one piece, each event with the position as of that event', async () => {
    const ann = await client('ann').open();
    expect(ann.pieces).toHaveLength(1);
    await publishBatch(['ann', null, 'ann']);
    expect(ann.pieces).toHaveLength(2);
    expect(ann.got.map(({ payload }) => payload)).toEqual([expect.anything(), 0, 1, 2]);
    expect(offsets(own('ann'), ann)).toEqual([0, 1, 1, 2]);
    expect(offsets('notifications/*', ann)).toEqual([0, 0, 1, 1]);
  });

  it('writes what is for many in one piece, too', async () => {
    const many = await Promise.all(Array.from({ length: 20 }, (_, at) => client(`u${at}`).open()));
    await publishBatch([null]);
    await publishBatch([null, null, null]);
    for (const one of many) {
      expect(one.pieces).toHaveLength(3);
      expect(offsets('notifications/*', one)).toEqual([0, 1, 2, 3, 4]);
    }
  });

  it('gives a message of ones own, what is for many and the end in the order in which they came', async () => {
    const many = await Promise.all(Array.from({ length: 20 }, (_, at) => client(`u${at}`).open()));
    await publishBatch([null]);
    await publishBatch([null, 'u3', null, 'u3']);
    node.edge.command({ command: 'close', user: 'u3', close: { code: 4500, reason: 'fraud' } });
    await turns();
    const u3 = many[3]!;
    expect(u3.got.slice(1).map(({ payload }) => payload)).toEqual([0, 0, 1, 2, 3, undefined]);
    expect(u3.text).toMatch(/retry: (\d+)\nevent: close\ndata: \{"code":4500,"reason":"fraud","after_ms":\1\}\n\n$/);
    expect([u3.ended, await node.rows('u3')]).toEqual([true, [0]]);
    await publishBatch([null]);
    expect(offsets('notifications/*', many[4]!)).toEqual([0, 1, 2, 3, 4]);
  });

  it('does not let an id run ahead of what a slow client was given', async () => {
    const ann = await client('ann').open();
    ann.buffered = 100_000;
    await publishBatch(['ann']);
    await publishBatch(['ann', 'ann']);
    const before = ann.pieces.length;
    ann.buffered = 0;
    ann.events!.drained!();
    await turns();
    expect(ann.pieces.length).toBeGreaterThan(before);
    expect(offsets(own('ann'), ann)).toEqual([0, 1, 2, 3]);
  });

  it('begins with the position before what will be replayed', async () => {
    const first = await client('ann').open();
    await publishBatch(['ann', 'ann', 'ann']);
    const { id } = first.got[1]!;
    const again = await client('ann', { lastEventId: id }).open();
    expect(offsets(own('ann'), again)).toEqual([1, 2, 3]);
    expect(again.got.slice(1).map(({ payload }) => payload)).toEqual([1, 2]);
  });
});

describe('a client of server-sent events that goes away', () => {
  it('while it is being admitted leaves nothing behind', async () => {
    node.engine.admissions.close();
    const ann = client('ann');
    await turns();
    ann.abort.abort();
    node.engine.admissions.open();
    await ann.answered();
    await turns();
    expect([await node.rows('ann'), node.edge.connectionCount]).toEqual([[0], 0]);
  });

  it('between its admission and the stream leaves nothing behind', async () => {
    const ann = client('ann');
    await ann.answered();
    expect(await node.rows('ann')).toEqual([1]);
    ann.abort.abort();
    await turns();
    expect([await node.rows('ann'), node.edge.connectionCount]).toEqual([[0], 0]);
  });

  it('later is counted as one that left without a code', async () => {
    const ann = await client('ann').open();
    ann.events!.closed();
    await turns();
    expect([await node.rows('ann'), node.stats.closes.values.get('1005'), node.stats.unexpectedCloses]).toEqual([
      [0],
      1,
      0,
    ]);
  });

  it('is answered 503 when its admission takes too long, which is taken back then', async () => {
    serve(20);
    node.engine.admissions.close();
    const ann = client('ann');
    const { status, body } = await ann.answered();
    expect([status, JSON.parse(body as string)]).toMatchObject([503, { error: { code: 'unavailable' } }]);
    node.engine.admissions.open();
    await turns();
    expect([await node.rows('ann'), node.edge.connectionCount]).toEqual([[0], 0]);
  });

  it('is refused when the node begins to drain before the stream', async () => {
    node.engine.admissions.close();
    const ann = client('ann');
    await turns();
    node.edge.beginDrain();
    node.engine.admissions.open();
    expect(JSON.parse((await ann.answered()).body as string)).toMatchObject({ error: { code: 'draining' } });
    await turns();
    expect(await node.rows('ann')).toEqual([0]);
  });
});
