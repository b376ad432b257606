/** What a socket costs that is only there. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  LoadProducer,
  residentBytes,
  settled,
  SocketFleet,
  UsageSeries,
  nowMicros,
  verify,
} from '@ws-gateway/loadtest';
import { runBench, type Bench } from './bench.js';
import { tokenOf } from './gateway.js';
import { GATEWAY_CORE } from './machine.js';
import { busyFigures, type Report } from './report.js';
import { createTopics, groupIsStable } from './servers.js';

const RATE = 2_000;
const TICK_MS = 10;
const QUIET_MS = 3_000;
const PARTITIONS = 6;

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
  const connect = (users: number): Promise<SocketFleet> =>
    SocketFleet.connect({
      shape: { users, records: users },
      targets: [gateway],
      topics: Object.keys(topics),
      tokenOf,
    });

  bench.log(`connecting ${warmup} clients, and cutting them: the handshake's own code and heap`);
  await (await connect(warmup)).stop();
  await delay(settle * 1000);
  const warmBytes = residentBytes(gateway.pid);
  bench.log(`connecting ${sockets} clients`);
  const fleet = bench.ends(await connect(sockets));
  await delay(settle * 1000);
  const fullBytes = residentBytes(gateway.pid);
  bench.log(`watching them do nothing for ${seconds} s`);
  const usage = new UsageSeries({ gateway: [gateway.pid] }, [GATEWAY_CORE]);
  const startMicros = nowMicros();
  await delay(seconds * 1000);
  usage.stop();
  const cpu = usage.between(startMicros, startMicros + seconds * 1e6);
  const laterBytes = residentBytes(gateway.pid);

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
      { name: 'memory per socket', value: each(fullBytes - warmBytes), unit: 'KiB', atMost: 6 },
      { name: 'memory per socket after the idle time', value: each(laterBytes - warmBytes), unit: 'KiB', atMost: 6 },
      { name: 'memory per socket, counted from the fresh process', value: each(laterBytes - freshBytes), unit: 'KiB' },
      { name: 'memory of the fresh process', value: freshBytes / 2 ** 20, unit: 'MiB' },
      { name: 'memory of the process with all sockets', value: laterBytes / 2 ** 20, unit: 'MiB' },
      ...busyFigures(cpu, seconds, ['gateway']),
    ],
    verdicts: { gateway: verify(await fleet.arrivals(), sockets) },
  };
}
