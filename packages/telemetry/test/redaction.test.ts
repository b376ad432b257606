import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { createLogger, type LogFormat } from '../src/index.js';
import { Capture } from './capture.js';

function token(header = '{"alg":"HS256"}'): string {
  const part = (text: string) => Buffer.from(text).toString('base64url');
  const signed = `${part(header)}.${part('{"sub":"user-one","exp":1999999999}')}`;
  return `${signed}.${createHmac('sha256', 'key').update(signed).digest('base64url')}`;
}

const JWT = token();
const SIGNATURE = JWT.split('.')[2] ?? '';

function logged(format: LogFormat, message: string, fields: Record<string, unknown>): string {
  const stream = new Capture();
  createLogger({ level: 'debug', format, stream, tokenParams: ['token', 't', 'access.key'] }).info(message, fields);
  if (format === 'json') expect(() => stream.events).not.toThrow();
  return stream.text;
}

function expectNothingOf(text: string, secret: string): void {
  for (let at = 0; at + 8 <= secret.length; at++) expect(text).not.toContain(secret.slice(at, at + 8));
}

describe.each<LogFormat>(['json', 'pretty'])('no token reaches a %s log', (format) => {
  it.each<[string, string, Record<string, unknown>]>([
    ['in the message', `got ${JWT} from client`, {}],
    ['in a field', 'x', { value: JWT }],
    ['in a field of another name, glued to text', 'x', { value: `prefix${JWT}suffix` }],
    ['as a field name', 'x', { [JWT]: 1 }],
    ['nested and in lists', 'x', { a: { b: [{ c: JWT }] }, m: new Map([['k', JWT]]), s: new Set([JWT]) }],
    ['in an error, its cause and its stack', 'x', { error: new Error(`bad ${JWT}`, { cause: new Error(JWT) }) }],
    ['in a query', 'x', { url: `/ws?token=${JWT}&topics=a` }],
    ['in an authorization header', 'x', { headers: { authorization: `Bearer ${JWT}` } }],
    ['in a subprotocol header', 'x', { protocols: `bearer, ${JWT}` }],
    ['cut short', 'x', { value: JWT.slice(0, -4) }],
    ['cut by the length of the text', 'x', { value: `${'x'.repeat(8_192 - JWT.length + 12)} ${JWT}` }],
    ['with white space in its header', 'x', { value: token('{ "alg": "HS256" }') }],
    ['with a line break in its header', 'x', { value: token('{\n"alg":"HS256","typ":"JWT"}') }],
  ])('%s', (_, message, fields) => {
    const text = logged(format, message, fields);
    expectNothingOf(text, JSON.stringify(fields).includes(SIGNATURE) ? SIGNATURE : JWT.slice(-20, -4));
    expect(text).toContain('[redacted]');
    expect(text).not.toContain(JWT.slice(0, 24));
  });

  it('when it is opaque, by the place where it stands', () => {
    const secret = 'Zm9vYmFyLXNlY3JldA';
    for (const [message, fields] of [
      [`GET /ws?token=${secret}&x=1`, {}],
      [`GET /ws?x=1&t=${secret}`, {}],
      [`token=${secret}`, {}],
      [`GET /ws?access.key=${secret}#x`, {}],
      [`Authorization: Bearer ${secret}`, {}],
      [`authorization: ${secret}`, {}],
      ['x', { raw: `{"Authorization":"Basic ${secret}"}` }],
      ['x', { header: `Bearer ${secret}` }],
      ['x', { Authorization: secret, 'proxy-authorization': secret, cookie: secret, password: secret }],
      [
        'x',
        { authToken: secret, adminToken: secret, JWT_SECRET: secret, 'sec-websocket-protocol': `bearer, ${secret}` },
      ],
      ['x', { token: { value: secret }, secret: [secret], inner: { token: secret } }],
    ] as const)
      expectNothingOf(logged(format, message, fields), secret);
  });
});

describe('the mask', () => {
  it('leaves what is no secret as it is', () => {
    const fields = {
      ...{ offset: 17, stream: 'notifications/u/u1', host: 'ws-gateway-7d9c5b.ws-gateway.prod.svc.cluster.local' },
      ...{ tokens: 3, hasSecret: true, reason: 'token_expired', tokenId: 'id-1', path: '/ws?topics=a,b&limit=5' },
      ...{ host2: 'eyewitness-news.example.com', part: 'notifications-0' },
    };
    const stream = new Capture();
    createLogger({ level: 'info', format: 'json', stream }).info('token refused', fields);
    expect(stream.events[0]).toMatchObject({ message: 'token refused', ...fields });
  });

  it('keeps the rest of a query', () => {
    const stream = new Capture();
    createLogger({ level: 'info', format: 'json', stream }).info('x', { url: '/ws?token=abc&topics=a' });
    expect(stream.events[0]).toMatchObject({ url: '/ws?token=[redacted]&topics=a' });
  });

  it('takes no long time over long hostile text', () => {
    const stream = new Capture();
    const log = createLogger({ level: 'info', format: 'json', stream });
    const began = performance.now();
    for (const unit of ['eyJ', 'ey', 'eyJ.', 'authorization:', 'bearer ', 'Bearer', 'token=', 't=t=', '\\"'])
      log.info('x', { a: unit.repeat(8_000 / unit.length), b: unit.repeat(8_000 / unit.length) });
    expect(stream.lines).toHaveLength(9);
    // Quadratic patterns would need seconds; the bound is far from both.
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
