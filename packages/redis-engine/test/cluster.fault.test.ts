import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PublishItem } from '@ws-gateway/core';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { RedisCluster, replicaInSync, stopReplication, waitFor, type OwnServer } from '@ws-gateway/testkit';
import { Keys } from '../src/keys.js';
import { clusterServer, createHarness } from './harness.js';
import { Flow, item, userOfEach } from './flow.js';
import { retention } from './open-socket.js';
import { listensAt, moveSlot } from './shards.js';

const PARTITIONS = 16;
const users = userOfEach(PARTITIONS);
const keys = new Keys('', { partitions: PARTITIONS });

let cluster: RedisCluster;
let flow: Flow;

async function openFlow(options: Parameters<typeof createHarness>[0] = {}): Promise<Flow> {
  const harness = await createHarness({ server: clusterServer(cluster.nodes), partitions: PARTITIONS, ...options });
  return Flow.open(harness, users);
}

beforeEach(async () => {
  cluster = await RedisCluster.start({ replicas: 1 });
  flow = await openFlow();
}, 90_000);
afterEach(async () => {
  await flow?.close();
  await cluster?.stop();
}, 60_000);

/** A room in a partition that another master has. */
async function roomElsewhere(master: OwnServer): Promise<string> {
  for (let i = 0; ; i++) {
    const room = `room/${i}`;
    const { port } = await cluster.masterOf(keys.slot(keys.partitionOf(room)));
    if (port !== master.port) return room;
  }
}

const inRoom = (stream: string, head: string): PublishItem => ({
  kind: 'channel',
  stream,
  retention: null,
  head,
  sourceOffset: -1,
  recordTimeMs: 1,
});

describe('a master that dies', () => {
  // Partition 0 has the list of nodes and their leases.
  it.each([0, 1])(
    'of partition %i: its replica takes over, nothing is missing, nothing comes twice',
    async (dead) => {
      const { router, edge, sockets, lane } = flow;
      const slot = keys.slot(dead);
      const master = await cluster.masterOf(slot);
      const room = await roomElsewhere(master);
      await edge.watch([room]);
      await flow.publish(20);
      await replicaInSync(master);
      await master.kill();
      await flow.unhealthy();

      await expect(router.publish({ source: null, items: [item(users[dead]!, 'x')] })).rejects.toMatchObject({
        code: 'unavailable',
        retryable: true,
      });
      expect(await router.publish({ source: null, items: [inRoom(room, 'meanwhile')] })).toMatchObject({ routed: 1 });
      await sockets.waitFor(() => sockets.texts('meanwhile').length === 1, 'what others publish meanwhile');
      expect([router.healthy, edge.healthy]).toEqual([false, false]);

      lane.run();
      await flow.healthy();
      await flow.goesOn(20);
      await lane.end();
      expect((await cluster.masterOf(slot)).port).not.toBe(master.port);
      await sockets.waitFor(() => sockets.rebuilds > 0, 'rows written again');
      await flow.expectAllArrived();
      expect(users.flatMap((user) => sockets.holesOf(user))).toEqual([]);
      expect((await router.nodes()).map(({ node }) => node).sort()).toEqual(['edge', 'router']);
    },
    120_000,
  );

  it('with records that its replica has not seen: that is told, and their positions prove nothing', async () => {
    const { router, edge, sockets } = flow;
    const [partition, user] = [3, users[3]!];
    const master = await cluster.masterOf(keys.slot(partition));
    const isElsewhere = async (p: number) => (await cluster.masterOf(keys.slot(p))).port !== master.port;
    const elsewhere = await Promise.all(users.map((_, p) => isElsewhere(p)));
    await flow.publish(1);
    await stopReplication(master);
    await flow.publish(10);
    await flow.expectAllArrived();
    const own = { stream: `t/u/${user}`, retention, user };
    const [lost] = await edge.positions([own]);
    await master.kill();
    await sockets.waitFor(() => sockets.holesOf(user).length > 0, 'a hole to be told of');
    // The other masters have lost nothing, and their streams go on.
    for (const [p, other] of users.entries()) if (elsewhere[p]) expect(sockets.holesOf(other)).toEqual([]);
    await flow.healthy();
    const page = await edge.read(own, lost!, 100);
    expect([page.recovered, page.offset]).toEqual([false, 1]);
    await router.publish({ source: null, items: [item(user, 'first after')] });
    const after = await edge.read(own, { epoch: lost!.epoch, offset: 1 }, 100);
    expect([after.recovered, after.epoch === lost!.epoch, after.messages.length]).toEqual([true, false, 1]);
  }, 120_000);
});

describe('a master that hangs', () => {
  // ioredis waits for ever for the first answer of a server that has taken the connection.
  it('with new connections to it: they end, and its replica takes over', async () => {
    await flow.close();
    // Given up, and made anew to the same server, before that is replaced.
    flow = await openFlow({ callTimeoutMs: 500 });
    const master = await cluster.masterOf(8000);
    flow.lane.run();
    await flow.goesOn(20);
    await replicaInSync(master);
    const thaw = await flow.freeze(master);
    await flow.unhealthy();
    await expectNothingLost();
    thaw();
  }, 120_000);
});

describe('a master that is away for good', () => {
  // One failed call of all had been taken for a sign that nobody could be judged, and a reaper stopped at the first one.
  it('keeps no rows of a dead node in the partitions of the others', async () => {
    await flow.close();
    const times = { leaseMs: 1500, refreshMs: 200, callTimeoutMs: 500 };
    const harness = await createHarness({ server: clusterServer(cluster.nodes), partitions: PARTITIONS, ...times });
    flow = await Flow.open(harness, users);
    // It never refreshes its lease.
    const dead = harness.createEngine('dead', { refreshMs: 3_600_000 });
    await dead.start(new RecordingInbox());
    const row = { endpoint: '/ws', sinceMs: 1, streams: [], sessions: null };
    const ownerOf = async (p: number) => (await cluster.masterOf(keys.slot(p))).port;
    const leases = await ownerOf(0);
    const owners = await Promise.all(users.map((_, p) => ownerOf(p)));
    const away = (await cluster.masterOf(keys.slot(owners.findIndex((port) => port !== leases))))!;
    for (const server of cluster.nodes) {
      await flow.admin(server).config('SET', 'cluster-require-full-coverage', 'no');
      await flow.admin(server).config('SET', 'cluster-replica-no-failover', 'yes');
    }
    await Promise.all(users.map((user) => dead.admit({ connection: `dead-${user}`, user, ...row })));
    const thaw = await flow.freeze(away);
    try {
      const isGone = async (user: string) =>
        (await flow.edge.presence(user)).every(({ connection }) => connection !== `dead-${user}`);
      const there = users.filter((_, p) => owners[p] !== away.port);
      await waitFor(async () => (await Promise.all(there.map(isGone))).every(Boolean), {
        timeoutMs: 20_000,
        what: 'its rows to be reaped where there is a master',
      });
      thaw();
      await waitFor(async () => (await Promise.all(users.map(isGone))).every(Boolean), {
        timeoutMs: 30_000,
        what: 'the others to be reaped, too',
      });
    } finally {
      thaw();
      await dead.stop();
    }
  }, 120_000);
});

describe('a master that hands over', () => {
  it('to its replica, on command: nothing is missing while records flow', async () => {
    const slot = keys.slot(2);
    const master = await cluster.masterOf(slot);
    flow.lane.run();
    await flow.goesOn(20);
    await listensAt(master, { node: 'edge', partition: 2 });
    await flow.admin(await cluster.replicaOf(master)).cluster('FAILOVER');
    await waitFor(async () => (await cluster.masterOf(slot)).port !== master.port, { what: 'another master' });
    await flow.goesOn(20);
    await listensAt(await cluster.masterOf(slot), { node: 'edge', partition: 2 });
    await expectNothingLost();
  }, 120_000);

  it('a slot to another master: its partition waits and goes on there', async () => {
    const slot = keys.slot(2);
    const from = await cluster.masterOf(slot);
    const to = await anotherMaster(from);
    flow.lane.run();
    await flow.goesOn(20);
    await listensAt(from, { node: 'edge', partition: 2 });
    await moveSlot(slot, from, to);
    expect((await cluster.masterOf(slot)).port).toBe(to.port);
    await listensAt(to, { node: 'edge', partition: 2 });
    await expectNothingLost();
  }, 120_000);
});

async function expectNothingLost(): Promise<void> {
  await flow.goesOn(20);
  await flow.lane.end();
  await flow.healthy();
  await flow.expectAllArrived();
  expect(flow.users.flatMap((user) => flow.sockets.holesOf(user))).toEqual([]);
}

async function anotherMaster(than: OwnServer): Promise<OwnServer> {
  for (let slot = 0; ; slot += 100) {
    const server = await cluster.masterOf(slot);
    if (server.port !== than.port) return server;
  }
}
