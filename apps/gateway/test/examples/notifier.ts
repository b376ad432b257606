import { fileURLToPath } from 'node:url';
import { credentials, makeGenericClientConstructor, type Client, type ServiceError } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('./notifications.proto', import.meta.url));
const definition = loadSync(PROTO, { keepCase: true });
const Service = makeGenericClientConstructor(
  definition['notificationspb.NotificationService'] as ServiceDefinition,
  'NotificationService',
);

type Call = (request: object, done: (error: ServiceError | null) => void) => void;

/** A back-end service with a client of its own. `text` becomes a StringValue. */
export class Notifier {
  readonly #client: Client & Readonly<Record<string, Call>>;

  constructor(port: number) {
    this.#client = new Service(`127.0.0.1:${port}`, credentials.createInsecure()) as Client & Record<string, Call>;
  }

  call(method: 'Broadcast' | 'NotifyRoom' | 'PrivateNotify', text: string, members: object): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client[method]!.call(this.#client, { ...members, message: stringValue(text) }, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** Encodes a google.protobuf.StringValue by hand: field 1, length-delimited. */
function stringValue(text: string): object {
  const bytes = Buffer.from(text);
  return {
    type_url: 'type.googleapis.com/google.protobuf.StringValue',
    value: Buffer.concat([Buffer.from([10, bytes.length]), bytes]),
  };
}
