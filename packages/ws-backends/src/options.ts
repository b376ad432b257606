export interface WsBackend {
  readonly name: string;
  readonly url: string;
  /** Clients are closed (1012) and not let in while the backend is away. Otherwise what they say waits. */
  readonly closeOnLoss: boolean;
  /** Bounds of what may wait for it; over them the client is refused. */
  readonly queueBytes: number;
  readonly queueEvents: number;
}

export interface WsBackendLinksOptions {
  readonly backends: readonly WsBackend[];
  /** A longer message of a backend ends its link with 1009, unread; default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** A backend that says nothing and answers no ping for this long to twice as long is away; default 10 s. */
  readonly heartbeatMs?: number;
  /** Default 5 s. */
  readonly handshakeTimeoutMs?: number;
  /** Longest wait between two attempts; default 5 s. */
  readonly reconnectMsMax?: number;
  /** What still waits when the node stops gets so long to leave; default 2 s. */
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
