import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { credentials, status } from '@grpc/grpc-js';
import { GrpcApiError } from '../src/index.js';
import { TestApi } from './support/api.js';
import { makeCertificate, writeFiles, type Certificate } from './support/certificates.js';
import { hello } from './support/messages.js';

let api: TestApi;

afterEach(() => api.close());

describe('a gRPC port with a token', () => {
  const request = { message: hello };

  it.each(['s3cret', 's3cret with spaces'])('serves a call that brings %j', async (token) => {
    api = await TestApi.start({ token });
    expect((await api.notifications().call('Broadcast', request, { token })).code).toBe(status.OK);
  });

  it.each([undefined, '', 'Bearer', 'Bearer ', 'Bearer s3cre', 'Bearer s3crets', 'Basic s3cret', 's3cret'])(
    'refuses a call with the header %j',
    async (authorization) => {
      api = await TestApi.start({ token: 's3cret' });
      const options = authorization === undefined ? {} : { authorization };
      const result = await api.notifications().call('Broadcast', request, options);
      expect(result.code).toBe(status.UNAUTHENTICATED);
      expect(result.details).not.toContain('s3cret');
      expect(api.notifier.sent).toEqual([]);
    },
  );

  it('logs wrong tokens, and looks at those of one address one after the other', async () => {
    api = await TestApi.start({ token: 's3cret' });
    const guess = (token: string) => api.notifications().call('Broadcast', request, { token });
    const beganMs = performance.now();
    const codes = (await Promise.all(['a', 'b', 'c', 'd', 'e'].map(guess))).map(({ code }) => code);
    expect(new Set(codes)).toEqual(new Set([status.UNAUTHENTICATED]));
    expect((await guess('s3cret')).code).toBe(status.OK);
    expect(performance.now() - beganMs).toBeGreaterThan(700);
    expect(api.logger.lines.filter((line) => line.startsWith('warn'))).toEqual(['warn wrong token for grpc']);
  });

  it('takes the scheme in any case', async () => {
    api = await TestApi.start({ token: 's3cret' });
    const result = await api.notifications().call('Broadcast', request, { authorization: 'bearer s3cret' });
    expect(result.code).toBe(status.OK);
  });

  it.each(['v1', 'v1alpha'])('demands the token for reflection %s, too', async (version) => {
    api = await TestApi.start({ token: 's3cret' });
    const client = api.client(`grpc.reflection.${version}.ServerReflection`);
    const refused = client.bidiStream('ServerReflectionInfo');
    refused.resume();
    const [error] = (await once(refused, 'error')) as [{ code: number }];
    expect(error.code).toBe(status.UNAUTHENTICATED);
    const served = client.bidiStream('ServerReflectionInfo', { token: 's3cret' });
    served.write({ listServices: '' });
    expect((await once(served, 'data'))[0]).toHaveProperty('listServicesResponse');
    served.on('error', () => served.destroy()).cancel();
  });

  it('answers health without the token, because a probe cannot send it', async () => {
    api = await TestApi.start({ token: 's3cret' });
    const health = api.health();
    expect((await health.call('Check', { service: '' })).code).toBe(status.OK);
    const watch = health.serverStream('Watch', { service: '' });
    expect((await once(watch, 'data'))[0]).toEqual({ status: 'SERVING' });
    watch.on('error', () => watch.destroy()).cancel();
  });
});

describe('a gRPC port with TLS', () => {
  let authority: Certificate;
  let server: Certificate;
  let caller: Certificate;
  let stranger: Certificate;
  let files: Awaited<ReturnType<typeof writeFiles>>;

  beforeAll(async () => {
    authority = await makeCertificate('authority');
    [server, caller, stranger] = await Promise.all([
      makeCertificate('gateway', authority),
      makeCertificate('caller', authority),
      makeCertificate('stranger'),
    ]);
    const contents = { cert: server.cert, key: server.key, ca: authority.cert, strange: stranger.key, noise: 'x' };
    files = await writeFiles(contents);
  });

  afterAll(() => files.remove());

  const tlsOf = (certFile: string, keyFile: string, caFile: string | null) => ({
    certFile: files.path(certFile),
    keyFile: files.path(keyFile),
    clientCaFile: caFile === null ? '' : files.path(caFile),
  });
  const trusting = (own?: Certificate) =>
    own === undefined
      ? credentials.createSsl(Buffer.from(authority.cert))
      : credentials.createSsl(Buffer.from(authority.cert), Buffer.from(own.key), Buffer.from(own.cert));
  const broadcast = async (channel: ReturnType<typeof trusting>) => {
    const result = await api.notifications({ channel }).call('Broadcast', { message: hello }, { deadlineMs: 20_000 });
    return result.code;
  };

  it('serves a caller that trusts the authority', async () => {
    api = await TestApi.start({ tls: tlsOf('cert', 'key', null) });
    expect(await broadcast(trusting())).toBe(status.OK);
  });

  it('serves with a renewed certificate, and keeps the one before while the files do not fit', async () => {
    const renewed = await writeFiles({ cert: server.cert, key: server.key });
    api = await TestApi.start({
      tls: { certFile: renewed.path('cert'), keyFile: renewed.path('key'), clientCaFile: '' },
    });
    const next = await makeCertificate('gateway', stranger);
    const trustingNext = (): ReturnType<typeof trusting> => credentials.createSsl(Buffer.from(stranger.cert));
    await writeFile(renewed.path('cert'), next.cert);
    await expect(api.api.renewCertificates()).rejects.toMatchObject({ code: 'bad_tls' });
    expect(await broadcast(trusting())).toBe(status.OK);
    await writeFile(renewed.path('key'), next.key);
    await api.api.renewCertificates();
    expect(await broadcast(trustingNext())).toBe(status.OK);
    await renewed.remove();
  });

  it('refuses a caller without TLS', async () => {
    api = await TestApi.start({ tls: tlsOf('cert', 'key', null) });
    expect(await broadcast(credentials.createInsecure())).toBe(status.UNAVAILABLE);
  });

  it('and an authority demands a certificate of that authority', async () => {
    api = await TestApi.start({ tls: tlsOf('cert', 'key', 'ca') });
    expect(await broadcast(trusting(caller))).toBe(status.OK);
    expect(await broadcast(trusting())).toBe(status.UNAVAILABLE);
    expect(await broadcast(trusting(stranger))).toBe(status.UNAVAILABLE);
    expect(api.notifier.sent).toHaveLength(1);
  });

  it.each([
    ['noise', 'key', null],
    ['cert', 'strange', null],
    ['cert', 'key', 'noise'],
    ['cert', 'gone', null],
  ])('does not start with the files %s, %s and %s', async (certFile, keyFile, caFile) => {
    api = new TestApi({ tls: tlsOf(certFile, keyFile, caFile) });
    const error = await api.api.start().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GrpcApiError);
    expect(error).toMatchObject({ code: 'bad_tls' });
  });
});
