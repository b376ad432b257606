import { once } from 'node:events';
import { Agent, get } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { TemplatedApp } from 'uWebSockets.js';
import { WebSocket } from 'ws';
import { AppPool } from '../src/app-pool.js';
import { bindListeners, portOf } from '../src/listener.js';
import { until } from './support/test-edge.js';

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
const tls = { certFile: fixture('localhost.crt'), keyFile: fixture('localhost.key') };

let pool: AppPool;
/** Apps that were made, by their number, and whether each was closed. */
let closed: boolean[];
let port: number;

beforeEach(() => {
  closed = [];
  pool = new AppPool(tls, serve, { lookMs: 20, isAnswering: () => false, onDropped: () => undefined });
  const [listener] = bindListeners(pool.listening, { host: '127.0.0.1', port: 0, reusePort: false });
  port = portOf(listener!);
});
afterEach(() => pool.close());

function serve(app: TemplatedApp, socketClosed: (() => void) | null): void {
  if (socketClosed === null) return;
  const at = closed.push(false) - 1;
  const close = app.close.bind(app);
  app.close = () => {
    closed[at] = true;
    return close();
  };
  app.any('/*', (res) => void res.end(String(at)));
  app.ws('/*', { message: (ws) => void ws.send(String(at)), close: socketClosed });
}

async function connect(): Promise<WebSocket> {
  const socket = new WebSocket(`wss://127.0.0.1:${port}/`, { rejectUnauthorized: false });
  await once(socket, 'open');
  return socket;
}

/** Gives the number of the app that serves the socket. */
async function appOf(socket: WebSocket): Promise<string> {
  socket.send('which');
  const [data] = (await once(socket, 'message')) as [Buffer];
  return data.toString();
}

async function request(agent: Agent): Promise<string> {
  const [answer] = (await once(get({ port, agent, rejectUnauthorized: false }), 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return text;
}

// Each renewal left one behind for ever: a certificate that is renewed daily, 365 a year, and each took part in fan-out.
it('an app whose certificate was replaced is closed when its last WebSocket and its last request connection are gone', async () => {
  const [first, second] = [await connect(), await connect()];
  const agent = new Agent({ keepAlive: true });
  expect([await appOf(first), await appOf(second), await request(agent)]).toEqual(['0', '0', '0']);
  pool.renew(tls);
  const third = await connect();
  pool.renew(tls);
  expect([await appOf(third), await request(agent)]).toEqual(['1', '0']);
  third.close();
  await until(() => closed[1]!, 'the second is closed');
  first.terminate();
  agent.destroy();
  const last = await connect();
  pool.renew(tls);
  last.close();
  await until(() => closed[2]!, 'the third is closed');
  expect([closed, await appOf(second)]).toEqual([[false, true, true, false], '0']);
  second.close();
  await until(() => closed[0]!, 'the first is closed');
  expect(await appOf(await connect())).toBe('3');
});

it('certificates that are renewed without a connection between leave one app', async () => {
  for (let at = 0; at < 20; at++) pool.renew(tls);
  await until(() => closed.slice(0, 20).every(Boolean), 'all but the newest are closed');
  expect(closed.at(-1)).toBe(false);
  expect(await appOf(await connect())).toBe('20');
});
