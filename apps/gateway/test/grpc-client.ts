import { fileURLToPath } from 'node:url';
import {
  credentials,
  makeGenericClientConstructor,
  Metadata,
  type ChannelCredentials,
  type Client,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync, type AnyDefinition, type ServiceDefinition } from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../../../packages/grpc-api/proto/notificationspb/message.proto', import.meta.url));

interface CallOptions {
  readonly channel?: ChannelCredentials;
  readonly token?: string;
}

type Call = (request: object, metadata: Metadata, done: (error: ServiceError | null) => void) => void;

/** Calls with a StringValue unless the request brings its own message. Rejects with the status of a failed call. */
export async function notify(
  port: number,
  method: 'Broadcast' | 'NotifyRoom' | 'PrivateNotify',
  request: object,
  { channel = credentials.createInsecure(), token }: CallOptions = {},
): Promise<void> {
  const definition = loadSync(PROTO, { includeDirs: [], keepCase: false });
  const service: AnyDefinition = definition['notificationspb.NotificationService']!;
  const Service = makeGenericClientConstructor(service as ServiceDefinition, 'NotificationService');
  const client = new Service(`127.0.0.1:${port}`, channel) as Client & Record<string, Call>;
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  try {
    await new Promise<void>((resolve, reject) => {
      client[method]!.call(client, { message: text('hello'), ...request }, metadata, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  } finally {
    client.close();
  }
}

/** Encodes a google.protobuf.StringValue by hand: field 1, length-delimited. */
function text(value: string): object {
  const bytes = Buffer.from(value);
  return {
    type_url: 'type.googleapis.com/google.protobuf.StringValue',
    value: Buffer.concat([Buffer.from([10, bytes.length]), bytes]),
  };
}
