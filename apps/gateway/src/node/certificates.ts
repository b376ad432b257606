import { endByDefect, type Logger } from '@ws-gateway/core';
import type { Config } from '../config/config.js';
import { checkClientTls, clientTlsFiles, type ClientTlsFiles } from './client-tls.js';
import type { Reloadable } from './live-config.js';
import { WatchedFiles } from './watched-files.js';

interface Certified {
  /** Name of the section of the configuration, such as `server.tls`. */
  readonly section: string;
  readonly files: readonly string[];
  /** Reads the files again. Throws or rejects, and keeps what it has, when they cannot be used. */
  readonly renew: () => void | Promise<void>;
}

interface RenewableServer {
  renewCertificate(): void;
}

interface RenewableGrpc {
  renewCertificates(): Promise<void>;
}

/**
 * Keeps the certificates of this node's ports as their files are. Connections to other servers read their files by
 * themselves (`clientTls`); here somebody hears whether these can be used.
 */
export class Certificates implements Reloadable {
  readonly #certified: readonly Certified[];
  readonly #logger: Logger;
  #watches: WatchedFiles[] = [];

  constructor(
    config: ClientConfig & Pick<Config, 'server' | 'grpc'>,
    ports: { readonly server: RenewableServer; readonly grpc: RenewableGrpc },
    logger: Logger,
  ) {
    const { server, grpc } = config;
    this.#logger = logger;
    this.#certified = [
      ...clientSections(config).map(({ section, files }) => ({
        ...{ section, files: clientTlsFiles(files), renew: () => checkClientTls(files) },
      })),
      ...(server.tls === null
        ? []
        : [
            {
              section: 'server.tls',
              files: [server.tls.certFile, server.tls.keyFile],
              renew: () => ports.server.renewCertificate(),
            },
          ]),
      ...(grpc.tls === null
        ? []
        : [
            {
              ...{ section: 'grpc.tls', renew: () => ports.grpc.renewCertificates() },
              files: [grpc.tls.certFile, grpc.tls.keyFile, grpc.tls.clientCaFile].filter((file) => file !== ''),
            },
          ]),
    ];
  }

  watch(): void {
    this.#watches = this.#certified.map(
      (one) => new WatchedFiles(one.files, () => void this.#renew(one).catch(endByDefect)),
    );
  }

  /** The files may be new though nothing that names them is. */
  reload(): void {
    for (const watch of this.#watches) watch.look();
  }

  stop(): void {
    for (const watch of this.#watches) watch.stop();
  }

  /** Files are replaced one after the other: a certificate that does not fit its key yet will fit at the next change. */
  async #renew({ section, files, renew }: Certified): Promise<void> {
    try {
      await renew();
      this.#logger.info('certificate renewed', { section, files });
    } catch (error) {
      this.#logger.warn('certificate files changed and cannot be used, the certificate before stays', {
        section,
        error,
      });
    }
  }
}

interface ClientSection {
  readonly section: string;
  readonly files: ClientTlsFiles;
}

/** Sections that name files with which this node connects to others. */
export function clientSections({ kafka, redis, schemaRegistry }: ClientConfig): ClientSection[] {
  const sections = [
    { section: 'kafka.tls', files: kafka.tls },
    { section: 'redis.tlsFiles', files: redis.tls ? redis.tlsFiles : null },
    { section: 'schemaRegistry.tls', files: schemaRegistry.url.startsWith('https:') ? schemaRegistry.tls : null },
  ];
  return sections.flatMap(({ section, files }) =>
    files === null || clientTlsFiles(files).length === 0 ? [] : [{ section, files }],
  );
}

type ClientConfig = Pick<Config, 'kafka' | 'redis' | 'schemaRegistry'>;
