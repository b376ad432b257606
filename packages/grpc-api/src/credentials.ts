import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import { GrpcApiError } from './grpc-api-error.js';

export interface GrpcTlsFiles {
  /** Path of the certificate chain, PEM. */
  readonly certFile: string;
  /** Path of the private key, PEM. */
  readonly keyFile: string;
  /** Path of an authority, PEM; '': none. Callers then need a certificate of this authority. */
  readonly clientCaFile: string;
}

/** Reads the files once. Rejects with GrpcApiError `bad_tls`. */
export async function serverCredentials(tls: GrpcTlsFiles | null): Promise<ServerCredentials> {
  if (tls === null) return ServerCredentials.createInsecure();
  try {
    const cert = await readFile(tls.certFile);
    const key = await readFile(tls.keyFile);
    const ca = tls.clientCaFile === '' ? null : await readFile(tls.clientCaFile);
    // Without this check a certificate that does not fit would only show when the first caller comes, and a bad
    // authority not even then.
    createSecureContext({ cert, key });
    if (ca !== null) new X509Certificate(ca);
    return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], ca !== null);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GrpcApiError('bad_tls', `certificate or key cannot be used: ${reason}`, { cause: error });
  }
}
