import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { freePort, runKafkaTool } from '@ws-gateway/local-servers';
import { CertificateAuthority } from './certificates.js';
import { newDataDir, startKafka, type OwnServer } from './servers.js';

const cacheDir = fileURLToPath(new URL('../../../.cache', import.meta.url));
const PLAIN_MODULE = 'org.apache.kafka.common.security.plain.PlainLoginModule';
const SCRAM_MODULE = 'org.apache.kafka.common.security.scram.ScramLoginModule';

/**
 * A Kafka with three listeners: one for clients with a certificate, one for those with user name and password (both TLS),
 * and a plain one for the test itself.
 */
export class SecureKafka {
  /** User whom all mechanisms know. */
  static readonly user = { username: 'gateway', password: 'gateway-secret' } as const;
  /** User whom SCRAM-SHA-512 knows under another password, until `setPassword`. */
  static readonly late = { username: 'late', password: 'late-secret' } as const;

  readonly #server: OwnServer;
  readonly #ports: Ports;
  readonly #folder: string;
  #renewals = 0;

  private constructor(server: OwnServer, ports: Ports, folder: string) {
    this.#server = server;
    this.#ports = ports;
    this.#folder = folder;
  }

  /** `certificate` is the listener of clients with a certificate; its advertised port is that of a TcpProxy in front of it. */
  static async start(
    options: {
      readonly authority?: CertificateAuthority;
      readonly certificate?: { readonly port: number; readonly advertisedPort: number };
    } = {},
  ): Promise<SecureKafka> {
    const folder = newDataDir();
    await mkdir(folder, { recursive: true });
    await writeCertificates(folder, options.authority ?? new CertificateAuthority());
    const certificate = options.certificate ?? { port: await freePort() };
    const ports = { certificate: certificate.port, login: await freePort() };
    const server = await startKafka({
      listeners: [
        { name: 'CERTIFICATE', ...certificate, protocol: 'SSL' },
        { name: 'LOGIN', port: ports.login, protocol: 'SASL_SSL' },
      ],
      settings: settings(folder),
      scramUsers: [
        scramUser('SCRAM-SHA-256', SecureKafka.user),
        scramUser('SCRAM-SHA-512', SecureKafka.user),
        scramUser('SCRAM-SHA-512', { ...SecureKafka.late, password: 'another' }),
      ],
    });
    return new SecureKafka(server, ports, folder);
  }

  /** Address of the plain listener. */
  get brokers(): string {
    return this.#server.address;
  }

  get certificateBrokers(): string {
    return `localhost:${this.#ports.certificate}`;
  }

  get loginBrokers(): string {
    return `localhost:${this.#ports.login}`;
  }

  /** Paths of PEM files. */
  get caFile(): string {
    return join(this.#folder, 'ca.pem');
  }

  get clientFiles(): { certFile: string; keyFile: string } {
    return { certFile: join(this.#folder, 'client.pem'), keyFile: join(this.#folder, 'client-key.pem') };
  }

  /** Changes the password of a user of SCRAM-SHA-512. */
  async setPassword({ username, password }: User): Promise<void> {
    const config = `SCRAM-SHA-512=[password=${password}]`;
    // prettier-ignore
    await runKafkaTool({ cacheDir, log: () => undefined }, 'kafka.admin.ConfigCommand',
      ['--bootstrap-server', this.brokers, '--alter', '--add-config', config, '--entity-type', 'users',
        '--entity-name', username]);
  }

  /**
   * Connections to the listener of certificates that are made from now on see one of the first authority, and need one of
   * any of them. Those that are open stay.
   */
  async renew(...authorities: readonly [CertificateAuthority, ...CertificateAuthority[]]): Promise<void> {
    // A file that is changed under its name is not read again.
    const path = (name: string): string => join(this.#folder, `${name}-${this.#renewals}.pem`);
    this.#renewals++;
    const { cert, key } = authorities[0].issue('broker');
    await writeFile(path('broker'), key + cert);
    await writeFile(path('ca'), authorities.map((authority) => authority.cert).join(''));
    const stores = { keystore: path('broker'), truststore: path('ca') };
    const lines = Object.entries(stores).map(
      ([name, file]) => `listener.name.certificate.ssl.${name}.location=${file}`,
    );
    // prettier-ignore
    await runKafkaTool({ cacheDir, log: () => undefined }, 'kafka.admin.ConfigCommand',
      ['--bootstrap-server', this.brokers, '--alter', '--add-config', lines.join(','), '--entity-type', 'brokers',
        '--entity-name', '1']);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

interface Ports {
  readonly certificate: number;
  readonly login: number;
}

interface User {
  readonly username: string;
  readonly password: string;
}

function scramUser(mechanism: string, { username, password }: User): string {
  return `${mechanism}=[name=${username},password=${password}]`;
}

async function writeCertificates(folder: string, authority: CertificateAuthority): Promise<void> {
  const [server, client] = [authority.issue('broker'), authority.issue('client')];
  const files = {
    'ca.pem': authority.cert,
    'broker.pem': server.key + server.cert,
    'client.pem': client.cert,
    'client-key.pem': client.key,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

function settings(folder: string): string[] {
  const { username, password } = SecureKafka.user;
  return [
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${join(folder, 'broker.pem')}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.location=${join(folder, 'ca.pem')}`,
    'listener.name.certificate.ssl.client.auth=required',
    'listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    `listener.name.login.plain.sasl.jaas.config=${PLAIN_MODULE} required user_${username}="${password}";`,
    `listener.name.login.scram-sha-256.sasl.jaas.config=${SCRAM_MODULE} required;`,
    `listener.name.login.scram-sha-512.sasl.jaas.config=${SCRAM_MODULE} required;`,
  ];
}
