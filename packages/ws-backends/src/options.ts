export interface WsBackend {
  readonly name: string;
  readonly url: string;
  /** True: clients are closed (1012) and not let in while the backend is away. False: what they say waits. */
  readonly closeOnLoss: boolean;
  /** Bounds of what may wait for the backend; over them the client is refused. */
  readonly queueBytes: number;
  readonly queueEvents: number;
}

export interface WsBackendLinksOptions {
  readonly backends: readonly WsBackend[];
  /** Bytes of a backend's message; a longer one ends its link with 1009, unread; default 16 MiB. */
  readonly maxMessageBytes?: number;
  /**
   * Time in ms; a backend that says nothing and answers no ping for this long to twice as long is away; default 10 s.
   */
  readonly heartbeatMs?: number;
  /** Time limit in ms of a handshake; default 5 s. */
  readonly handshakeTimeoutMs?: number;
  /** Longest wait in ms between two attempts; default 5 s. */
  readonly reconnectMsMax?: number;
  /** Time in ms that what still waits has to leave when the node stops; default 2 s. */
  readonly flushMs?: number;
}

export type LinkSettings = Required<Omit<WsBackendLinksOptions, 'backends'>>;

export function withDefaults({ backends: _, ...options }: WsBackendLinksOptions): LinkSettings {
  return {
    maxMessageBytes: 16 * 1024 * 1024,
    heartbeatMs: 10_000,
    handshakeTimeoutMs: 5_000,
    reconnectMsMax: 5_000,
    flushMs: 2_000,
    ...options,
  };
}
