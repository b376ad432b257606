import kafkajs, { Kafka, logLevel, type AclEntry, type Admin } from 'kafkajs';
import { freePort } from '@ws-gateway/local-servers';
import { startKafka, type OwnServer } from './servers.js';

/** A Kafka whose user `gateway` may do what it was allowed; on its plain listener the test itself may do everything. */
export class RestrictedKafka {
  static readonly login = { mechanism: 'plain', username: 'gateway', password: 'gateway-secret' } as const;

  readonly loginBrokers: string;
  readonly #server: OwnServer;

  private constructor(server: OwnServer, loginPort: number) {
    this.#server = server;
    this.loginBrokers = `127.0.0.1:${loginPort}`;
  }

  static async start(): Promise<RestrictedKafka> {
    const { username, password } = RestrictedKafka.login;
    const port = await freePort();
    const server = await startKafka({
      listeners: [{ name: 'LOGIN', port, protocol: 'SASL_PLAINTEXT' }],
      settings: [
        'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users=User:ANONYMOUS',
        'listener.name.login.sasl.enabled.mechanisms=PLAIN',
        'listener.name.login.plain.sasl.jaas.config=' +
          `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`,
      ],
    });
    return new RestrictedKafka(server, port);
  }

  /** Address of the plain listener. */
  get brokers(): string {
    return this.#server.address;
  }

  async allowGroup(groupId: string): Promise<void> {
    await this.#allow({ ...READ, resourceType: kafkajs.AclResourceTypes.GROUP, resourceName: groupId });
  }

  /** Lets the gateway read the topic. */
  async allow(topic: string): Promise<void> {
    await this.#allow(readingOf(topic));
  }

  async allowToDescribe(topic: string): Promise<void> {
    await this.#allow({ ...readingOf(topic), operation: kafkajs.AclOperationTypes.DESCRIBE });
  }

  /** Takes that right away, also of who reads it just now. */
  async forbid(topic: string): Promise<void> {
    await this.#asAdmin((admin) => admin.deleteAcls({ filters: [readingOf(topic)] }));
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  async #allow(entry: AclEntry): Promise<void> {
    await this.#asAdmin((admin) => admin.createAcls({ acl: [entry] }));
  }

  async #asAdmin(act: (admin: Admin) => Promise<unknown>): Promise<void> {
    const admin = new Kafka({ brokers: [this.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      await act(admin);
    } finally {
      await admin.disconnect();
    }
  }
}

const READ = {
  resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
  principal: `User:${RestrictedKafka.login.username}`,
  host: '*',
  operation: kafkajs.AclOperationTypes.READ,
  permissionType: kafkajs.AclPermissionTypes.ALLOW,
};

function readingOf(topic: string): AclEntry {
  return { ...READ, resourceType: kafkajs.AclResourceTypes.TOPIC, resourceName: topic };
}
