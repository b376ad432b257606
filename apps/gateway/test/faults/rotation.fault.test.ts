import { once } from 'node:events';
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  CertificateAuthority,
  freePort,
  signToken,
  testRedisUrl,
  TEST_SECRET,
  uniqueName,
  waitFor,
} from '@ws-gateway/testkit';
import { WebSocket } from 'ws';
import { start, type Running } from '../cli/running.js';
import { notify } from '../grpc-client.js';
import { Repeated } from './repeated.js';

/**
 * Everything that opens a door is replaced while clients come in without a pause, as operators do it: what is new is made
 * known first, then used, and what is old is taken away when nobody uses it any more.
 */
const OTHER_SECRET = 'another-secret-that-is-long-enough-to-use';
const ISSUER = 'https://id.example';
const authority = new CertificateAuthority();
const trusting = { ca: authority.cert, servername: 'localhost' };
let folder: string;
let running: Running;
let ports: { readonly server: number; readonly grpc: number };
let published: object[] = [];
const keySet = createServer((_, response) => response.end(JSON.stringify({ keys: published })));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wsg-rotation-'));
  await once(keySet.listen(0, '127.0.0.1'), 'listening');
  ports = { server: await freePort(), grpc: await freePort() };
});
afterAll(async () => {
  running?.child.kill('SIGKILL');
  await running?.ended;
  keySet.close();
  rmSync(folder, { recursive: true });
});

type Section = Readonly<Record<string, unknown>>;

const path = (name: string): string => join(folder, name);

/** One after the other, as most tools do. */
function writeCertificate(port: 'server' | 'grpc', name: string): void {
  const { cert, key } = authority.issue(name);
  writeFileSync(path(`${port}.crt`), cert);
  writeFileSync(path(`${port}.key`), key);
}

const keyPrefix = uniqueName('rotation');

function writeConfig(auth: Section, admin: Section): void {
  const tls = (port: string): Section => ({ certFile: path(`${port}.crt`), keyFile: path(`${port}.key`) });
  const jwksUrl = `http://127.0.0.1:${(keySet.address() as AddressInfo).port}/`;
  const config = {
    ...{ role: 'edge', server: { host: '127.0.0.1', port: ports.server, tls: tls('server') } },
    redis: { addr: new URL(testRedisUrl()).host, keyPrefix },
    auth: { ...auth, issuers: [{ issuer: ISSUER, jwksUrl, algorithms: ['ES256'] }] },
    grpc: { enabled: true, host: '127.0.0.1', port: ports.grpc, token: 'grpc-token-of-the-test', tls: tls('grpc') },
    ...{ hubs: [], admin },
  };
  writeFileSync(path('config.yaml'), JSON.stringify(config));
}

async function reload(auth: Section, admin: Section): Promise<void> {
  const reloads = (): number => running.stdout().split('"configuration reloaded"').length;
  const before = reloads();
  writeConfig(auth, admin);
  running.child.kill('SIGHUP');
  await waitFor(() => reloads() > before, { timeoutMs: 20_000, what: 'the configuration to be reloaded' });
}

/** A key of the issuer; `kid` names it in the key set. */
class IssuerKey {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #kid: string;

  constructor(kid: string) {
    this.#kid = kid;
  }

  get published(): object {
    return { ...this.#keys.publicKey.export({ format: 'jwk' }), kid: this.#kid, alg: 'ES256', use: 'sig' };
  }

  token(): string {
    return es256({ iss: ISSUER, sub: 'ann' }, { kid: this.#kid, key: this.#keys.privateKey });
  }
}

function es256(claims: object, { kid, key }: { kid: string; key: KeyObject }): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  // Every token is another one, so that none is known already.
  const own = { exp: Math.floor(Date.now() / 1000) + 600, jti: uniqueName('jti') };
  const body = `${encode({ alg: 'ES256', typ: 'JWT', kid })}.${encode({ ...claims, ...own })}`;
  return `${body}.${sign('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

async function handshake(token: string): Promise<WebSocket> {
  const socket = new WebSocket(`wss://127.0.0.1:${ports.server}/ws?token=${token}`, trusting);
  await once(socket, 'open');
  return socket;
}

async function comeAndGo(token: string): Promise<void> {
  const socket = await handshake(token);
  socket.terminate();
  await once(socket, 'close');
}

/** Rejects when the admin API does not answer 200. */
async function askAdmin(token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  const options = { ...trusting, agent: false, headers };
  const asked = request(`https://127.0.0.1:${ports.server}/api/nodes`, options).end();
  const [answer] = (await once(asked, 'response')) as [{ statusCode: number; resume(): void }];
  answer.resume();
  if (answer.statusCode !== 200) throw new Error(`the admin API answers ${answer.statusCode}`);
}

function callGrpc(): Promise<void> {
  const channel = credentials.createSsl(Buffer.from(authority.cert));
  return notify(ports.grpc, 'Broadcast', {}, { channel, token: 'grpc-token-of-the-test' });
}

async function certificateOf(port: number, ALPNProtocols: string[] = []): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ...trusting, ALPNProtocols });
  await once(socket, 'secureConnect');
  const name = String(socket.getPeerCertificate().subject.CN);
  socket.destroy();
  return name;
}

it('refuses no handshake, no call of gRPC and none of the admin API while secrets, key sets and certificates are rotated', async () => {
  const issuer = { now: new IssuerKey('k1') };
  const using = { secret: TEST_SECRET, admin: 'admin-token-one' };
  published = [issuer.now.published];
  writeCertificate('server', 'server one');
  writeCertificate('grpc', 'grpc one');
  writeConfig({ secret: TEST_SECRET }, { tokens: { one: using.admin } });
  running = start(['serve', '-c', path('config.yaml')]);
  await running.line('"listening"');
  const early = await waitFor(() => handshake(signToken({ sub: 'early' }, TEST_SECRET)), { timeoutMs: 25_000 });
  const withSecret = new Repeated(() => comeAndGo(signToken({ sub: 'ann', jti: uniqueName('jti') }, using.secret)));
  const withKey = new Repeated(() => comeAndGo(issuer.now.token()));
  const admin = new Repeated(() => askAdmin(using.admin));
  const grpc = new Repeated(callGrpc);
  const all = [withSecret, withKey, admin, grpc];
  const everyoneAgain = (): Promise<unknown> => Promise.all(all.map((one) => one.another()));
  await everyoneAgain();

  // Known first, then used, and the old one taken away when nobody uses it any more.
  const both = { one: 'admin-token-one', two: 'admin-token-two' };
  await reload({ secret: TEST_SECRET, secrets: [OTHER_SECRET] }, { tokens: both });
  Object.assign(using, { secret: OTHER_SECRET, admin: both.two });
  await everyoneAgain();
  await reload({ secret: OTHER_SECRET }, { tokens: { two: both.two } });
  await everyoneAgain();

  const next = new IssuerKey('k2');
  published = [issuer.now.published, next.published];
  // At once, without a word to the gateway: a token of a key that it does not know makes it read the key set again.
  issuer.now = next;
  await everyoneAgain();
  published = [next.published];
  await everyoneAgain();

  writeCertificate('server', 'server two');
  writeCertificate('grpc', 'grpc two');
  const served = (): Promise<string[]> => Promise.all([certificateOf(ports.server), certificateOf(ports.grpc, ['h2'])]);
  await waitFor(async () => (await served()).every((name) => name.endsWith('two')), {
    ...{ timeoutMs: 20_000, what: 'the new certificates' },
  });
  await everyoneAgain();

  await Promise.all(all.map((one) => one.end()));
  expect(all.map(({ failures }) => failures)).toEqual([[], [], [], []]);
  await expect(handshake(signToken({ sub: 'late' }, TEST_SECRET))).rejects.toThrow('401');
  await expect(askAdmin('admin-token-one')).rejects.toThrow('401');
  const answers: string[] = [];
  early.on('message', (data: Buffer) => answers.push(data.toString()));
  early.send('{"rid":1,"command":"ping"}');
  // Messages of the last calls of gRPC may still come before it.
  await waitFor(() => answers.some((text) => text.includes('"rid":1')), { what: 'the early socket to be answered' });
  early.terminate();
}, 120_000);
