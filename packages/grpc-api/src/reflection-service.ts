import { status, type ServerDuplexStream, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ReflectionIndex } from './reflection-index.js';

/** Names of the two versions, which have the same messages in different packages. */
export const REFLECTION_SERVICES = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];

interface ReflectionRequest {
  readonly host: string;
  readonly messageRequest:
    | {
        readonly case: 'fileByFilename' | 'fileContainingSymbol' | 'allExtensionNumbersOfType' | 'listServices';
        readonly value: string;
      }
    | {
        readonly case: 'fileContainingExtension';
        readonly value: { readonly containingType: string; readonly extensionNumber: number };
      }
    | { readonly case: undefined };
}
interface ReflectionResponse {
  readonly validHost: string;
  readonly originalRequest: ReflectionRequest;
  readonly messageResponse: { readonly case: string; readonly value: object };
}
type ReflectionStream = ServerDuplexStream<ReflectionRequest, ReflectionResponse>;

/**
 * Serves reflection over the true descriptors. @grpc/reflection is not used: it rebuilds them through protobufjs, which
 * merges files and loses imports and JSON names, and it cannot be given the configured types that grpcurl needs for an
 * Any.
 */
export class ReflectionService {
  readonly #index: ReflectionIndex;
  readonly #services: readonly string[];
  readonly #streams = new Set<ReflectionStream>();

  constructor(index: ReflectionIndex, services: readonly string[]) {
    this.#index = index;
    this.#services = [...services].sort();
  }

  /** Ends all streams: a client may keep its stream open for long, which would hold up the end of the server. */
  endStreams(): void {
    for (const stream of this.#streams) stream.end();
    this.#streams.clear();
  }

  implementation(): UntypedServiceImplementation {
    return { ServerReflectionInfo: (stream: ReflectionStream) => this.#serve(stream) };
  }

  #serve(stream: ReflectionStream): void {
    this.#streams.add(stream);
    stream.on('cancelled', () => this.#streams.delete(stream));
    stream.on('end', () => stream.end());
    stream.on('data', (request: ReflectionRequest) => {
      if (stream.writableEnded) return;
      // A client that asks and does not read must not fill the memory.
      if (!stream.write(this.#answer(request))) {
        stream.pause();
        stream.once('drain', () => stream.resume());
      }
    });
  }

  #answer(request: ReflectionRequest): ReflectionResponse {
    return { validHost: request.host, originalRequest: request, messageResponse: this.#respond(request) };
  }

  #respond({ messageRequest: asked }: ReflectionRequest): ReflectionResponse['messageResponse'] {
    switch (asked.case) {
      case 'listServices':
        return { case: 'listServicesResponse', value: { service: this.#services.map((name) => ({ name })) } };
      case 'fileByFilename':
        return files(this.#index.file(asked.value), asked.value);
      case 'fileContainingSymbol':
        return files(this.#index.fileOfSymbol(asked.value), asked.value);
      case 'fileContainingExtension': {
        const { containingType, extensionNumber } = asked.value;
        const name = `extension ${extensionNumber} of ${containingType}`;
        return files(this.#index.fileOfExtension(containingType, extensionNumber), name);
      }
      case 'allExtensionNumbersOfType': {
        const extensionNumber = this.#index.extensionNumbers(asked.value);
        if (extensionNumber === undefined) return notFound(asked.value);
        return { case: 'allExtensionNumbersResponse', value: { baseTypeName: asked.value, extensionNumber } };
      }
      case undefined:
        return failed(status.INVALID_ARGUMENT, 'the request asks for nothing');
    }
  }
}

function files(found: readonly Uint8Array[] | undefined, name: string): ReflectionResponse['messageResponse'] {
  if (found === undefined) return notFound(name);
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: found } };
}

function notFound(name: string): ReflectionResponse['messageResponse'] {
  return failed(status.NOT_FOUND, `not found: ${name}`);
}

function failed(errorCode: status, errorMessage: string): ReflectionResponse['messageResponse'] {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}
