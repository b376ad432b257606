import { afterEach, describe, expect, it } from '@jest/globals';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine, PublishItem, Retention } from '@ws-gateway/core';
import { newDataDir, startRedis, TcpProxy, waitFor, type OwnServer } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { serverName } from '../src/epoch.js';
import type { RedisEngineOptions } from '../src/index.js';
import { createHarness, serverAt } from './harness.js';

const retention: Retention = { mode: 'ordered', size: 100, ttlMs: 600_000 };
const own = { stream: 't/u/u1', retention, user: 'u1' };

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A Redis that writes each change down, and can be put back to what it was at a moment. */
class MortalRedis {
  readonly #dataDir = newDataDir();
  #server!: OwnServer;

  static async start(): Promise<MortalRedis> {
    const redis = new MortalRedis();
    redis.#server = await startRedis({ dataDir: redis.#dataDir });
    cleanups.push(() => redis.#stop());
    await redis.#writeAtOnce();
    return redis;
  }

  get port(): number {
    return this.#server.port;
  }

  get options(): Pick<RedisEngineOptions, 'server'> {
    return { server: serverAt(`redis://${this.#server.address}`) };
  }

  /** Remembers the data as they are. */
  async remember(): Promise<void> {
    await rm(this.#remembered, { recursive: true, force: true });
    await cp(this.#dataDir, this.#remembered, { recursive: true });
  }

  async kill(): Promise<void> {
    await this.#server.kill();
  }

  async goBack(): Promise<void> {
    await rm(this.#dataDir, { recursive: true });
    await mkdir(this.#dataDir);
    await cp(this.#remembered, this.#dataDir, { recursive: true });
  }

  async startAgain(): Promise<void> {
    this.#server = await startRedis({ dataDir: this.#dataDir, port: this.#server.port });
    await this.#writeAtOnce();
  }

  /** Otherwise what was answered may not be in the file for a moment. */
  async #writeAtOnce(): Promise<void> {
    const admin = new Redis(this.options.server);
    await admin.config('SET', 'appendfsync', 'always');
    await admin.quit();
  }

  async #stop(): Promise<void> {
    await this.#server.stop();
    for (const folder of [this.#dataDir, this.#remembered]) await rm(folder, { recursive: true, force: true });
  }

  get #remembered(): string {
    return join(this.#dataDir, '..', `${this.#dataDir.split('/').at(-1)}-remembered`);
  }
}

async function startEngine(
  harness: Awaited<ReturnType<typeof createHarness>>,
  node: string,
  options: Partial<RedisEngineOptions> = {},
): Promise<{ engine: Engine; inbox: RecordingInbox }> {
  const engine = harness.createEngine(node, options);
  const inbox = new RecordingInbox();
  await engine.start(inbox);
  cleanups.push(() => engine.stop());
  return { engine, inbox };
}

function item(text: string, user = 'u1'): PublishItem {
  const head = `{"text":"${text}","stream":"t/u/${user}","epoch":"`;
  return { kind: 'user', topic: 't', user, retention, head, sourceOffset: -1, recordTimeMs: 1 };
}

async function publish(engine: Engine, ...texts: string[]): Promise<void> {
  for (const text of texts) await engine.publish({ source: null, items: [item(text)] });
}

async function texts(engine: Engine, after: { epoch: string; offset: number }) {
  const { recovered, epoch, messages } = await engine.read(own, after, 100);
  const frames = messages.map(({ frame }) => JSON.parse(Buffer.from(frame).toString()) as Record<string, unknown>);
  for (const frame of frames) expect(frame['epoch']).toBe(epoch);
  return { recovered, texts: frames.map(({ text }) => text), offsets: frames.map(({ offset }) => offset) };
}

function admit(engine: Engine, connection: string) {
  return engine.admit({ connection, user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [own], sessions: null });
}

describe('Redis that comes back with older data', () => {
  // The stream's top passes the client's position again, with other messages. Without epochs that end with the process
  // the read would call them what followed.
  it('proves nothing for positions of what was lost, and everything for those before', async () => {
    const redis = await MortalRedis.start();
    const harness = await createHarness(redis.options);
    const { engine } = await startEngine(harness, 'n1');
    await publish(engine, '1', '2');
    const { epoch } = await engine.read(own, null, 1);
    await engine.acknowledge(own, 2);
    await redis.remember();
    await publish(engine, 'lost 3', 'lost 4');
    await engine.acknowledge(own, 4);
    await redis.kill();
    await redis.goBack();
    await redis.startAgain();
    await waitFor(() => engine.healthy, { what: 'healthy' });
    expect(await engine.positions([own])).toEqual([{ epoch, offset: 2 }]);
    await publish(engine, '3', '4', '5');
    const everything = ['1', '2', '3', '4', '5'];
    expect(await texts(engine, { epoch, offset: 4 })).toMatchObject({ recovered: false, texts: everything });
    expect(await texts(engine, { epoch, offset: 3 })).toMatchObject({ recovered: false, texts: everything });
    expect(await texts(engine, { epoch, offset: 2 })).toMatchObject({ recovered: true, texts: ['3', '4', '5'] });
    expect(await texts(engine, { epoch, offset: 1 })).toMatchObject({ recovered: true, offsets: [2, 3, 4, 5] });
    const [now] = await engine.positions([own]);
    expect([now!.offset, now!.epoch === epoch]).toEqual([5, false]);
    expect(await texts(engine, { epoch: now!.epoch, offset: 4 })).toMatchObject({ recovered: true, texts: ['5'] });
    expect(await engine.acknowledged(own)).toEqual({ epoch: now!.epoch, offset: 2 });
    expect(await engine.acknowledge(own, 1)).toBe(true);
    expect(await engine.acknowledged(own)).toEqual({ epoch: now!.epoch, offset: 2 });
  });

  // Other nodes' batches have passed the number that this one had processed before it looks.
  it('is noticed by a node whose inbox has other batches under the same numbers', async () => {
    const redis = await MortalRedis.start();
    const proxy = await TcpProxy.start({ port: redis.port });
    cleanups.push(() => proxy.stop());
    const harness = await createHarness(redis.options);
    const { engine: publisher } = await startEngine(harness, 'publisher');
    const server = { host: '127.0.0.1', port: proxy.port };
    const { engine, inbox } = await startEngine(harness, 'receiver', { server });
    await admit(engine, 'c1');
    await publish(publisher, '1');
    await inbox.waitForTexts(1);
    await redis.remember();
    await publish(publisher, 'lost 2', 'lost 3');
    await inbox.waitForTexts(3);
    proxy.cut();
    await redis.kill();
    await redis.goBack();
    await redis.startAgain();
    await waitFor(() => publisher.healthy, { what: 'healthy' });
    await publish(publisher, '2', '3', '4', '5');
    proxy.restore();
    await inbox.waitFor(() => inbox.holesOf('u1').length > 0, 'a hole to be told of');
  });

  it('gets the rows back that it lost', async () => {
    const redis = await MortalRedis.start();
    const harness = await createHarness(redis.options);
    const { engine, inbox } = await startEngine(harness, 'n1');
    await redis.remember();
    await admit(engine, 'c1');
    await redis.kill();
    await redis.goBack();
    await redis.startAgain();
    await inbox.waitFor(() => inbox.rebuilds > 0, 'a rebuild');
    expect(inbox.holesOf('u1')).toEqual([]);
    expect(await engine.presence('u1')).toEqual([]);
  });
});

describe('Redis that has rows again which were released', () => {
  // They counted against their user's sessions as long as their node lived: 409 and 429 for users without a socket.
  it('loses those of connections that are gone, and keeps those that are open', async () => {
    const redis = await MortalRedis.start();
    const harness = await createHarness(redis.options);
    const { engine, inbox } = await startEngine(harness, 'n1');
    inbox.openConnections = new Set(['open u1']);
    await admit(engine, 'open');
    await admit(engine, 'gone');
    await redis.remember();
    await engine.release([{ connection: 'gone', user: 'u1' }]);
    await redis.kill();
    await redis.goBack();
    await redis.startAgain();
    await inbox.waitFor(() => inbox.rebuilds > 0, 'a rebuild');
    const connections = async () => (await engine.presence('u1')).map(({ connection }) => connection);
    await waitFor(async () => (await connections()).length === 1, { what: 'the row of the gone connection to go' });
    expect(await connections()).toEqual(['open']);
    expect(inbox.holesOf('u1')).toEqual([]);
  });
});

describe('the name of a Redis process', () => {
  // It must be known before the first call of a connection, and authentication comes first.
  it('is known behind a password, too', async () => {
    const redis = await MortalRedis.start();
    const admin = new Redis(redis.options.server);
    cleanups.push(() => admin.quit());
    const name = serverName(await admin.info('server'));
    await admin.config('SET', 'requirepass', 'secret');
    const harness = await createHarness({ server: { ...redis.options.server, password: 'secret' } });
    const { engine } = await startEngine(harness, 'n1');
    const [position] = await engine.positions([own]);
    expect(position!.epoch.startsWith(name)).toBe(true);
    expect(name).not.toBe(serverName(''));
  });
});

describe('Redis that comes back with all its data', () => {
  // Frames from before it went away bear another epoch than those since. A socket that registers again reads on in the
  // new one, and would take those of the old one, coming late, for news.
  it('has its inboxes read to the end before rows are written again', async () => {
    const redis = await MortalRedis.start();
    const proxy = await TcpProxy.start({ port: redis.port });
    cleanups.push(() => proxy.stop());
    const harness = await createHarness(redis.options);
    const { engine: publisher } = await startEngine(harness, 'publisher');
    const server = { host: '127.0.0.1', port: proxy.port };
    const { engine, inbox } = await startEngine(harness, 'receiver', { server });
    await admit(engine, 'c1');
    await publish(publisher, '1');
    await inbox.waitForTexts(1);
    proxy.cut();
    await publish(publisher, ...Array.from({ length: 50 }, (_, i) => String(2 + i)));
    await redis.kill();
    await redis.startAgain();
    await waitFor(() => publisher.healthy, { what: 'healthy' });
    await publish(publisher, 'last');
    proxy.restore();
    await inbox.waitFor(() => inbox.rebuilds === 1, 'a rebuild');
    const events = inbox.events.filter((event) => event !== 'end');
    expect(events.slice(-2)).toEqual(['message:last', 'rebuild']);
    expect(inbox.messages.map(({ offset }) => offset)).toEqual(Array.from({ length: 52 }, (_, i) => i + 1));
    expect(new Set(inbox.messages.map(({ epoch }) => epoch)).size).toBe(2);
    expect(inbox.holesOf('u1')).toEqual([]);
  });

  it('goes on where it was: no message missing, every position good', async () => {
    const redis = await MortalRedis.start();
    const harness = await createHarness(redis.options);
    const { engine, inbox } = await startEngine(harness, 'n1');
    await admit(engine, 'c1');
    await publish(engine, '1', '2', '3');
    await inbox.waitForTexts(3);
    const { epoch } = await engine.read(own, null, 1);
    await redis.kill();
    await redis.startAgain();
    await waitFor(() => engine.healthy, { what: 'healthy' });
    await publish(engine, '4', '5');
    expect(await inbox.waitForTexts(5)).toEqual(['1', '2', '3', '4', '5']);
    expect(inbox.messages.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5]);
    expect(await texts(engine, { epoch, offset: 3 })).toMatchObject({ recovered: true, offsets: [4, 5] });
    expect(await texts(engine, { epoch, offset: 1 })).toMatchObject({ recovered: true, offsets: [2, 3, 4, 5] });
    expect(inbox.holesOf('u1')).toEqual([]);
    await inbox.waitFor(() => inbox.rebuilds === 1, 'rows to be written again');
  });
});
