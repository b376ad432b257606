import { createHash, createHmac } from 'node:crypto';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** '' where the key is not temporary. */
  readonly sessionToken: string;
  /** Time in ms that they are still good for; Infinity: for good. */
  readonly livesMs: number;
}

export interface AwsRequest {
  readonly url: URL;
  readonly service: string;
  readonly region: string;
  /** Time in s that the signature is good for. */
  readonly expiresIn: number;
  /** Time of signing, ms since 1970. */
  readonly atMs: number;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** Signs a GET without headers other than `host` by its query (AWS Signature Version 4), and returns the signed URL. */
export function presign(credentials: AwsCredentials, { url, service, region, expiresIn, atMs }: AwsRequest): URL {
  const time = new Date(atMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`;
  const signed = new URL(url);
  const parameters: Record<string, string> = {
    'X-Amz-Algorithm': ALGORITHM,
    'X-Amz-Credential': `${credentials.accessKeyId}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(expiresIn),
    'X-Amz-SignedHeaders': 'host',
    ...(credentials.sessionToken === '' ? {} : { 'X-Amz-Security-Token': credentials.sessionToken }),
  };
  for (const [name, value] of [...url.searchParams, ...Object.entries(parameters)])
    signed.searchParams.set(name, value);
  const query = [...signed.searchParams]
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .toSorted()
    .join('&');
  const request = ['GET', url.pathname, query, `host:${url.host}`, '', 'host', sha256('')].join('\n');
  const text = [ALGORITHM, time, scope, sha256(request)].join('\n');
  let key: Buffer = Buffer.from(`AWS4${credentials.secretAccessKey}`);
  for (const part of scope.split('/')) key = hmac(key, part);
  signed.search = `${query}&X-Amz-Signature=${hmac(key, text).toString('hex')}`;
  return signed;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** AWS wants everything encoded but letters, digits and - . _ ~ */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
