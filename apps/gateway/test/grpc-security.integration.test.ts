import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { credentials, status, type ChannelCredentials } from '@grpc/grpc-js';
import { freePort, startGateway } from '@ws-gateway/testkit';
import { generate } from 'selfsigned';
import { notify } from './grpc-client.js';
import { GatewayCluster } from './gateway-cluster.js';

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const TOKEN = 'a-grpc-token';
const SHOP = fileURLToPath(new URL('../../../packages/grpc-api/test/fixtures/shop.binpb', import.meta.url));

let folder: string;
let cluster: GatewayCluster;
let port: number;
let known: ChannelCredentials;
let unknown: ChannelCredentials;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ws-gateway-grpc-'));
  const authority = await certificate('authority');
  const [server, caller] = [await certificate('gateway', authority), await certificate('caller', authority)];
  const file = async (name: string, content: string): Promise<string> => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  const tls = {
    certFile: await file('server.crt', server.cert),
    keyFile: await file('server.key', server.key),
    clientCaFile: await file('ca.crt', authority.cert),
  };
  port = await freePort();
  const grpc = { enabled: true, port, token: TOKEN, tls, maxMessageBytes: '2kb', descriptorFiles: [SHOP] };
  cluster = await GatewayCluster.open({ nodes: [{ config: { grpc, hubs: [] } }] });
  const root = Buffer.from(authority.cert);
  known = credentials.createSsl(root, Buffer.from(caller.key), Buffer.from(caller.cert));
  unknown = credentials.createSsl(root);
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  await rm(folder, { recursive: true });
}, 60_000);

async function certificate(name: string, ca?: Certificate): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ...(ca === undefined ? {} : { ca }),
    extensions: [
      { name: 'basicConstraints', cA: ca === undefined, critical: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  return { cert: made.cert, key: made.private };
}

/** Bytes of shop.Money {currency: "EUR", units: 3}, encoded by hand. */
const money = {
  type_url: 'type.googleapis.com/shop.Money',
  value: Buffer.from('0a034555521003', 'hex'),
};

describe('gRPC with a token, TLS and own types', () => {
  it('takes messages whose types are configured', async () => {
    const client = await cluster.connect(0, 'ann', '');
    const request = { type: 'TYPE_INFO', entityId: 'e', userId: 'ann', message: money };
    await notify(port, 'PrivateNotify', request, { channel: known, token: TOKEN });
    expect(await client.next('private')).toMatchObject({
      payload: { '@type': 'type.googleapis.com/shop.Money', currency: 'EUR', units: '3' },
    });
    await client.close();
  });

  it('refuses other types, long requests, callers without the token and callers without a certificate', async () => {
    const other = { message: { type_url: 'type.googleapis.com/shop.Nothing', value: Buffer.alloc(0) } };
    const long = { entityId: 'x'.repeat(2048) };
    const codeOf = (request: object, options: { channel: ChannelCredentials; token?: string }): Promise<unknown> =>
      notify(port, 'Broadcast', request, options).then(
        () => status.OK,
        ({ code }) => code as unknown,
      );
    expect(await codeOf({}, { channel: known, token: TOKEN })).toBe(status.OK);
    expect(await codeOf(other, { channel: known, token: TOKEN })).toBe(status.INVALID_ARGUMENT);
    expect(await codeOf(long, { channel: known, token: TOKEN })).toBe(status.RESOURCE_EXHAUSTED);
    expect(await codeOf({}, { channel: known })).toBe(status.UNAUTHENTICATED);
    expect(await codeOf({}, { channel: unknown, token: TOKEN })).toBe(status.UNAVAILABLE);
    expect(await codeOf({}, { channel: credentials.createInsecure(), token: TOKEN })).toBe(status.UNAVAILABLE);
  });

  it('does not start with descriptors that are none', async () => {
    const broken = join(folder, 'broken.binpb');
    await writeFile(broken, 'no descriptors');
    const config = { engine: 'memory', grpc: { enabled: true, port: await freePort(), descriptorFiles: [broken] } };
    await expect(startGateway({ config })).rejects.toThrow(/broken\.binpb/);
  });
});
