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
  readonly #ports: { readonly certificate: number; readonly login: number };
  readonly #folder: string;

  private constructor(server: OwnServer, ports: { certificate: number; login: number }, folder: string) {
    this.#server = server;
    this.#ports = ports;
    this.#folder = folder;
  }

  static async start(): Promise<SecureKafka> {
    const folder = newDataDir();
    await mkdir(folder, { recursive: true });
    await writeCertificates(folder);
    const ports = { certificate: await freePort(), login: await freePort() };
    const server = await startKafka({
      listeners: [
        { name: 'CERTIFICATE', port: ports.certificate, protocol: 'SSL' },
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

  async stop(): Promise<void> {
    await this.#server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

interface User {
  readonly username: string;
  readonly password: string;
}

function scramUser(mechanism: string, { username, password }: User): string {
  return `${mechanism}=[name=${username},password=${password}]`;
}

async function writeCertificates(folder: string): Promise<void> {
  const authority = new CertificateAuthority();
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
