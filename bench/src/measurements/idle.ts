/** Measures what an idle socket costs, and what it costs in uWebSockets.js without a gateway. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  LoadProducer,
  residentBytes,
  settled,
  SocketFleet,
  UsageSeries,
  nowMicros,
  type FleetOptions,
  verify,
} from '@ws-gateway/load-generator';
import { BareServer } from '../lib/bare-server.js';
import { runBench, type Bench } from '../lib/bench.js';
import { tokenOf } from '../lib/gateway.js';
import { GATEWAY_CORE, slabBytes } from '../lib/machine.js';
import { busyFigures, type Report } from '../lib/report.js';
import { createTopics, groupIsStable } from '../lib/servers.js';

const RATE = 2_000;
const TICK_MS = 10;
const QUIET_MS = 3_000;
const PARTITIONS = 6;
/** Size of the first frame in bytes: that of the gateway's `connected` here. */
const FRAME_BYTES = 517;

/** The window is two heartbeats of 25 s. */
const defaults = { sockets: 10_000, warmup: 500, settle: 15, seconds: 50 };

await runBench('idle', defaults, measure);

async function measure(bench: Bench<typeof defaults>): Promise<Report> {
  const { sockets, warmup, settle, seconds } = bench.options;
  const { brokers, admin } = bench.servers;
  const topics = { notifications: `${bench.id}-n`, 'balance-updates': `${bench.id}-b` };
  await createTopics(admin, Object.values(topics), PARTITIONS);
  const gateway = await bench.gateway({ topics, until: '/ready' });
  await groupIsStable(admin, bench.id, 1);
  const freshBytes = residentBytes(gateway.pid);
  const bare = bench.ends(await BareServer.start(FRAME_BYTES));
  const connect = (users: number, target: FleetOptions['targets'][number]): Promise<SocketFleet> =>
    SocketFleet.connect({
      shape: { users, records: users },
      targets: [target],
      topics: Object.keys(topics),
      tokenOf,
    });

  bench.log(`connecting ${warmup} clients to each, and cutting them: the handshake's own code and heap`);
  for (const target of [bare, gateway]) await (await connect(warmup, target)).stop();
  await delay(settle * 1000);
  const warmBytes = residentBytes(gateway.pid);
  const bareWarmBytes = residentBytes(bare.pid);
  const slabBefore = slabBytes();
  bench.log(`connecting ${sockets} clients to each`);
  bench.ends(await connect(sockets, bare));
  const slabAfter = slabBytes();
  const fleet = bench.ends(await connect(sockets, gateway));
  await delay(settle * 1000);
  const fullBytes = residentBytes(gateway.pid);
  bench.log(`watching them do nothing for ${seconds} s`);
  const usage = new UsageSeries({ gateway: [gateway.pid], bare: [bare.pid] }, [GATEWAY_CORE]);
  const startMicros = nowMicros();
  await delay(seconds * 1000);
  usage.stop();
  const cpu = usage.between(startMicros, startMicros + seconds * 1e6);
  const laterBytes = residentBytes(gateway.pid);
  const bareBytes = residentBytes(bare.pid);

  bench.log('one record for each of them');
  const shape = { users: sockets, records: sockets };
  const produce = { ...shape, brokers, kafkaTopic: topics.notifications, partitions: PARTITIONS, recordBytes: 512 };
  const producer = await LoadProducer.connect(produce);
  await producer.sendPaced(RATE, TICK_MS);
  await settled(async () => (await fleet.state()).arrived, sockets, QUIET_MS);
  await producer.disconnect();
  const each = (bytes: number): number => bytes / 1024 / sockets;
  return {
    figures: [
      { name: 'memory per socket', value: each(fullBytes - warmBytes), unit: 'KiB', atMost: 3.5 },
      { name: 'memory per socket after the idle time', value: each(laterBytes - warmBytes), unit: 'KiB', atMost: 3.5 },
      { name: 'memory per socket, counted from the fresh process', value: each(laterBytes - freshBytes), unit: 'KiB' },
      { name: 'memory per socket, bare uWebSockets.js', value: each(bareBytes - bareWarmBytes), unit: 'KiB' },
      { name: "the kernel's, both ends of a connection", value: each(slabAfter - slabBefore), unit: 'KiB' },
      { name: 'memory of the fresh process', value: freshBytes / 2 ** 20, unit: 'MiB' },
      { name: 'memory of the process with all sockets', value: laterBytes / 2 ** 20, unit: 'MiB' },
      { name: 'CPU of the gateway', value: (100 * cpu['gateway']!) / seconds, unit: '%', atMost: 3 },
      ...busyFigures(cpu, seconds, ['gateway', 'bare']),
    ],
    verdicts: { gateway: verify(await fleet.arrivals(), sockets) },
  };
}
