import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

export interface StartGate {
  /** Address that the gateway is told as its broker. */
  readonly brokers: string;
  open(): void;
  stop(): Promise<void>;
}

/**
 * Stands like a door in front of Kafka: until it is opened it cuts connections at once, so to the gateway Kafka is
 * away. Clients can then connect and records be written before the first of them is read, and none of this disturbs the
 * measurement. Only the first questions pass here; the answers name the broker's own address for all that follows.
 */
export async function startKafkaGate(brokers: string): Promise<StartGate> {
  const [host = '', port = ''] = brokers.split(',')[0]!.split(':');
  let isOpen = false;
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    if (!isOpen) {
      client.destroy();
      return;
    }
    const broker = connect({ host, port: Number(port) });
    broker.on('error', () => client.destroy());
    broker.once('close', () => client.destroy());
    client.once('close', () => broker.destroy());
    client.pipe(broker).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    brokers: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    open() {
      isOpen = true;
    },
    async stop() {
      server.close();
    },
  };
}
