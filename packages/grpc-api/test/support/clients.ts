import { fileURLToPath } from 'node:url';
import {
  Client,
  credentials,
  Metadata,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';

const includeDirs = [fileURLToPath(new URL('../../proto/', import.meta.url))];

/** A caller that reads the proto files in its own way (protobufjs), not in that of the server. */
export class TestClient {
  readonly #client: Client;
  readonly #service: ServiceDefinition;

  constructor(service: string, port: number, options: TestClientOptions = {}) {
    const { channel = credentials.createInsecure(), ...clientOptions } = options;
    this.#service = services[service] as ServiceDefinition;
    // Each client has a connection of its own.
    this.#client = new Client(`localhost:${port}`, channel, { 'grpc.use_local_subchannel_pool': 1, ...clientOptions });
  }

  /** Makes one call; resolves with the status also when it is an error. */
  call(method: string, request: object, options: CallOptions = {}): Promise<CallResult> {
    const { path, requestSerialize, responseDeserialize } = this.#method(method);
    const { promise, resolve } = Promise.withResolvers<CallResult>();
    const call = this.#client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      withAny(request),
      metadataOf(options),
      options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs },
      (error: ServiceError | null, response?: object) => resolve(resultOf(error, response)),
    );
    options.signal?.addEventListener('abort', () => call.cancel());
    return promise;
  }

  serverStream(method: string, request: object): ClientReadableStream<Answer> {
    const { path, requestSerialize, responseDeserialize } = this.#method(method);
    return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  }

  bidiStream(method: string, options: CallOptions = {}): ClientDuplexStream<object, Answer> {
    const { path, requestSerialize, responseDeserialize } = this.#method(method);
    return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadataOf(options));
  }

  close(): void {
    this.#client.close();
  }

  #method(name: string): MethodDefinition<object, Answer> {
    return this.#service[name] as MethodDefinition<object, Answer>;
  }
}

export type TestClientOptions = ClientOptions & { readonly channel?: ChannelCredentials };

export interface CallOptions {
  readonly token?: string;
  readonly authorization?: string;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

export interface CallResult {
  readonly code: number;
  readonly details: string;
  readonly response: unknown;
}

export type Answer = Readonly<Record<string, unknown>>;

/** protobufjs has its own name for a member of Any. */
function withAny(request: object & { readonly message?: { readonly typeUrl?: string } }): object {
  const { message } = request;
  return message === undefined ? request : { ...request, message: { ...message, type_url: message.typeUrl ?? '' } };
}

function metadataOf({ token, authorization }: CallOptions): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  if (authorization !== undefined) metadata.set('authorization', authorization);
  return metadata;
}

function resultOf(error: ServiceError | null, response: object | undefined): CallResult {
  return error === null
    ? { code: 0, details: '', response }
    : { code: error.code, details: error.details, response: undefined };
}

const services = loadSync(
  [
    'notificationspb/message.proto',
    'grpc/health/v1/health.proto',
    'grpc/reflection/v1/reflection.proto',
    'grpc/reflection/v1alpha/reflection.proto',
  ],
  { includeDirs, longs: String, enums: String, defaults: true, oneofs: true },
);
