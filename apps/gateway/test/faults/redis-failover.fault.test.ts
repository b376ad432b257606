import { afterEach, expect, it } from '@jest/globals';
import { RedisSentinels, stopReplication } from '@ws-gateway/testkit';
import { FAULTLESS, verdictOf, type Verdict } from './delivery-ledger.js';
import { ListeningClients } from './listening-clients.js';
import { Load, TOPIC } from './load.js';
import { isFull, report, scale, userNames } from './scale.js';

const TIMES = isFull ? scale.times : 1;
/** Time in ms for which the master takes records that its replica never sees. */
const UNSEEN_MS = 2000;
const RATE = isFull ? 500 : scale.rate;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Half of the users are away while the master dies; returns what everybody got at last. */
async function failover(): Promise<Verdict & { flowsAfterMs: number; closes: Record<string, number> }> {
  const redis = await RedisSentinels.start();
  cleanups.push(() => redis.stop());
  const all = userNames(isFull ? 200 : 40);
  const [users, others] = [all.slice(0, all.length / 2), all.slice(all.length / 2)];
  const nodes = redis.nodes.map(({ host, port }) => `${host}:${port}`);
  const sentinel = { mode: 'sentinel', sentinel: { name: redis.name, nodes, ...redis.user } };
  const roles = [{ role: 'all' }, { role: 'all' }] as const;
  const load = await Load.open({ nodes: roles, redis: sentinel, users, others, rate: RATE });
  cleanups.push(() => load.close());
  let areAway = false;
  const targets = () => (areAway ? [] : load.cluster.targets());
  const absent = await ListeningClients.open({ users: others, topics: TOPIC, targets });
  cleanups.push(() => absent.close());
  await absent.reached(new Map(others.map((user) => [user, 1])), 30_000);
  areAway = true;
  for (const listener of absent.listeners) listener.breakOff();
  await load.goOn();
  await stopReplication(redis.master);
  await load.goOn(UNSEEN_MS);
  const killedMs = performance.now();
  await redis.master.kill();
  await load.flows();
  const flowsAfterMs = performance.now() - killedMs;
  areAway = false;
  await absent.connected();
  await load.verdict();
  await absent.reached(load.producer.newest(), 60_000);
  const received = [...load.clients.received, ...absent.received];
  // Numbers from before they first came are not theirs.
  const sent = new Map(load.producer.sent());
  for (const { user, sequences } of absent.listeners) {
    sent.set(
      user,
      sent.get(user)!.filter((sequence) => sequence >= sequences[0]!),
    );
  }
  const verdict = verdictOf(sent, received);
  const closes = load.clients.closes();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  return { ...verdict, flowsAfterMs, closes };
}

// Fails when what the old master confirmed and its replica never saw is taken for applied: nobody who was away would ever
// get it, and his position would prove that nothing is missing.
it(
  'a master that dies with records its replica has not seen: elected Sentinels promote it, and everybody gets all of them once',
  async () => {
    const results: Awaited<ReturnType<typeof failover>>[] = [];
    for (let time = 0; time < TIMES; time++) results.push(await failover());
    const sum = (name: 'produced' | 'received' | 'lost' | 'duplicates' | 'outOfOrder' | 'offsetFaults') =>
      results.reduce((total, result) => total + result[name], 0);
    await report('failover by Sentinels that loses 2 s of writes, half of the users away', {
      times: TIMES,
      produced: sum('produced'),
      received: sum('received'),
      lost: sum('lost'),
      duplicates: sum('duplicates'),
      outOfOrder: sum('outOfOrder'),
      everybodyFlowsAgainMsMax: Math.round(Math.max(...results.map(({ flowsAfterMs }) => flowsAfterMs))),
      closes: results.map(({ closes }) => closes),
    });
    for (const result of results) expect(result).toMatchObject(FAULTLESS);
  },
  scale.timeoutMs,
);
