import { afterEach, expect, it } from '@jest/globals';
import { createTopics, leadGroup, waitFor } from '@ws-gateway/testkit';
import { FAULTLESS, verdictOf } from './delivery-ledger.js';
import { GatewayProcesses } from './gateway-processes.js';
import { ListeningClients } from './listening-clients.js';
import { Load } from './load.js';
import { isFull, promisedMs, report, scale, userNames } from './scale.js';
import { SteadyProducer } from './steady-producer.js';

const ROUNDS = isFull ? 5 : 1;
const BEFORE = { role: 'all', topics: ['notifications', 'user-blocks'] } as const;
const AFTER = { role: 'all', topics: ['notifications', 'user-blocks', 'added'] } as const;
const RATE = 100;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// Fails when partitions are dealt out by what one member knows: those of the added topic are read by nobody, or by a node
// that drops them.
it(
  'a roll-out that adds a topic, and one that takes it away: both topics flow in the middle of it, nothing is lost',
  async () => {
    const history = { history: { size: 2000, ttl: '1h' } };
    const load = await Load.open({ nodes: [BEFORE], topics: { added: history }, rate: RATE });
    cleanups.push(() => load.close());
    const { cluster } = load;
    const users = userNames(20);
    const knowing = new Set([(await cluster.start(AFTER)).wsUrl]);
    const targets = () => cluster.targets().filter((url) => knowing.has(url));
    const clients = await ListeningClients.open({ users, topics: 'added', targets });
    cleanups.push(() => clients.close());
    const kafkaTopic = cluster.kafkaTopic('added');
    const producer = new SteadyProducer({ brokers: cluster.brokers, kafkaTopic, users, rate: RATE });
    cleanups.push(() => producer.close());
    producer.start();
    for (let round = 0; round < ROUNDS; round++) {
      for (const spec of [AFTER, BEFORE]) {
        // The other way round the last node that knows the topic stays.
        const [oldest] = cluster.nodes;
        const started = await cluster.start(spec);
        if (spec === AFTER) knowing.add(started.wsUrl);
        await load.flows();
        knowing.delete(oldest!.wsUrl);
        await cluster.stop(oldest!);
        await load.flows();
        producer.sendToAll();
        await clients.reached(producer.newest(), 45_000);
      }
    }
    const verdict = await load.verdict();
    await producer.pause();
    producer.sendToAll();
    await producer.pause();
    await clients.reached(producer.newest(), 45_000);
    const added = verdictOf(producer.sent(), clients.received);
    const produced = verdict.produced + added.produced;
    await report('roll-out with a topic that only some nodes know', { times: ROUNDS, ...verdict, produced });
    expect(verdict).toMatchObject(FAULTLESS);
    expect(added).toMatchObject(FAULTLESS);
  },
  scale.timeoutMs,
);

// A member of an earlier release that leads the group deals out only what it knows itself.
it(
  'a topic that the group gives to nobody is named within 15 s, and read as soon as it is given to somebody',
  async () => {
    const cluster = await GatewayProcesses.open({ nodes: [] });
    cleanups.push(() => cluster.close());
    const kafkaTopic = cluster.kafkaTopic('notifications');
    await createTopics([`${cluster.group}-other`], 2);
    const leave = await leadGroup(cluster.group, `${cluster.group}-other`);
    cleanups.push(leave);
    const node = await cluster.start({ role: 'all', ready: false });
    const warnings = async (): Promise<readonly string[]> => {
      const { warnings: told = [] } = (await (await fetch(`${node.httpUrl}/ready`)).json()) as { warnings?: string[] };
      return told;
    };
    await waitFor(() => node.logs.some(({ message }) => message === 'kafka group joined'), { what: 'the join' });
    const joinedMs = performance.now();
    await waitFor(async () => (await warnings()).includes(`topic:${kafkaTopic}:unread`), { what: 'the warning' });
    expect(performance.now() - joinedMs).toBeLessThan(promisedMs(15_000));
    const clients = await ListeningClients.open({ users: ['u1'], topics: 'notifications', targets: cluster.targets });
    cleanups.push(() => clients.close());
    const producer = new SteadyProducer({ brokers: cluster.brokers, kafkaTopic, users: ['u1'], rate: RATE });
    cleanups.push(() => producer.close());
    await leave();
    await waitFor(async () => (await warnings()).length === 0, { what: 'no warning' });
    producer.start();
    await waitFor(() => clients.listeners[0]!.sequences.length > 0, { what: 'a record' });
  },
  scale.timeoutMs,
);

// An edge is in no group, and nobody told it.
it(
  'an edge names the topics that no router reads, also when the router that read one is killed',
  async () => {
    const edge = { role: 'edge', topics: ['notifications', 'added'] } as const;
    const cluster = await GatewayProcesses.open({
      nodes: [edge, { role: 'router', topics: ['notifications'] }],
      topics: { added: {} },
    });
    cleanups.push(() => cluster.close());
    const unread = `topic:${cluster.kafkaTopic('added')}:unread`;
    const readiness = async () => {
      const answer = await fetch(`${cluster.edges[0]!.httpUrl}/ready`);
      const { warnings = [] } = (await answer.json()) as { warnings?: string[] };
      return { status: answer.status, warnings };
    };
    const tells = (warnings: readonly string[]) => async () => {
      const now = await readiness();
      return now.status === 200 && now.warnings.join() === warnings.join();
    };
    const patience = { timeoutMs: 60_000 };
    await waitFor(tells([unread]), { what: 'the topic that nobody reads', ...patience });
    const router = await cluster.start({ role: 'router', topics: ['added'] });
    await waitFor(tells([]), { what: 'no warning', ...patience });
    await cluster.kill(router);
    const killedMs = performance.now();
    await waitFor(tells([unread]), { what: 'the topic of the killed router', ...patience });
    expect(performance.now() - killedMs).toBeLessThan(promisedMs(15_000));
  },
  scale.timeoutMs,
);
