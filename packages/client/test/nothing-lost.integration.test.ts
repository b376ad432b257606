import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import WS from 'ws';
import type { Client } from '../src/index.js';
import { TestGateways, record, watch } from './test-gateways.js';

let gateways: TestGateways;
const clients: Client[] = [];

beforeEach(async () => {
  gateways = await TestGateways.open();
}, 90_000);
afterEach(async () => {
  for (const client of clients.splice(0)) void client.close();
  await gateways?.close();
}, 60_000);

function open(...args: Parameters<TestGateways['client']>): Client {
  const client = gateways.client(...args);
  clients.push(client);
  return client;
}

/** Batches without a pause between them, until `enough` says so or it is over; gives how many records it wrote. */
async function produceUntil(users: readonly string[], enough: () => boolean): Promise<number> {
  let written = 0;
  const deadline = Date.now() + 30_000;
  while (!enough() && Date.now() < deadline) {
    const batch = Array.from({ length: 20 }, (_, at) => written + at);
    await gateways.produce('notifications', ...batch.flatMap((at) => users.map((user) => record(user, at))));
    written += batch.length;
  }
  return written;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

describe('a client whose node goes away under load', () => {
  it.each([
    ['killed', 'the global WebSocket', {}],
    ['killed', 'the ws package', { WebSocket: WS }],
    ['drained', 'the global WebSocket', {}],
  ] as const)(
    '%s, over %s: gets every record once and in order',
    async (how, _what, options) => {
      const users = upTo(20).map((at) => `user-${at}`);
      const seen = users.map((user) => {
        const client = open(user, options);
        return { client, ...watch(client) };
      });
      await Promise.all(seen.map(({ client }) => client.ready()));
      const [first] = gateways.edges;
      const gone: Promise<unknown>[] = [];
      const written = await produceUntil(users, () => {
        const count = seen[0]!.messages.length;
        if (gone.length === 0 && count >= 100) gone.push(how === 'killed' ? first!.kill() : first!.stop());
        return seen.every(({ events, messages }) => events.includes('recovered') && messages.length >= 300);
      });
      for (const { messages, payloads, events } of seen) {
        await waitFor(() => messages.length >= written, { what: `${written} messages`, timeoutMs: 20_000 });
        expect(payloads()).toEqual(upTo(written));
        expect(messages.map(({ offset }) => offset)).toEqual(upTo(written).map((at) => at + 1));
        expect(events).not.toContain('lost');
      }
      await Promise.all(gone);
    },
    60_000,
  );

  it('goes on from saved positions, as after a page reload', async () => {
    const before = open('ann');
    const seen = watch(before);
    await before.ready();
    await gateways.produce('notifications', record('ann', 1), record('ann', 2));
    await waitFor(() => seen.messages.length === 2);
    const positions = JSON.parse(JSON.stringify(before.positions())) as ReturnType<Client['positions']>;
    await before.close();
    await gateways.produce('notifications', record('ann', 3));
    const after = open('ann', { positions });
    const told = watch(after);
    await waitFor(() => told.messages.length > 0);
    expect(told.payloads()).toEqual([3]);
    expect(told.events.slice(0, 2)).toEqual(['connected', 'recovered']);
  });

  it('gets the newest balance once, and says nothing twice when it comes back', async () => {
    const balance = open('bea', { topics: ['balance-updates'] });
    const first = watch(balance);
    await balance.ready();
    await gateways.produce('balance-updates', record('bea', { balance: 1 }), record('bea', { balance: 2 }));
    await waitFor(() => first.payloads().some((payload) => (payload as { balance: number }).balance === 2));
    const late = open('bea', { topics: ['balance-updates'] });
    const { payloads, events } = watch(late);
    await waitFor(() => payloads().length > 0);
    expect(payloads()).toEqual([{ balance: 2 }]);
    await gateways.edges[0]!.kill();
    await waitFor(() => events.includes('recovered'), { timeoutMs: 20_000 });
    await gateways.produce('balance-updates', record('bea', { balance: 3 }));
    await waitFor(() => payloads().length > 1);
    expect(payloads()).toEqual([{ balance: 2 }, { balance: 3 }]);
  });
});
