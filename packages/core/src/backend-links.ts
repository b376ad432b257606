import type { CloseReason } from './close-codes.js';

/**
 * The links to the backends that endpoints are piped to (docs/backend-links.md): one a backend and node. The edge says what its
 * clients do, the backend says what shall be done with them.
 *
 * Guarantees per pipe: a backend is told things in the order they were said here. What cannot be sent now waits, bounded.
 * What was handed to a link that then broke may be lost, and nothing is ever told twice, but for `open`: the first thing
 * on a new link is an `open` for each client whose `open` went over the link before.
 */
export interface BackendLinks {
  /** Begins to connect. A link that breaks is made anew, until `close`. */
  start(host: PipeHost): void;

  /** Tells whether clients may come in; false: the backend is away, and its clients are closed for that. */
  accepts(pipe: string): boolean;

  /**
   * Tells the backend of a client, in this order: opened, messages, closed. False: too much of this client, or of all
   * clients about as much, waits for the backend already; nothing was taken, and the client must be closed. `closed` of
   * a client that was not taken does nothing.
   */
  opened(pipe: string, client: PipeClient): boolean;
  /** `message` is JSON text, passed on as it is. */
  message(pipe: string, client: PipeClient, message: string): boolean;
  closed(pipe: string, client: PipeClient, close: CloseReason): void;

  /** Gives what waits a last chance, bounded in time, and closes the links. */
  close(): Promise<void>;
}

export interface PipeClient {
  readonly user: string;
  readonly connection: string;
}

/** The edge's side of the links. */
export interface PipeHost {
  /**
   * Carries out what a backend asked for, in order; one call of a pipe at a time keeps the order between calls. Gives
   * what the backend must be told, JSON texts in the same order. Never rejects.
   */
  perform(pipe: string, actions: readonly string[]): Promise<string[]>;
  /** The backend is away, and its clients are to be closed for that. */
  lost(pipe: string): void;
  /** The client had most waiting when another one needed room: what it said was dropped, and it must be closed. */
  overflowed(pipe: string, client: PipeClient): void;
}
