import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  createTopics,
  produce,
  testBrokers,
  uniqueName,
  waitFor,
  WsClient,
  type GatewayProcess,
} from '@ws-gateway/testkit';
import { oneCluster, startExample, stopAll, token } from './example.js';

const SCRIPT = fileURLToPath(new URL('../../../../examples/push/push.cjs', import.meta.url));
/** The script's only package, as this repository has it. */
const PACKAGES = fileURLToPath(new URL('../../../../packages/kafka-source/node_modules', import.meta.url));

const group = uniqueName('push');
const folder = mkdtempSync(join(tmpdir(), 'push-'));
const pushes: { path: string; headers: IncomingHttpHeaders }[] = [];
let node: GatewayProcess;
let service: Server;
let script: ChildProcess;
let publicKey: KeyObject;

beforeAll(async () => {
  await createTopics([`${group}-notifications`, `${group}-deliveries`], 1);
  service = createServer(({ url, headers }, response) => {
    pushes.push({ path: url!, headers });
    response.writeHead(201).end();
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const { port } = service.address() as AddressInfo;
  const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  publicKey = keys.publicKey;
  writeFileSync(join(folder, 'vapid.pem'), keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const browsers = Object.fromEntries(['away', 'here'].map((user) => [user, [`http://127.0.0.1:${port}/${user}`]]));
  writeFileSync(join(folder, 'subscriptions.json'), JSON.stringify(browsers));
  node = await startExample('push', {
    ...oneCluster(),
    KAFKA_BROKERS: testBrokers(),
    WSGATEWAY_KAFKA_GROUP_ID: group,
    WSGATEWAY_TOPICS_NOTIFICATIONS_KAFKA_TOPIC: `${group}-notifications`,
    WSGATEWAY_DELIVERIES_KAFKA_TOPIC: `${group}-deliveries`,
    WSGATEWAY_DELIVERIES_OFFLINE_AFTER: '300ms',
  });
  const env = {
    ...process.env,
    NODE_PATH: PACKAGES,
    KAFKA_BROKERS: testBrokers(),
    DELIVERIES: `${group}-deliveries`,
    GROUP: `${group}-push`,
    DEBOUNCE_MS: '1500',
    SUBSCRIPTIONS: join(folder, 'subscriptions.json'),
    VAPID_KEY: join(folder, 'vapid.pem'),
    VAPID_SUBJECT: 'mailto:team@example.com',
  };
  script = spawn(process.execPath, [SCRIPT], { env, stdio: 'ignore' });
}, 90_000);

afterAll(async () => {
  const ended = new Promise((resolve) => script?.once('exit', resolve));
  script?.kill();
  await ended;
  await stopAll(node);
  service.close();
  rmSync(folder, { recursive: true });
}, 60_000);

it('one push wakes the browsers of who was away, for all that came meanwhile, and nobody else', async () => {
  const client = await WsClient.open(`${node.wsUrl}/ws?token=${token('here')}&topics=notifications`);
  await client.next('connected');
  const records = (user: string) => [1, 2, 3].map((at) => ({ key: user, value: { user_id: user, payload: at } }));
  await produce(`${group}-notifications`, [...records('away'), ...records('here')]);
  await client.next(({ payload }) => payload === 3);
  await client.request('ack', { stream: 'notifications/u/here', offset: 3 });
  await waitFor(() => pushes.length > 0, { what: 'a push' });
  // Behind this one nothing of what came before is left.
  await produce(`${group}-notifications`, records('away').slice(0, 1));
  await waitFor(() => pushes.length > 1, { what: 'the push of what came later' });
  expect(pushes.map(({ path }) => path)).toEqual(['/away', '/away']);

  const { ttl, authorization } = pushes[0]!.headers;
  expect(ttl).toBe('86400');
  const [, head, claims, signature] = /^vapid t=([^.]+)\.([^.]+)\.([^,]+), k=\S+$/.exec(authorization!)!;
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  expect(verify('sha256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature!, 'base64url'))).toBe(true);
  expect(JSON.parse(Buffer.from(claims!, 'base64url').toString())).toMatchObject({ sub: 'mailto:team@example.com' });
  await client.close();
}, 60_000);
