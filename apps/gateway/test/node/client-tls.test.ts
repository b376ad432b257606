import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type PeerCertificate, type Server, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CertificateAuthority } from '@ws-gateway/testkit';
import { clientTls } from '../../src/node/client-tls.js';

const authority = new CertificateAuthority();
const folder = mkdtempSync(join(tmpdir(), 'wsg-client-tls-'));
let server: Server;

beforeAll(async () => {
  const asking = { ca: authority.cert, requestCert: true, rejectUnauthorized: false };
  server = createServer({ ...authority.issue('server'), ...asking }, (socket) => {
    const { subject } = socket.getPeerCertificate() as Partial<PeerCertificate>;
    socket.on('error', () => undefined).end(String(subject?.CN ?? 'nobody'));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const path = (name: string): string => join(folder, name);
const files = { caFile: path('ca.crt'), certFile: path('client.crt'), keyFile: path('client.key'), verify: true };

/** Name on the certificate that a new connection shows. Both drivers copy the options for each connection. */
async function shownWith(options: object): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const socket: TLSSocket = connect({ host: '127.0.0.1', port, ...options });
  const chunks: string[] = [];
  for await (const chunk of socket.setEncoding('utf8')) chunks.push(chunk as string);
  return chunks.join('');
}

// Fails when files are read once: after a renewal no connection to Kafka or Redis could be made without a restart.
test('each connection to Kafka or Redis shows the certificate that the files hold then', async () => {
  const [one, two] = [authority.issue('one'), authority.issue('two')];
  writeFileSync(files.caFile, authority.cert);
  writeFileSync(files.certFile, one.cert);
  writeFileSync(files.keyFile, one.key);
  const options = clientTls(files);
  expect(await shownWith(options)).toBe('one');

  // In the middle of a replacement: a certificate without its key, an empty file, none at all.
  writeFileSync(files.certFile, two.cert);
  expect(await shownWith(options)).toBe('one');
  writeFileSync(files.caFile, '');
  writeFileSync(files.keyFile, two.key);
  expect(await shownWith(options)).toBe('one');
  rmSync(files.caFile);
  expect(await shownWith(options)).toBe('one');

  writeFileSync(files.caFile, authority.cert);
  expect(await shownWith(options)).toBe('two');
});

test('a connection trusts the authorities that the file holds when it is made', async () => {
  const stranger = new CertificateAuthority();
  writeFileSync(files.caFile, authority.cert);
  const options = clientTls({ ...files, certFile: '', keyFile: '' });
  expect(await shownWith(options)).toBe('nobody');
  writeFileSync(files.caFile, stranger.cert);
  await expect(shownWith(options)).rejects.toThrow(/certificate/);
  writeFileSync(files.caFile, stranger.cert + authority.cert);
  expect(await shownWith(options)).toBe('nobody');
});
