import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import {
  createTopics,
  newDataDir,
  produce,
  readTopic,
  startKafka,
  TcpProxy,
  uniqueName,
  waitFor,
  WsClient,
} from '../src/index.js';

let cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

describe('the common Kafka of a run', () => {
  it('gives back what was produced, in order', async () => {
    const topic = uniqueName('testkit');
    await createTopics([topic], 2);
    await produce(topic, [
      { key: 'a', value: { n: 1 }, partition: 0, headers: { 'ws-id': 'x' } },
      { key: 'a', value: null, partition: 0 },
      { value: 'text', partition: 1, timestamp: 1_000 },
    ]);
    expect(await readTopic(topic)).toEqual([
      { partition: 0, offset: 0, key: 'a', value: '{"n":1}', headers: { 'ws-id': 'x' } },
      { partition: 0, offset: 1, key: 'a', value: null, headers: {} },
      { partition: 1, offset: 0, key: null, value: 'text', headers: {} },
    ]);
  });
});

describe('a Kafka of one test', () => {
  it('comes back with its records after a crash', async () => {
    const dataDir = newDataDir();
    cleanups.push(() => rm(dataDir, { recursive: true, force: true }));
    const first = await startKafka({ dataDir });
    cleanups.push(() => first.stop());
    await createTopics(['kept'], 1, { brokers: first.address });
    await produce('kept', [{ value: 'v' }], { brokers: first.address });
    await first.kill();
    const second = await startKafka({ dataDir, port: first.port });
    cleanups.push(() => second.stop());
    expect(await readTopic('kept', { brokers: second.address })).toMatchObject([{ value: 'v' }]);
  });
});

describe('WsClient behind a TcpProxy', () => {
  it('gets frames, sees a cut, gets in again after it is restored, and reports refusals', async () => {
    const http = createServer((_request, response) =>
      response.writeHead(401).end('{"error":{"code":"token_missing"}}'),
    );
    const server = new WebSocketServer({ noServer: true });
    http.on('upgrade', (request, socket, head) => {
      // The proxy resets this socket when it ends.
      socket.on('error', () => socket.destroy());
      if (request.url === '/no') socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 13\r\n\r\n{"error":"x"}');
      else
        server.handleUpgrade(request, socket, head, (ws) =>
          ws.on('error', () => ws.terminate()).send('{"event":"connected"}'),
        );
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    cleanups.push(async () => http.close());
    const proxy = await TcpProxy.start({ port: (http.address() as AddressInfo).port });
    cleanups.push(() => proxy.stop());
    const url = `ws://127.0.0.1:${proxy.port}`;
    const client = await WsClient.open(`${url}/ws`);
    expect(await client.next('connected')).toEqual({ event: 'connected' });
    proxy.cut();
    expect(await client.closed).toMatchObject({ code: 1006 });
    await expect(WsClient.open(url)).rejects.toThrow();
    proxy.restore();
    proxy.delayMs = 20;
    const again = await waitFor(() => WsClient.open(url));
    expect(await again.next()).toEqual({ event: 'connected' });
    expect(await WsClient.refused(`${url}/no`)).toMatchObject({ status: 401, body: { error: 'x' } });
    again.terminate();
  });
});
