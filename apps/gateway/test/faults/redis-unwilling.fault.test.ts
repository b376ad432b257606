import { afterEach, expect, it } from '@jest/globals';
import { freezeRedis, redisAdmin, refuseWrites, startRedis, stepClock } from '@ws-gateway/testkit';
import { metric } from './gateway-processes.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load } from './load.js';
import { isFull, report, scale } from './scale.js';

/** Time in ms that a trouble lasts: longer than a lease, which is 10 s, and than somebody needs to notice. */
const HOLD_MS = isFull ? 60_000 : 13_000;
const TIMES = isFull ? scale.times : 1;
/** Each trouble takes a minute, and up to a minute more until everybody has what came meanwhile. */
const TIMEOUT_MS = isFull ? 3 * scale.timeoutMs : scale.timeoutMs;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Scene {
  readonly admin: ReturnType<typeof redisAdmin>;
  readonly keyPrefix: string;
}

/** Begins a trouble; returns what ends it. */
type Trouble = (scene: Scene) => Promise<() => unknown>;

const troubles: Record<string, Trouble> = {
  'stands still': ({ admin }) => freezeRedis(admin),
  'refuses writes': ({ admin }) => refuseWrites(admin),
  'has its clock stepped 15 s forward and back': async ({ admin, keyPrefix }) => {
    await stepClock(admin, keyPrefix, 15_000);
    return () => stepClock(admin, keyPrefix, -15_000);
  },
};

async function openLoad(): Promise<{ load: Load; admin: Scene['admin'] }> {
  const redis = await startRedis();
  const admin = redisAdmin(redis);
  cleanups.push(
    () => redis.stop(),
    async () => admin.disconnect(),
  );
  const nodes = [{ role: 'all' }, { role: 'all' }, { role: 'all' }] as const;
  const load = await Load.open({ nodes, redisAddress: redis.address });
  cleanups.push(() => load.close());
  return { load, admin };
}

// Fails when nodes take each other for dead because nobody could show a sign of life: all sockets but those of one node
// close, and their rows are told to have expired.
it.each(Object.keys(troubles))(
  'a Redis that %s for longer than a lease costs a delay: no socket closes, no row goes, nothing is lost or doubled',
  async (name) => {
    const { load, admin } = await openLoad();
    const { cluster, clients } = load;
    const flowsAfterMs: number[] = [];
    for (let time = 0; time < TIMES; time++) {
      await load.goOn();
      const end = await troubles[name]!({ admin, keyPrefix: cluster.group });
      await load.goOn(HOLD_MS);
      await end();
      flowsAfterMs.push(await load.flows());
    }
    const verdict = await load.verdict();
    let reaped = 0;
    for (const node of cluster.nodes) reaped += await metric(node, 'presence_rows_reaped_total');
    await report(`Redis ${name} for ${HOLD_MS / 1000} s, 3 nodes`, {
      times: TIMES,
      ...verdict,
      everybodyFlowsAgainMsMax: Math.round(Math.max(...flowsAfterMs)),
      closes: clients.closes(),
      presenceRowsReaped: reaped,
    });
    expect(verdict).toMatchObject(FAULTLESS);
    expect(clients.closes()).toEqual({});
    expect(reaped).toBe(0);
  },
  TIMEOUT_MS,
);
