/**
 * npm --prefix bench run scale [-- --json]
 *
 * What an installation of so many connections needs, and what happens when a third of it is lost: computed from the unit
 * costs in costs.json, and modelled where queues decide (src/lib/return-model.ts). It measures nothing, so it needs no quiet machine.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import '../../scripts/typescript-sources.mjs';

const { simulateReturn } = await import('../src/lib/return-model.ts');
const { table } = await import('../src/lib/report.ts');

const { values: flags } = parseArgs({ options: { json: { type: 'boolean' } } });
const costs = JSON.parse(readFileSync(new URL('./costs.json', import.meta.url), 'utf8'));
const cost = (name) => costs[name].value;

const CONNECTIONS = [100_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000];
/** Of a process with one core. */
const SOCKETS_A_PROCESS = 25_000;
const PROCESSES_A_POD = 4;
/** A message a minute for each user. */
const MESSAGES_A_SECOND = 1 / 60;
const LIFE_SECONDS = 1800;
/** Messages of an hour, and of five minutes. */
const KEPT_LONG = 60;
const KEPT_SHORT = 5;
const REDIS_PARTITIONS = 64;
/** A core is full at half: the rest is for what comes at once. */
const FULL = 0.5;
const GIB = 2 ** 30;
/** The part of the installation that is simulated: its processes are alike. */
const SIMULATED_MAX = 50_000;
/** As packages/client and the gateway have it: a client waits 10 s, and is spread over 1 ms for each 4 sockets of a process. */
const PATIENCE_MS = 10_000;
/** As the engine has it. */
const CALL_TIMEOUT_MS = 5000;
const HORIZON_MS = 600_000;
const SPREAD_MS = Math.max(2000, SOCKETS_A_PROCESS / 4);

function planOf(connections) {
  const processes = Math.max(6, Math.ceil(connections / SOCKETS_A_PROCESS));
  const records = connections * MESSAGES_A_SECOND;
  const handshakes = connections / LIFE_SECONDS;
  const idleRedis = handshakes * (cost('admitMicros') + cost('releaseMicros'));
  const cores = (micros) => micros / 1e6;
  const redisSmall = cores(records * cost('redisMicros') + idleRedis);
  const redisLarge = cores(records * cost('redisLargeMicros') + idleRedis);
  const masters = Math.max(1, Math.ceil(redisLarge / FULL));
  return {
    connections,
    pods: Math.ceil(processes / PROCESSES_A_POD),
    processes,
    'memory plain, GiB': (connections * (cost('socketBytes') + cost('kernelBytes'))) / GIB,
    'memory TLS, GiB': (connections * (cost('socketBytes') + cost('kernelBytes') + cost('tlsBytes'))) / GIB,
    'records/s': records,
    'idle, cores': cores(connections * cost('idleMicros')),
    'edges, cores': cores(records * cost('edgeMicros')),
    'handshakes, cores': cores(handshakes * cost('handshakeMicros')),
    'routers, cores': cores(records * cost('routerMicros')),
    'Kafka partitions': Math.max(6, Math.ceil(cores(records * cost('routerMicros')) / FULL) * 16),
    'Redis, cores, small calls': redisSmall,
    'Redis, cores, large calls': redisLarge,
    'Redis masters': masters,
    // What the crowd of a lost third needs must be done before the last of it has waited for too long.
    'Redis masters, a third is lost': Math.max(
      masters,
      Math.ceil(((connections / 3) * cost('admitMicros')) / 1000 / FULL / (CALL_TIMEOUT_MS + SPREAD_MS)),
    ),
    'handshakesPerSecond that they bear': (masters * FULL * 1e6) / cost('admitMicros') / ((processes * 2) / 3),
    'Redis memory, presence, GiB': (connections * cost('presenceBytes')) / GIB,
    'Redis memory, an hour kept, GiB': (connections * KEPT_LONG * cost('keptBytes')) / GIB,
    'Redis memory, 5 minutes kept, GiB': (connections * KEPT_SHORT * cost('keptBytes')) / GIB,
    'connections a master': (2 * REDIS_PARTITIONS * processes) / masters,
    'reaping a dead pod, s of a master': cores(PROCESSES_A_POD * SOCKETS_A_PROCESS * cost('reapMicros')),
    'reaping a third, s of each master': cores((connections / 3) * cost('reapMicros')) / masters,
  };
}

/** A third of the connections come back at the two thirds of the processes that are left. */
function zoneLost(connections, masters, question = {}) {
  const processes = Math.max(6, Math.ceil(connections / SOCKETS_A_PROCESS));
  const lost = Math.round(connections / 3);
  const part = Math.min(1, SIMULATED_MAX / lost);
  // Fewer masters that take longer are not the same as many: their number stays, and each does its part of the work.
  const servers = Math.max(1, Math.round((processes * 2 * part) / 3));
  const clients = Math.round((servers * lost * 3) / (processes * 2));
  const share = clients / lost;
  const { afterMs, attempts, refused, givenUp, waitMsMax } = simulateReturn({
    clients,
    spreadMs: SPREAD_MS,
    servers,
    // What else a process does goes on: its idle sockets and their messages.
    serviceMs: cost('handshakeMicros') / 1000 / (1 - loadOf(connections, processes)),
    takeoverMs: ((lost / processes) * 1.5 * cost('takeoverMicros')) / 1000,
    masters,
    admitMs: cost('admitMicros') / 1000 / share / (1 - FULL),
    patienceMs: PATIENCE_MS,
    callTimeoutMs: CALL_TIMEOUT_MS,
    horizonMs: HORIZON_MS,
    ...question,
  });
  const at = (quantile) => (afterMs[Math.floor((clients - 1) * quantile)] ?? Infinity) / 1000;
  return {
    connections,
    masters,
    ...(question.limitPerSecond === undefined ? {} : { 'limit a process': question.limitPerSecond }),
    ...(question.spreadMs === undefined ? {} : { 'spread, s': question.spreadMs / 1000 }),
    '50 % back, s': at(0.5),
    '90 % back, s': at(0.9),
    '99 % back, s': at(0.99),
    'all back, s': at(1),
    'tries each': attempts / clients,
    'given up, %': (100 * givenUp) / attempts,
    'refused, %': (100 * refused) / attempts,
    'longest handshake, s': waitMsMax.handshake / 1000,
  };
}

function loadOf(connections, processes) {
  const perSocket = cost('idleMicros') + MESSAGES_A_SECOND * (cost('edgeMicros') + cost('routerMicros'));
  return ((connections / processes) * perSocket) / 1e6;
}

const plans = CONNECTIONS.map(planOf);
const ten = plans.find(({ connections }) => connections === 10_000_000);
const answers = {
  plan: plans,
  'a third is lost': plans.map((plan) => zoneLost(plan.connections, plan['Redis masters'])),
  'ten million, by masters': [4, 8, 16, 32, 64].map((masters) => zoneLost(ten.connections, masters)),
  'ten million, 8 masters, by spread': [2.5, 6.25, 12, 30, 120].map((seconds) =>
    zoneLost(ten.connections, 8, { spreadMs: seconds * 1000 }),
  ),
  'ten million, 8 masters, by handshakesPerSecond': [0, 100, 400, 1000].map((limitPerSecond) =>
    zoneLost(ten.connections, 8, { limitPerSecond }),
  ),
};

if (flags.json) console.log(JSON.stringify({ costs, ...answers }, null, 2));
else for (const [name, rows] of Object.entries(answers)) console.log(`${name}\n${asTable(name, rows)}\n`);

/** The plan has a column for each size, the others a row for each question. */
function asTable(name, rows) {
  const names = Object.keys(rows[0]);
  if (name === 'plan') return table(names.map((key) => [key, ...rows.map((row) => shown(row[key]))]));
  return table([names, ...rows.map((row) => names.map((key) => shown(row[key])))]);
}

function shown(value) {
  if (value === Infinity) return 'never';
  return value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString('en') : value.toFixed(2);
}
