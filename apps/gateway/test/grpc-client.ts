import { fileURLToPath } from 'node:url';
import { credentials, makeGenericClientConstructor, Metadata, type Client, type ServiceError } from '@grpc/grpc-js';
import { loadSync, type AnyDefinition, type ServiceDefinition } from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../../../packages/grpc-api/proto/notificationspb/message.proto', import.meta.url));

type Call = (request: object, metadata: Metadata, done: (error: ServiceError | null) => void) => void;

/** One call of the notification service with the message "hello". */
export async function callNotifications(
  port: number,
  method: 'Broadcast' | 'NotifyRoom' | 'PrivateNotify',
  request: object,
  bearer = '',
): Promise<void> {
  const metadata = new Metadata();
  if (bearer !== '') metadata.set('authorization', `Bearer ${bearer}`);
  const definition = loadSync(PROTO, { includeDirs: [], keepCase: false });
  const service: AnyDefinition = definition['notificationspb.NotificationService']!;
  const Service = makeGenericClientConstructor(service as ServiceDefinition, 'NotificationService');
  const client = new Service(`127.0.0.1:${port}`, credentials.createInsecure()) as Client & Record<string, Call>;
  try {
    await new Promise<void>((resolve, reject) => {
      client[method]!.call(client, { ...request, message: text('hello') }, metadata, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  } finally {
    client.close();
  }
}

/** google.protobuf.StringValue by hand: field 1, length-delimited. */
function text(value: string): object {
  const bytes = Buffer.from(value);
  return {
    type_url: 'type.googleapis.com/google.protobuf.StringValue',
    value: Buffer.concat([Buffer.from([10, bytes.length]), bytes]),
  };
}
