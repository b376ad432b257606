import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BackendRequestStats } from '@ws-gateway/core';
import { createCommandTable, type CommandTable } from '../src/index.js';
import { BackendServer, clientRequest, codeOf } from './backend-server.js';

const request = clientRequest({}, { endpoint: '/web' });

let dead: BackendServer;
let alive: BackendServer;
let table: CommandTable;
let stats: BackendRequestStats;
/** Requests that the dead backend holds. */
let held: ServerResponse[];

beforeEach(async () => {
  [dead, alive] = await Promise.all([new BackendServer().start(), new BackendServer().start()]);
  held = [];
  dead.answer = (response) => held.push(response);
});

afterEach(async () => {
  await table.close();
  await Promise.all([dead.stop(), alive.stop()]);
});

function makeTable(
  requestPoolSize: number,
  requestQueueSize: number,
  timeoutsMs: { dead: number; alive?: number } = { dead: 20_000, alive: 20_000 },
): void {
  stats = new BackendRequestStats();
  const options = {
    ...{ requestPoolSize, requestQueueSize },
    http: {
      dead: { url: dead.url, timeoutMs: timeoutsMs.dead },
      ...(timeoutsMs.alive === undefined ? {} : { alive: { url: alive.url, timeoutMs: timeoutsMs.alive } }),
    },
  };
  const entry = { endpoints: ['/web'] };
  table = createCommandTable(
    {
      dead: { ...entry, backend: 'dead' },
      change: { ...entry, backend: 'dead', method: 'PUT' },
      alive: { ...entry, backend: 'alive' },
    },
    options,
    stats,
  );
}

function many(name: string, count: number) {
  return Array.from({ length: count }, () => table.execute(name, request));
}

describe('requests to backends', () => {
  it('are at most so many at once; more wait, in order, and beyond the queue the answer is busy', async () => {
    makeTable(3, 4, { dead: 20_000 });
    const outcomes = many('dead', 9);
    expect((await Promise.all(outcomes.slice(7))).map(codeOf)).toEqual(['busy', 'busy']);
    await dead.arrived(3);
    expect(stats).toMatchObject({ inFlight: 3, queued: 4 });
    expect(stats.errors.get('dead')?.values).toEqual(new Map([['busy', 2]]));
    for (let done = 0; done < 7; done++) {
      await dead.arrived(Math.min(7, done + 3));
      expect(dead.seen.length).toBe(Math.min(7, done + 3));
      held.shift()?.end(String(done));
      expect((await outcomes[done])?.payload).toBe(done);
    }
    expect(stats).toMatchObject({ inFlight: 0, queued: 0 });
    expect(stats.seconds.get('dead')?.count).toBe(7);
  });

  it('may be forbidden to wait at all', async () => {
    makeTable(1, 0, { dead: 20_000 });
    const [first, second] = many('dead', 2);
    expect(codeOf(await second!)).toBe('busy');
    await dead.arrived(1);
    held[0]?.end('1');
    expect((await first)?.status).toBe('ok');
  });

  it('of a dead backend do not keep another one from its turn', async () => {
    makeTable(1, 10);
    const stuck = many('dead', 11);
    await dead.arrived(1);
    // The queue is full of the dead one's requests; its newest ones make room.
    const others = many('alive', 2);
    expect((await Promise.all(stuck.slice(-2))).map(codeOf)).toEqual(['busy', 'busy']);
    expect(codeOf(await table.execute('dead', request))).toBe('busy');
    const turns: string[] = [];
    for (const [name, server] of [
      ['dead', dead],
      ['alive', alive],
    ] as const)
      server.answer = (response) => {
        turns.push(name);
        response.end('1');
      };
    held[0]?.end('1');
    for (const outcome of await Promise.all([...others, ...stuck.slice(0, -2)])) expect(outcome.status).toBe('ok');
    expect(turns.slice(0, 4)).toEqual(['dead', 'alive', 'dead', 'alive']);
    expect(turns).toHaveLength(10);
  });

  it('that waited as long as they may run are refused when their turn comes', async () => {
    makeTable(1, 10, { dead: 300, alive: 100 });
    const [first, ...others] = [...many('dead', 1), ...many('alive', 3)];
    expect(codeOf(await first!)).toBe('backend_timeout');
    expect((await Promise.all(others)).map(codeOf)).toEqual(['busy', 'busy', 'busy']);
    expect(alive.seen).toHaveLength(0);
  });

  it('of a silent backend leave those places free that another one needs, however many they are', async () => {
    makeTable(4, 100);
    const stuck = many('dead', 50);
    await dead.arrived(3);
    expect(stats.inFlight).toBe(3);
    expect((await table.execute('alive', request)).status).toBe('ok');
    expect(dead.seen).toHaveLength(3);
    await table.close();
    await Promise.all(stuck);
  });

  // One client could have all places of a backend that was slow, and all of the queue behind them.
  it('of one client take an eighth of the places and of the queue, and those of the others come in turn with them', async () => {
    makeTable(16, 80, { dead: 20_000 });
    const of = (client: string, count: number) =>
      Array.from({ length: count }, () => table.execute('dead', request, { client }));
    const greedy = of('greedy', 40);
    expect((await Promise.all(greedy.slice(12))).map(codeOf)).toEqual(Array(28).fill('busy'));
    await dead.arrived(2);
    expect(stats).toMatchObject({ inFlight: 2, queued: 10 });
    const others = Array.from({ length: 7 }, (_, at) => of(`other ${at}`, 3)).flat();
    await dead.arrived(16);
    expect(stats).toMatchObject({ inFlight: 16, queued: 17 });
    expect(dead.seen).toHaveLength(16);
    dead.answer = (response) => response.end('1');
    for (const response of held) response.end('1');
    for (const outcome of await Promise.all([...greedy.slice(0, 12), ...others])) expect(outcome.status).toBe('ok');
    expect(stats).toMatchObject({ inFlight: 0, queued: 0 });
  });

  // They were asked in their turn all the same: who came, asked much and left, again and again, kept the places.
  it('of a client that has gone are not made when their turn comes, but for those that change something', async () => {
    makeTable(1, 10, { dead: 20_000 });
    const [first] = many('dead', 1);
    await dead.arrived(1);
    let isGone = false;
    const waiting = ['dead', 'change'].map((name) =>
      table.execute(name, request, { client: 'a', isGone: () => isGone }),
    );
    const kept = table.execute('dead', request, { client: 'b', isGone: () => false });
    isGone = true;
    dead.answer = (response) => response.end('1');
    held[0]?.end('1');
    expect((await Promise.all([first!, kept, ...waiting])).map(({ status }) => status)).toEqual([
      'ok',
      'ok',
      'error',
      'ok',
    ]);
    expect(dead.seen.map(({ method }) => method)).toEqual(['GET', 'GET', 'PUT']);
    expect(stats.errors.size).toBe(0);
  });

  it('of the patient wait beside the others, are never refused for them, and take turns with them', async () => {
    makeTable(1, 1, { dead: 20_000 });
    const [first] = many('dead', 1);
    await dead.arrived(1);
    const patient = Array.from({ length: 5 }, () => table.execute('dead', request, { patient: true }));
    const [second, third] = many('dead', 2);
    expect(codeOf(await third!)).toBe('busy');
    expect(stats.queued).toBe(6);
    const ended: string[] = [];
    patient.forEach((outcome, index) => void outcome.then(() => ended.push(`patient ${index}`)));
    void second!.then(() => ended.push('command'));
    dead.answer = (response) => response.end('1');
    held[0]?.end('1');
    for (const outcome of await Promise.all([first!, second!, ...patient])) expect(outcome.status).toBe('ok');
    expect(ended.slice(0, 2)).toEqual(['patient 0', 'command']);
  });

  it('are not made to a backend that gave no answer ten times, until a trial succeeds', async () => {
    makeTable(10, 100, { dead: 100 });
    expect(new Set((await Promise.all(many('dead', 10))).map(codeOf))).toEqual(new Set(['backend_timeout']));
    const seen = dead.seen.length;
    expect(new Set((await Promise.all(many('dead', 20))).map(codeOf))).toEqual(new Set(['backend_error']));
    expect(dead.seen).toHaveLength(seen);
    expect(stats.errors.get('dead')?.values.get('circuit_open')).toBe(20);
    dead.answer = (response) => response.end('1');
    // No faster than the trials are let through.
    while ((await table.execute('dead', request)).status !== 'ok') await new Promise((go) => setTimeout(go, 20));
    expect((await Promise.all(many('dead', 10))).every(({ status }) => status === 'ok')).toBe(true);
  });

  it('end when the table is closed', async () => {
    makeTable(2, 10, { dead: 20_000 });
    const outcomes = many('dead', 3);
    await dead.arrived(2);
    await table.close();
    expect((await Promise.all(outcomes)).map(codeOf)).toEqual(['backend_error', 'backend_error', 'backend_error']);
  });
});
