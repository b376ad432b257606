import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import {
  CertificateAuthority,
  freePort,
  SecureKafka,
  TcpProxy,
  testRedisUrl,
  waitFor,
  WsClient,
  type GatewayProcess,
} from '@ws-gateway/testkit';
import { token } from '../gateway-cluster.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load, TOPIC } from './load.js';
import { Repeated } from './repeated.js';

/**
 * What the gateway shows to Kafka and Redis, and whom it trusts there, is replaced under load, as operators do it: what is
 * new is trusted first, then used, and what is old is taken away when nobody uses it any more. Redis is behind a proxy that
 * speaks TLS, because not every Redis of a test can.
 */
const SECTIONS = ['kafka.tls', 'redis.tlsFiles'];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 60_000);

/** Files of the gateway, written one after the other, as most tools do. */
class ClientFiles {
  readonly #folder = mkdtempSync(join(tmpdir(), 'wsg-client-certificates-'));
  readonly paths = { caFile: this.#path('ca'), certFile: this.#path('cert'), keyFile: this.#path('key') };

  write(contents: { readonly ca?: string; readonly cert?: string; readonly key?: string }): void {
    for (const [name, text] of Object.entries(contents)) writeFileSync(this.#path(name), text);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.pem`);
  }
}

/** A Kafka, and a way to the Redis of the test run for each of two nodes, that want certificates. */
class SecureServers {
  readonly kafka: SecureKafka;
  readonly broker: TcpProxy;
  readonly redis: readonly TcpProxy[];

  private constructor(kafka: SecureKafka, broker: TcpProxy, redis: readonly TcpProxy[]) {
    this.kafka = kafka;
    this.broker = broker;
    this.redis = redis;
  }

  static async start(authority: CertificateAuthority): Promise<SecureServers> {
    const port = await freePort();
    const broker = await TcpProxy.start({ port });
    cleanups.push(() => broker.stop());
    const kafka = await SecureKafka.start({ authority, certificate: { port, advertisedPort: broker.port } });
    cleanups.push(() => kafka.stop());
    const tls = { ...redisTls(authority), requestCert: true, rejectUnauthorized: true };
    const target = { port: Number(new URL(testRedisUrl()).port), tls };
    const redis = [await TcpProxy.start(target), await TcpProxy.start(target)];
    cleanups.push(() => Promise.all(redis.map((proxy) => proxy.stop())));
    return new SecureServers(kafka, broker, redis);
  }

  /** New connections see a certificate of the first authority, and need one of any of them. */
  async renew(...authorities: readonly [CertificateAuthority, ...CertificateAuthority[]]): Promise<void> {
    await this.kafka.renew(...authorities);
    for (const proxy of this.redis) proxy.renew(redisTls(...authorities));
  }
}

function redisTls(...authorities: readonly [CertificateAuthority, ...CertificateAuthority[]]) {
  return { ...authorities[0].issue('redis'), ca: authorities.map(({ cert }) => cert) };
}

async function comeAndGo({ wsUrl }: GatewayProcess): Promise<void> {
  const client = await WsClient.open(`${wsUrl}/ws?token=${token('visitor')}&topics=${TOPIC}`);
  await client.next('connected');
  await client.close();
}

async function isReady({ httpUrl }: GatewayProcess): Promise<boolean> {
  return (await fetch(`${httpUrl}/ready`)).status === 200;
}

function breakOff(proxy: TcpProxy): void {
  proxy.cut();
  proxy.restore();
}

// Fails when files are read once, or when a connection is tried with a certificate whose key is not there yet: ioredis
// gives it up for ever then.
it('certificates for Kafka and Redis and their authorities are replaced under load: no record is lost, no handshake refused', async () => {
  const [first, second] = [new CertificateAuthority(), new CertificateAuthority()];
  const files = new ClientFiles();
  cleanups.push(() => files.remove());
  files.write({ ca: first.cert, ...first.issue('gateway') });
  const servers = await SecureServers.start(first);
  const load = await Load.open({
    nodes: servers.redis.map(({ port }) => ({ role: 'all', redisPort: port })),
    brokers: servers.kafka.brokers,
    kafka: { bootstrapServers: `127.0.0.1:${servers.broker.port}`, tls: { enabled: true, ...files.paths } },
    redis: { tls: true, tlsFiles: files.paths },
  });
  cleanups.push(() => load.close());
  const { nodes } = load.cluster;
  let target = nodes[0]!;
  const handshakes = new Repeated(() => comeAndGo(target));
  cleanups.push(() => handshakes.end());

  /** All connections are made again. Those to Redis node by node: a node without Redis is not ready, and gets no clients. */
  const connectAgain = async (): Promise<void> => {
    breakOff(servers.broker);
    for (const [at, proxy] of servers.redis.entries()) {
      target = nodes[1 - at]!;
      await handshakes.another();
      breakOff(proxy);
      await load.flows();
      // Records come by other connections than those by which clients are let in.
      await waitFor(() => isReady(nodes[at]!), { timeoutMs: 30_000, what: 'the node is ready again' });
    }
  };
  const said = async (message: string): Promise<void> => {
    const isSaid = ({ logs }: GatewayProcess, section: string): boolean =>
      logs.some((line) => line['message'] === message && line['section'] === section);
    const all = (): boolean => nodes.every((node) => SECTIONS.every((section) => isSaid(node, section)));
    await waitFor(all, { what: `all nodes to say: ${message}` });
  };

  const renewed = first.issue('gateway');
  files.write({ cert: renewed.cert });
  await said('certificate files changed and cannot be used, the certificate before stays');
  await connectAgain();
  files.write({ key: renewed.key });
  await said('certificate renewed');
  await connectAgain();

  await servers.renew(first, second);
  files.write({ ca: first.cert + second.cert, ...second.issue('gateway') });
  await connectAgain();
  await servers.renew(second);
  files.write({ ca: second.cert });
  await connectAgain();

  await handshakes.end();
  expect(handshakes.failures).toEqual([]);
  expect(load.clients.closes()).toEqual({});
  expect(await load.verdict()).toMatchObject(FAULTLESS);
}, 480_000);
