import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';

/** Paths of PEM files; '' where there is none. */
export interface ClientTlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface ClientTls {
  readonly rejectUnauthorized: boolean;
  readonly secureContext?: SecureContext;
}

/**
 * TLS options of a client: without files the system's authorities. Drivers copy them for each connection, and each copy
 * has what the files hold then: a connection that is made after a renewal shows the new certificate.
 */
export function clientTls(files: ClientTlsFiles & { readonly verify: boolean }): ClientTls {
  const options = { rejectUnauthorized: files.verify };
  if (clientTlsFiles(files).length === 0) return options;
  const renewed = new RenewedContext(files);
  return Object.defineProperty(options, 'secureContext', { enumerable: true, get: () => renewed.now() });
}

export function clientTlsFiles({ caFile, certFile, keyFile }: ClientTlsFiles): string[] {
  return [caFile, certFile, keyFile].filter((file) => file !== '');
}

/** Throws when the files cannot be used together. */
export function checkClientTls(files: ClientTlsFiles): void {
  contextOf(read(files));
}

type Contents = Partial<Record<'ca' | 'cert' | 'key', Buffer>>;

/**
 * Files are replaced one after the other, and some tools empty them first. A driver would be handed a certificate without
 * its key, and ioredis gives a connection up for ever over that. So contents that do not fit are not used, and those before
 * them are.
 */
class RenewedContext {
  readonly #files: ClientTlsFiles;
  #contents: Contents;
  #context: SecureContext;

  constructor(files: ClientTlsFiles) {
    this.#files = files;
    this.#contents = read(files);
    this.#context = contextOf(this.#contents);
  }

  now(): SecureContext {
    try {
      const contents = read(this.#files);
      if (!areSame(contents, this.#contents)) {
        this.#context = contextOf(contents);
        this.#contents = contents;
      }
    } catch {
      // The watch over the files says so.
    }
    return this.#context;
  }
}

function read({ caFile, certFile, keyFile }: ClientTlsFiles): Contents {
  return {
    ...(caFile === '' ? {} : { ca: readFileSync(caFile) }),
    ...(certFile === '' ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === '' ? {} : { key: readFileSync(keyFile) }),
  };
}

function contextOf(contents: Contents): SecureContext {
  // OpenSSL takes a file without any authority, and then trusts nobody.
  if (contents.ca !== undefined) new X509Certificate(contents.ca);
  return createSecureContext(contents);
}

function areSame(a: Contents, b: Contents): boolean {
  return (['ca', 'cert', 'key'] as const).every((name) => a[name]?.equals(b[name]!) ?? true);
}
