import type { NodeCommand } from './node-commands.js';
import type { StreamName } from './streams.js';

/** A node's receiving end. Calls come in order from one loop turn at a time; none of them may throw. */
export interface Inbox {
  /** A message for whoever is subscribed to the stream here. `offset` is 0 for a stream without history. */
  deliver(message: StreamMessage): void;
  /** A message for every connection of this node (audience `all`). */
  broadcast(frame: Uint8Array): void;
  command(command: NodeCommand): void;
  /** The end of one batch: the time to flush what was collected per socket. */
  endBatch(): void;
  /**
   * The engine lost rows or messages: write the rows of the open connections concerned again (admit with `rejoin: true`,
   * watch), paced, and read what followed each connection's own position. Resolves when that is done.
   */
  rebuild(loss: ContinuityLoss): Promise<void>;
  /** Tells whether this connection is here, and is this user's. */
  holds(connection: string, user: string): boolean;
}

/** Loss of an engine. Places are user ids, for the user's row and own streams, and the names of all other streams. */
export interface ContinuityLoss {
  /** Reason for the log. */
  readonly reason: string;
  readonly concerns: (place: string) => boolean;
  /**
   * Messages for streams of this place may not have come to this node: where the history after a connection's position
   * does not prove the contrary (`recovered`), the connection must come again. False: nothing was missed, or what was
   * lost is published again by whoever has it.
   */
  readonly missed: (place: string) => boolean;
  /** This node was taken for dead: others have been told that rows which are not there any more expired. */
  readonly reaped?: boolean;
}

/**
 * One message on its way out. The object is reused by the engine for the next one: copy what must be kept. `frame` may
 * be a view into a larger buffer, so keep a copy of the bytes, not the view.
 */
export interface StreamMessage {
  stream: StreamName;
  /** '' for a stream without history. */
  epoch: string;
  offset: number;
  /** Time of the record (Kafka's timestamp, ms since the epoch), for the age of messages. */
  recordTimeMs: number;
  /** The finished frame in UTF-8. */
  frame: Uint8Array;
  /** Id of a connection that must not get it (its sender), '' for none. */
  except: string;
  /** Number that stands for the record's Kafka topic and partition; 0: the message is no record's. */
  source: number;
  /** Offset of the record there. */
  sourceOffset: number;
  /** When a message of the history was accepted, in ms since the epoch by the engine's clock; 0 for a live one. */
  acceptedMs: number;
  /** See PublishItem; '' or absent: none. Live messages only. */
  trace?: string;
  /**
   * The record came to this node before, and the engine lost what it knew of it: whoever was subscribed then has it, under
   * the epoch that was lost.
   */
  seen: boolean;
  /** See MessageLife. What is read from the history has it; live messages were in time when they were published. */
  endsAtMs?: number;
}

/** Origin of a message that no record was made of. */
export const ofNoRecord = { source: 0, sourceOffset: 0, acceptedMs: 0 } as const;
