/**
 * Measures what a handshake costs, from the request to `connected` and to the removal of the presence row after the
 * cut.
 */
import { randomUUID } from 'node:crypto';
import { HandshakeLoad, nowMicros, UsageSeries, userName } from '@ws-gateway/load-generator';
import { BareServer } from '../lib/bare-server.js';
import { runBench, type Bench } from '../lib/bench.js';
import { tokenOf, type Gateway } from '../lib/gateway.js';
import { GATEWAY_CORE } from '../lib/machine.js';
import { busyFigures, mean, sumOf, type Figure, type Report } from '../lib/report.js';
import { createTopics, groupIsStable } from '../lib/servers.js';
import { waitFor } from '../lib/wait.js';

const PARTITIONS = 6;
const TOKEN_LIFE_SECONDS = 3600;

/** `wsg.v1`: the socket is upgraded before its client is admitted. */
const KINDS = ['new token', 'same token', 'same token without wsg.v1', 'bare'] as const;

/** Each round has this number of handshakes of each kind; the first `warmup` rounds are not counted. */
const defaults = { handshakes: 2_000, rounds: 5, warmup: 2, parallel: 64 };

await runBench('handshake', defaults, measure);

type Kind = (typeof KINDS)[number];

interface Stretch {
  readonly kind: Kind;
  readonly fromMicros: number;
  readonly toMicros: number;
}

async function measure(bench: Bench<typeof defaults>): Promise<Report> {
  const { handshakes, rounds, warmup, parallel } = bench.options;
  const { admin, redisPid } = bench.servers;
  const topics = { notifications: `${bench.id}-n`, 'balance-updates': `${bench.id}-b` };
  await createTopics(admin, Object.values(topics), PARTITIONS);
  const gateway = await bench.gateway({ topics, until: '/ready' });
  await groupIsStable(admin, bench.id, 1);
  const load = bench.ends(new HandshakeLoad());
  const path = `/ws?topics=${Object.keys(topics).join(',')}`;
  const known = newTokens(handshakes);
  const { host, port } = gateway;
  const { frameBytes } = await load.run({ host, port, path, tokens: known, parallel });
  const bare = bench.ends(await BareServer.start(frameBytes));

  const redis = redisPid === null ? {} : { redis: [redisPid] };
  const usage = new UsageSeries({ gateway: [gateway.pid], ...redis, bare: [bare.pid] }, [GATEWAY_CORE]);
  const stretches: Stretch[] = [];
  for (let round = 0; round < warmup + rounds; round++) {
    bench.log(`round ${round + 1} of ${warmup + rounds}`);
    for (const kind of KINDS) {
      const target = kind === 'bare' ? bare : gateway;
      const tokens = kind === 'new token' ? newTokens(handshakes) : known;
      const fromMicros = nowMicros();
      const readsRefusals = kind === 'new token' || kind === 'same token';
      await load.run({ host: target.host, port: target.port, path, tokens, parallel, readsRefusals });
      await allReleased(gateway);
      if (round >= warmup) stretches.push({ kind, fromMicros, toMicros: nowMicros() });
    }
  }
  usage.stop();
  const figures = figuresOf(stretches, usage, handshakes);
  return { figures: [...figures, { name: 'size of `connected`', value: frameBytes, unit: 'bytes' }], verdicts: {} };
}

/** Makes tokens as an issuer does: no two are equal. */
function newTokens(count: number): string[] {
  const now = Math.floor(Date.now() / 1000);
  const rest = { iat: now, exp: now + TOKEN_LIFE_SECONDS };
  return Array.from({ length: count }, (_, user) => tokenOf(userName(user), { ...rest, jti: randomUUID() }));
}

/**
 * Resolves when all rows are gone. They go in the turn of the loop in which the sockets went, so this is the end of it
 * but for the answer of Redis.
 */
async function allReleased({ host, port }: Gateway): Promise<void> {
  await waitFor('the sockets to be gone', 10_000, async () => {
    const response = await fetch(`http://${host}:${port}/health`);
    return ((await response.json()) as { client_count: number }).client_count === 0;
  });
}

function figuresOf(stretches: readonly Stretch[], usage: UsageSeries, handshakes: number): Figure[] {
  const all = stretches.map(({ kind, fromMicros, toMicros }) => ({
    kind,
    seconds: (toMicros - fromMicros) / 1e6,
    cpu: usage.between(fromMicros, toMicros),
  }));
  const of = (kind: Kind, process: string): number[] =>
    all.filter((stretch) => stretch.kind === kind).map(({ cpu }) => ((cpu[process] ?? NaN) * 1e6) / handshakes);
  const goals = { 'new token': 230, 'same token': 160, 'same token without wsg.v1': 280 };
  const seconds = all.reduce((sum, stretch) => sum + stretch.seconds, 0);
  return [
    ...KINDS.filter((kind) => kind !== 'bare').flatMap((kind): Figure[] => [
      { name: `${kind}: CPU of the gateway`, value: mean(of(kind, 'gateway')), unit: 'µs', atMost: goals[kind] },
      { name: `${kind}: least of a round`, value: Math.min(...of(kind, 'gateway')), unit: 'µs' },
      { name: `${kind}: CPU of Redis`, value: mean(of(kind, 'redis')), unit: 'µs' },
    ]),
    { name: 'bare uWebSockets.js: CPU', value: mean(of('bare', 'bare')), unit: 'µs' },
    { name: 'bare uWebSockets.js: least of a round', value: Math.min(...of('bare', 'bare')), unit: 'µs' },
    ...busyFigures(sumOf(all.map(({ cpu }) => cpu)), seconds, ['gateway', 'bare']),
  ];
}
