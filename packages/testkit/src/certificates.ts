import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

/** Certificate and private key, PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * Issues certificates for the loopback interface of this machine, valid for a day. They are encoded by hand, because a
 * machine that runs the tests need not have openssl or any other tool that makes them.
 */
export class CertificateAuthority {
  /** Certificate of the authority, PEM. */
  readonly cert: string;
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #name: Buffer;

  constructor(name = `authority ${randomBytes(4).toString('hex')}`) {
    this.#name = distinguishedName(name);
    this.cert = this.#issue(this.#name, this.#keys.publicKey, [
      extension(BASIC_CONSTRAINTS, sequence(boolean(true)), true),
    ]);
  }

  /** Issues a certificate that suits servers on localhost and clients alike. */
  issue(name: string): Certificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const names = sequence(tlv(0x82, Buffer.from('localhost')), tlv(0x87, Buffer.from([127, 0, 0, 1])));
    const cert = this.#issue(distinguishedName(name), publicKey, [extension(SUBJECT_ALTERNATIVE_NAME, names)]);
    return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
  }

  #issue(subject: Buffer, publicKey: KeyObject, extensions: readonly Buffer[]): string {
    const algorithm = sequence(ECDSA_WITH_SHA256);
    const body = sequence(
      tlv(0xa0, tlv(0x02, Buffer.from([2]))),
      tlv(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      algorithm,
      this.#name,
      sequence(time(Date.now() - HOUR_MS), time(Date.now() + 24 * HOUR_MS)),
      subject,
      publicKey.export({ type: 'spki', format: 'der' }),
      tlv(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', body, this.#keys.privateKey);
    const certificate = sequence(body, algorithm, tlv(0x03, Buffer.from([0]), signature));
    const lines = certificate.toString('base64').match(/.{1,64}/g)!;
    return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
  }
}

const HOUR_MS = 3_600_000;

const ECDSA_WITH_SHA256 = oid('2a8648ce3d040302');
const COMMON_NAME = oid('550403');
const BASIC_CONSTRAINTS = oid('551d13');
const SUBJECT_ALTERNATIVE_NAME = oid('551d11');

/** Encodes one DER element: tag, length of the content, content. */
function tlv(tag: number, ...content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  const { length } = bytes;
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length];
  return Buffer.concat([Buffer.from(head), bytes]);
}

function sequence(...content: readonly Buffer[]): Buffer {
  return tlv(0x30, ...content);
}

function oid(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, 'hex'));
}

function boolean(value: boolean): Buffer {
  return tlv(0x01, Buffer.from([value ? 0xff : 0]));
}

function time(ms: number): Buffer {
  return tlv(0x18, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tlv(0x31, sequence(COMMON_NAME, tlv(0x0c, Buffer.from(commonName)))));
}

function extension(id: Buffer, value: Buffer, critical = false): Buffer {
  return sequence(id, ...(critical ? [boolean(true)] : []), tlv(0x04, value));
}
