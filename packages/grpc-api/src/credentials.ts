import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { experimental, ServerCredentials } from '@grpc/grpc-js';
import { GrpcApiError } from './grpc-api-error.js';

export interface GrpcTlsFiles {
  /** Path of the certificate chain, PEM. */
  readonly certFile: string;
  /** Path of the private key, PEM. */
  readonly keyFile: string;
  /** Path of an authority, PEM; '': none. Callers then need a certificate of this authority. */
  readonly clientCaFile: string;
}

/** The credentials of the ports, and a way to read their files again. */
export interface RenewableCredentials {
  readonly credentials: ServerCredentials;
  /** Connections that come from now on get what the files hold now. Rejects with GrpcApiError `bad_tls`: all stays as it was. */
  renew(): Promise<void>;
}

/** Reads the files. Rejects with GrpcApiError `bad_tls`. */
export async function serverCredentials(tls: GrpcTlsFiles | null): Promise<RenewableCredentials> {
  if (tls === null) return { credentials: ServerCredentials.createInsecure(), renew: () => Promise.resolve() };
  const provider = new FilesProvider(await readFiles(tls));
  const needsClientCertificate = tls.clientCaFile !== '';
  // Its types name the first two the other way round; this is the order that it hands on.
  const credentials = experimental.createCertificateProviderServerCredentials(
    provider,
    needsClientCertificate ? provider : null,
    needsClientCertificate,
  );
  return { credentials, renew: async () => provider.replace(await readFiles(tls)) };
}

interface Contents {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | null;
}

async function readFiles(tls: GrpcTlsFiles): Promise<Contents> {
  try {
    const cert = await readFile(tls.certFile);
    const key = await readFile(tls.keyFile);
    const ca = tls.clientCaFile === '' ? null : await readFile(tls.clientCaFile);
    // Without this check a certificate that does not fit would only show when the first caller comes, and a bad
    // authority not even then.
    createSecureContext({ cert, key });
    if (ca !== null) new X509Certificate(ca);
    return { cert, key, ca };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GrpcApiError('bad_tls', `certificate or key cannot be used: ${reason}`, { cause: error });
  }
}

/**
 * Tells grpc-js of the certificates, at first and whenever they are replaced. At first behind the call that asks: in it
 * grpc-js has not yet noted which server is to be told.
 */
class FilesProvider implements experimental.CertificateProvider {
  readonly #authorityListeners = new Set<experimental.CaCertificateUpdateListener>();
  readonly #identityListeners = new Set<experimental.IdentityCertificateUpdateListener>();
  #contents: Contents;

  constructor(contents: Contents) {
    this.#contents = contents;
  }

  replace(contents: Contents): void {
    this.#contents = contents;
    for (const listener of this.#authorityListeners) this.#tellAuthority(listener);
    for (const listener of this.#identityListeners) this.#tellIdentity(listener);
  }

  addCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    this.#authorityListeners.add(listener);
    queueMicrotask(() => this.#tellAuthority(listener));
  }

  removeCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    this.#authorityListeners.delete(listener);
  }

  addIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#identityListeners.add(listener);
    queueMicrotask(() => this.#tellIdentity(listener));
  }

  removeIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#identityListeners.delete(listener);
  }

  #tellAuthority(listener: experimental.CaCertificateUpdateListener): void {
    const { ca } = this.#contents;
    listener(ca === null ? null : { caCertificate: ca });
  }

  #tellIdentity(listener: experimental.IdentityCertificateUpdateListener): void {
    listener({ certificate: this.#contents.cert, privateKey: this.#contents.key });
  }
}
