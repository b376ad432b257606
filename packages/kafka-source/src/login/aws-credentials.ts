import { readFile } from 'node:fs/promises';
import { objectIn } from '@ws-gateway/core';
import { presign, type AwsCredentials } from './aws-signature.js';
import { LoginTokenError } from './login-token.js';
import { askIssuer } from './token-request.js';

type Environment = Readonly<Record<string, string | undefined>>;

const CONTAINER_HOST = 'http://169.254.170.2';
const MACHINE = 'http://169.254.169.254';
const MACHINE_TOKEN_SECONDS = 60;
const SESSION_NAME = 'ws-gateway';
const SIGNATURE_SECONDS = 60;

/**
 * Finds the identity that AWS gave this process, where AWS' own programs look and in their order: variables, a web
 * identity (EKS: IAM roles for service accounts), the container's (ECS, EKS Pod Identity), the machine's (EC2). It does
 * not read `~/.aws`. Rejects with LoginTokenError.
 */
export async function awsCredentials(region: string, env: Environment): Promise<AwsCredentials> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (accessKeyId && secretAccessKey) {
    return { accessKeyId, secretAccessKey, sessionToken: env['AWS_SESSION_TOKEN'] ?? '', livesMs: Infinity };
  }
  if (env['AWS_WEB_IDENTITY_TOKEN_FILE'] && env['AWS_ROLE_ARN']) return ofWebIdentity(region, env);
  if (env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] || env['AWS_CONTAINER_CREDENTIALS_FULL_URI'])
    return ofContainer(env);
  if (env['AWS_EC2_METADATA_DISABLED'] !== 'true') return ofMachine(env);
  const message = 'no AWS credentials: neither variables, nor a web identity, a container or a machine that has them';
  throw new LoginTokenError('login_token_unavailable', message);
}

/** Rejects with LoginTokenError. */
export async function assumedRole(
  credentials: AwsCredentials,
  { region, roleArn }: { readonly region: string; readonly roleArn: string },
  env: Environment,
): Promise<AwsCredentials> {
  const url = stsUrl(region, env, { Action: 'AssumeRole', RoleArn: roleArn });
  const request = { url, service: 'sts', region, expiresIn: SIGNATURE_SECONDS, atMs: Date.now() };
  return ofStsAnswer(await askIssuer(presign(credentials, request), { method: 'GET' }));
}

async function ofWebIdentity(region: string, env: Environment): Promise<AwsCredentials> {
  const { AWS_WEB_IDENTITY_TOKEN_FILE: file = '', AWS_ROLE_ARN: roleArn = '' } = env;
  const WebIdentityToken = await secretOf(file);
  const url = stsUrl(region, env, { Action: 'AssumeRoleWithWebIdentity', RoleArn: roleArn, WebIdentityToken });
  return ofStsAnswer(await askIssuer(url, { method: 'GET' }));
}

function stsUrl(region: string, env: Environment, parameters: Readonly<Record<string, string>>): URL {
  const suffix = region.startsWith('cn-') ? '.cn' : '';
  const url = new URL(env['AWS_ENDPOINT_URL_STS'] || `https://sts.${region}.amazonaws.com${suffix}/`);
  const session = { RoleSessionName: env['AWS_ROLE_SESSION_NAME'] || SESSION_NAME };
  url.search = new URLSearchParams({ Version: '2011-06-15', ...session, ...parameters }).toString();
  return url;
}

/** The answers of this service are XML, of which four elements count. */
function ofStsAnswer(xml: string): AwsCredentials {
  const element = (name: string): string => new RegExp(`<${name}>\\s*([^<]*?)\\s*</${name}>`).exec(xml)?.[1] ?? '';
  return checked('AWS STS', {
    accessKeyId: element('AccessKeyId'),
    secretAccessKey: element('SecretAccessKey'),
    sessionToken: element('SessionToken'),
    expiration: element('Expiration'),
  });
}

async function ofContainer(env: Environment): Promise<AwsCredentials> {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: path, AWS_CONTAINER_CREDENTIALS_FULL_URI: full = '' } = env;
  const url = new URL(path ? CONTAINER_HOST + path : full);
  const file = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const authorization = file ? await secretOf(file) : (env['AWS_CONTAINER_AUTHORIZATION_TOKEN'] ?? '');
  const headers = authorization === '' ? {} : { authorization };
  return ofJson(url.origin, await askIssuer(url, { method: 'GET', headers }));
}

/** IMDSv2: a short-lived token first, which a proxy that was talked into a GET does not get. */
async function ofMachine(env: Environment): Promise<AwsCredentials> {
  const base = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] || MACHINE;
  const seconds = { 'x-aws-ec2-metadata-token-ttl-seconds': String(MACHINE_TOKEN_SECONDS) };
  const token = await askIssuer(new URL('/latest/api/token', base), { method: 'PUT', headers: seconds });
  const headers = { 'x-aws-ec2-metadata-token': token };
  const roles = new URL('/latest/meta-data/iam/security-credentials/', base);
  const [role = ''] = (await askIssuer(roles, { method: 'GET', headers })).split('\n');
  return ofJson(roles.origin, await askIssuer(new URL(role.trim(), roles), { method: 'GET', headers }));
}

function ofJson(source: string, text: string): AwsCredentials {
  const answer = objectIn(text);
  const member = (name: string): string => {
    const value = answer?.[name];
    return typeof value === 'string' ? value : '';
  };
  return checked(source, {
    accessKeyId: member('AccessKeyId'),
    secretAccessKey: member('SecretAccessKey'),
    sessionToken: member('Token'),
    expiration: member('Expiration'),
  });
}

function checked(
  source: string,
  { expiration, ...credentials }: Omit<AwsCredentials, 'livesMs'> & { readonly expiration: string },
): AwsCredentials {
  if (credentials.accessKeyId === '' || credentials.secretAccessKey === '') {
    throw new LoginTokenError('login_token_unavailable', `${source}: no AWS credentials in the answer`);
  }
  const endsAtMs = Date.parse(expiration);
  return { ...credentials, livesMs: Number.isNaN(endsAtMs) ? Infinity : endsAtMs - Date.now() };
}

async function secretOf(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new LoginTokenError('login_token_unavailable', `cannot read ${file}: ${String(error)}`);
  }
}
