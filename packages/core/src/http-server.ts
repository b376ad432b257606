/**
 * HTTP as far as the application needs it: routes beside the sockets. A transport that has a port implements it; the
 * application knows this interface only.
 */
export interface HttpServer {
  /** An HTTP route; `path` may have parts such as `:user`, each of which stands for one segment. Call before `listen`. */
  route(method: string, path: string, handle: RouteHandler): this;
  /** Rejects when the port cannot be had. */
  listen(): Promise<{ readonly port: number }>;
  /** No new connections from here on; the open ones live on, and what comes over them is still served. */
  stopListening(): void;
  /** Ends what is left, without close frames. Idempotent. */
  close(): Promise<void>;
}

export type RouteHandler = (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;

/** A copy of a request: it stays what it is for as long as the handler needs it. */
export interface HttpRequest {
  /** Method as sent, in upper case by convention. */
  readonly method: string;
  /** Path without query, percent-decoding not applied. */
  readonly path: string;
  /** Raw query without '?', '' when absent. */
  readonly query: string;
  /** The `:name` parts of the route, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** '' when absent; the name in lower case. */
  header(name: string): string;
  /** The whole body. Rejects when it is too large (the transport has answered 413) or when the client went away. */
  body(): Promise<Uint8Array>;
  /** Aborts when the client went away before it was answered, or got another answer: this one will not be sent. */
  readonly signal: AbortSignal;
  /** The peer's address in text, or the one its PROXY header tells; IPv4-mapped IPv6 addresses are given as IPv4. */
  readonly remoteAddress: string;
}

/** An HTTP answer. The content type is JSON unless `headers` says something else (names in lower case). */
export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | HttpStream;
}

/**
 * A body that is written piece by piece for as long as the client listens. The transport calls it once, and sends the
 * head with the first piece, before which the client sees no answer; it is not called when the client has gone before
 * that, or asked for the head only.
 */
export type HttpStream = (client: HttpStreamClient) => HttpStreamEvents;

export interface HttpStreamClient {
  /** Sends a piece, which belongs to the transport from then on; does nothing after the end. */
  write(piece: string | Uint8Array): void;
  /**
   * Bytes that the client has not taken yet: who writes without end must look at it. Nobody else ends a client that takes
   * nothing.
   */
  bufferedBytes(): number;
  /** Ends the answer. A client that does not take the rest of it is cut off in ten seconds or so. */
  end(): void;
}

export interface HttpStreamEvents {
  /** The client has taken something of what was buffered. */
  drained?(): void;
  /** Called once, when the answer has ended, by `end` or because the client went away. */
  closed(): void;
}
