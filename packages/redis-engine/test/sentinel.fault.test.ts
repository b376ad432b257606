import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RedisSentinels, replicaInSync, stopReplication, waitFor } from '@ws-gateway/testkit';
import { Flow, item } from './flow.js';
import { rightsIn } from './documented-rights.js';
import { createHarness } from './harness.js';
import { retention } from './open-socket.js';

let redis: RedisSentinels;
let flow: Flow;

beforeEach(async () => {
  redis = await RedisSentinels.start(rightsIn('sentinel|'));
  const server = { ...redis.nodes[0]!, sentinel: { name: redis.name, nodes: redis.nodes, ...redis.user } };
  flow = await Flow.open(await createHarness({ server }), ['ann', 'bob', 'cleo', 'dan']);
}, 90_000);
afterEach(async () => {
  await flow?.close();
  await redis?.stop();
}, 60_000);

describe('a master under Sentinels', () => {
  it('is killed: the replica takes over, nothing is missing, nothing comes twice', async () => {
    await flow.publish(20);
    await replicaInSync(redis.master);
    await redis.master.kill();
    await flow.unhealthy();
    flow.lane.run();
    await flow.healthy();
    await flow.goesOn(20);
    await flow.lane.end();
    await flow.sockets.waitFor(() => flow.sockets.rebuilds > 0, 'rows written again');
    await flow.expectAllArrived();
    expect(flow.users.flatMap((user) => flow.sockets.holesOf(user))).toEqual([]);
    expect((await flow.router.nodes()).map(({ node }) => node).sort()).toEqual(['edge', 'router']);
  }, 120_000);

  it('is killed before its replica has seen everything: that is told, and positions of it prove nothing', async () => {
    await flow.publish(1);
    await stopReplication(redis.master);
    await flow.publish(10);
    await flow.expectAllArrived();
    const own = { stream: 't/u/ann', retention, user: 'ann' };
    const [lost] = await flow.edge.positions([own]);
    await redis.master.kill();
    await flow.sockets.waitFor(() => flow.sockets.holesOf('ann').length > 0, 'a hole to be told of');
    await flow.healthy();
    await flow.router.publish({ source: null, items: [item('ann', 'first after')] });
    const page = await flow.edge.read(own, lost!, 100);
    expect([page.recovered, page.epoch === lost!.epoch]).toEqual([false, false]);
  }, 120_000);

  it('hands over on command: records flow again, by the new one', async () => {
    await flow.publish(20);
    await replicaInSync(redis.master);
    await flow.admin(redis.nodes[0]!).call('SENTINEL', 'FAILOVER', redis.name);
    const replica = flow.admin(redis.replica);
    const isMaster = async () => (await replica.info('replication')).includes('role:master');
    await waitFor(isMaster, { timeoutMs: 40_000, what: 'another master' });
    // The old one answers on, as a replica.
    await flow.sockets.waitFor(() => flow.sockets.rebuilds > 0, 'rows written again');
    await flow.healthy();
    await flow.publish(20);
    await flow.expectAllArrived();
    expect(flow.users.flatMap((user) => flow.sockets.holesOf(user))).toEqual([]);
  }, 120_000);

  // ioredis gives a connection up for ever when it hears of a new master while it asks who the master is.
  it('hands over while a Sentinel hangs that is being asked for it: records flow again, by the new one', async () => {
    await flow.publish(20);
    await replicaInSync(redis.master);
    const thaw = await flow.freeze(redis.nodes[0]!);
    await flow.admin(redis.master).client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await flow.unhealthy();
    await flow.admin(redis.nodes[1]!).call('SENTINEL', 'FAILOVER', redis.name);
    const replica = flow.admin(redis.replica);
    const isMaster = async () => (await replica.info('replication')).includes('role:master');
    await waitFor(isMaster, { timeoutMs: 40_000, what: 'another master' });
    await flow.healthy();
    await flow.publish(20);
    await flow.expectAllArrived();
    expect(flow.users.flatMap((user) => flow.sockets.holesOf(user))).toEqual([]);
    thaw();
  }, 120_000);
});
