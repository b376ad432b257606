import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { presign } from '../../src/login/aws-signature.js';
import { MskIam } from '../../src/login/msk-iam.js';

const KEYS = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server = undefined;
});

/** Answers by the path of the request, and notes what it was asked. */
async function answering(
  answer: (request: IncomingMessage, url: URL) => string,
): Promise<{ url: string; asked: URL[]; heads: IncomingMessage['headers'][] }> {
  const asked: URL[] = [];
  const heads: IncomingMessage['headers'][] = [];
  server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://localhost');
    asked.push(url);
    heads.push(request.headers);
    response.end(answer(request, url));
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, heads };
}

const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();
const sts = (key: string): string =>
  `<R><Credentials><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>` +
  `<SessionToken>session+/=</SessionToken><Expiration>${inAnHour()}</Expiration></Credentials></R>`;

async function tokenOf(env: Readonly<Record<string, string>>, roleArn = ''): Promise<URL> {
  const { value, livesMs } = await new MskIam({ region: 'eu-central-1', roleArn }, env).issue();
  expect(livesMs).toBe(900_000);
  expect(value).toMatch(/^[A-Za-z0-9_-]+$/);
  return new URL(Buffer.from(value, 'base64url').toString());
}

describe('A login token of Amazon MSK', () => {
  // The signatures are those that AWS' own signer (aws-msk-iam-sasl-signer-js 1.0.3) makes of the same keys at the same time.
  test.each([
    ['', '00629abe90095b91c1a9e460b67a01a8e4e7499b99f571276b99dd9258dd65e5', 'AKIDEXAMPLE'],
    ['FwoGZXIvYXdzE+/=Token', 'a5735647ac57ebd97e7979a3dc84a288a24cb90a074de9762d0460fd86c4e1cf', 'ASIAEXAMPLE'],
  ])('is signed as AWS signs it (session token "%s")', (sessionToken, signature, accessKeyId) => {
    const credentials = { accessKeyId, secretAccessKey: KEYS.AWS_SECRET_ACCESS_KEY, sessionToken, livesMs: Infinity };
    const url = new URL('https://kafka.eu-central-1.amazonaws.com/?Action=kafka-cluster%3AConnect');
    const request = { url, service: 'kafka-cluster', region: 'eu-central-1', expiresIn: 900, atMs: AT_MS };
    expect(presign(credentials, request).searchParams.get('X-Amz-Signature')).toBe(signature);
  });

  test('is a question for the broker, made of the keys in the environment', async () => {
    const token = await tokenOf(KEYS);
    expect(token.origin).toBe('https://kafka.eu-central-1.amazonaws.com');
    const {
      'X-Amz-Credential': scope,
      'X-Amz-Signature': signature,
      'X-Amz-Date': _,
      ...rest
    } = Object.fromEntries(token.searchParams);
    expect(scope).toMatch(/^AKIDEXAMPLE\/\d{8}\/eu-central-1\/kafka-cluster\/aws4_request$/);
    expect(signature).toMatch(/^[0-9a-f]{64}$/);
    expect(rest).toEqual({
      Action: 'kafka-cluster:Connect',
      'User-Agent': 'ws-gateway',
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Expires': '900',
      'X-Amz-SignedHeaders': 'host',
    });
  });

  test('is made with a role that is taken on first', async () => {
    const { url, asked } = await answering(() => sts('ASIAROLE'));
    const token = await tokenOf({ ...KEYS, AWS_ENDPOINT_URL_STS: url }, 'arn:aws:iam::123456789012:role/reader');
    expect(token.searchParams.get('X-Amz-Credential')).toMatch(/^ASIAROLE\//);
    expect(token.searchParams.get('X-Amz-Security-Token')).toBe('session+/=');
    const [question] = asked;
    expect(Object.fromEntries(question!.searchParams)).toMatchObject({
      Action: 'AssumeRole',
      RoleArn: 'arn:aws:iam::123456789012:role/reader',
      RoleSessionName: 'ws-gateway',
      'X-Amz-Credential': expect.stringMatching(/\/eu-central-1\/sts\/aws4_request$/),
    });
  });

  test('is made with the identity of a pod: a web identity, or that of the container', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ws-gateway-msk-'));
    const file = join(folder, 'token');
    await writeFile(file, 'web-token\n');
    const { url, asked, heads } = await answering((_, { pathname }) =>
      pathname === '/container'
        ? JSON.stringify({ AccessKeyId: 'ASIACON', SecretAccessKey: 's', Token: 't', Expiration: inAnHour() })
        : sts('ASIAWEB'),
    );
    const web = { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: 'arn:role', AWS_ENDPOINT_URL_STS: url };
    expect((await tokenOf(web)).searchParams.get('X-Amz-Credential')).toMatch(/^ASIAWEB\//);
    expect(asked[0]!.searchParams.get('WebIdentityToken')).toBe('web-token');
    const container = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
    };
    expect((await tokenOf(container)).searchParams.get('X-Amz-Credential')).toMatch(/^ASIACON\//);
    expect(heads[1]!.authorization).toBe('web-token');
    await rm(folder, { recursive: true });
  });

  test('is made with the identity of the machine, by a token that only a PUT gets', async () => {
    const { url, asked, heads } = await answering(({ method }, { pathname }) => {
      if (method === 'PUT') return 'imds-token';
      if (pathname.endsWith('/')) return 'machine-role';
      return JSON.stringify({ AccessKeyId: 'ASIAEC2', SecretAccessKey: 's', Token: 't', Expiration: inAnHour() });
    });
    const token = await tokenOf({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url });
    expect(token.searchParams.get('X-Amz-Credential')).toMatch(/^ASIAEC2\//);
    expect(asked.at(-1)!.pathname).toBe('/latest/meta-data/iam/security-credentials/machine-role');
    expect(heads.at(-1)!['x-aws-ec2-metadata-token']).toBe('imds-token');
  });

  test('that cannot be made says what is missing', async () => {
    const nobody = new MskIam({ region: 'eu-central-1', roleArn: '' }, { AWS_EC2_METADATA_DISABLED: 'true' });
    await expect(nobody.issue()).rejects.toMatchObject({
      code: 'login_token_unavailable',
      message: expect.stringContaining('no AWS credentials'),
    });
  });
});
