/** The records of a load in the formats that a schema registry describes, and a registry with their schemas. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const AVRO = {
  ...{ type: 'record', name: 'Envelope' },
  fields: [
    ...['id', 'type', 'user_id'].map((name) => ({ name, type: 'string' })),
    {
      name: 'payload',
      type: {
        ...{ type: 'record', name: 'Payload' },
        fields: [
          { name: 'n', type: 'long' },
          { name: 'title', type: 'string' },
          { name: 'body', type: 'string' },
        ],
      },
    },
    { name: 'timestamp', type: 'string' },
  ],
};
const PROTO = `syntax = "proto3";
message Envelope { string id = 1; string type = 2; string user_id = 3; Payload payload = 4; string timestamp = 5; }
message Payload { int32 n = 1; string title = 2; string body = 3; }`;

const schemas: Readonly<Record<string, object>> = {
  '/schemas/ids/1': { schema: JSON.stringify(AVRO) },
  '/schemas/ids/2': { schema: PROTO, schemaType: 'PROTOBUF' },
};

export interface SchemaServer {
  readonly url: string;
  stop(): void;
}

export async function serveSchemas(): Promise<SchemaServer> {
  const server = createServer((request, response) => {
    const schema = schemas[request.url!];
    response.statusCode = schema === undefined ? 404 : 200;
    response.end(JSON.stringify(schema ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

interface Envelope {
  readonly id: string;
  readonly type: string;
  readonly user_id: string;
  readonly payload: { readonly n: number; readonly title: string; readonly body: string };
  readonly timestamp: string;
}

export function avroValue(envelope: string): Buffer {
  const { id, type, user_id: user, payload, timestamp } = JSON.parse(envelope) as Envelope;
  const text = (value: string): Buffer[] => [varint(2 * Buffer.byteLength(value)), Buffer.from(value)];
  const parts = [...text(id), ...text(type), ...text(user), varint(2 * payload.n)];
  return Buffer.concat([frame(1), ...parts, ...text(payload.title), ...text(payload.body), ...text(timestamp)]);
}

export function protobufValue(envelope: string): Buffer {
  const { id, type, user_id: user, payload, timestamp } = JSON.parse(envelope) as Envelope;
  const bytes = (number: number, value: Buffer): Buffer =>
    Buffer.concat([varint(8 * number + 2), varint(value.length), value]);
  const text = (number: number, value: string): Buffer => bytes(number, Buffer.from(value));
  const n = payload.n === 0 ? [] : [varint(8), varint(payload.n)];
  const inner = Buffer.concat([...n, text(2, payload.title), text(3, payload.body)]);
  const first = Buffer.from([0]);
  return Buffer.concat([
    frame(2),
    first,
    text(1, id),
    text(2, type),
    text(3, user),
    bytes(4, inner),
    text(5, timestamp),
  ]);
}

/** What the serializers of a registry write in front of a value: a byte 0 and the id of the schema. */
function frame(id: number): Buffer {
  return Buffer.from([0, 0, 0, 0, id]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Buffer.from([...bytes, value]);
}
