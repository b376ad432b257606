import type { NodeCommand } from './node-commands.js';
import type { Inbox, StreamMessage } from './inbox.js';
import type { OutcomeStore, Ticket } from './outcomes/outcome.js';
import type { TopicSight } from './record-source.js';
import type { Revocation, TokenTraits } from './revocation.js';
import type { RouterBeat, ShownBeat } from './router-beat.js';
import type { SourceClaim, SourceMark, SourcePosition } from './source-position.js';
import type { Position, RetainedStream, Retention, StreamName } from './streams.js';

/**
 * The seam that carries everything: presence, history, routing and blocks. Atomicity is its point: "append + look up +
 * route" and "check block + check limits + register" are each one step, or a message or a block would fall between two.
 *
 * Guarantees of every implementation (the conformance suite holds them to it):
 * - A record whose source offset was applied before is skipped: publishing a batch twice is harmless.
 * - What is published after `admit` resolved reaches the inbox of the admitted connection's node.
 * - Inbox batches arrive in publishing order, each once; when that cannot be kept, `Inbox.rebuild` is called before
 *   anything that was published behind the hole.
 * - All calls reject with an EngineError; `retryable` says whether the same call may be made again.
 */
export interface Engine {
  /** Registers this node and begins to fill the inbox. Resolves when messages published from now on will arrive. */
  start(inbox: Inbox): Promise<void>;

  /**
   * Applies a batch in order. Two calls for one source partition may be in flight at once: they are applied in call
   * order, and when the first was not applied the second is refused (`source_gap`).
   */
  publish(batch: PublishBatch): Promise<PublishResult>;

  /**
   * What the store remembers of a source partition: a row for each of its parts, since a record goes to the parts of its
   * audience only. A row that this engine was told of and that is behind it now says that the store lost writes.
   */
  sourcePositions(topic: string, partition: number): Promise<readonly SourcePosition[]>;

  /**
   * Call with the rows just read, before the first publish of the partition and after a `source_gap`: the next publish is
   * held to them, and refused (`source_gap`) by a part of the store that has lost its row since. With `forget` the rows are
   * deleted, because they speak of another log. Resolves to false, with parts of the rows perhaps deleted, when something
   * was applied after they had been read: read them again then.
   */
  claimSource(topic: string, partition: number, claim: SourceClaim): Promise<boolean>;

  /**
   * Names the data that this engine works on. Another name than before says that what was applied last may be gone. ''
   * for a store that ends with its engine.
   */
  readonly store: string;

  /**
   * Shows that this router lives, and resolves to what others of its group have shown last: not always all, but those who
   * have shown nothing for longest. null: it has left the group, and its sign of life is taken away. Rejects when that could
   * not be written.
   */
  beat(group: string, beat: RouterBeat | null): Promise<readonly ShownBeat[]>;

  /** Takes another router's sign of life away; false when it has shown one since, or somebody else was first. */
  endBeat(group: string, shown: ShownBeat): Promise<boolean>;

  /** See RecordSink.sighted. */
  noteTopics(group: string, sights: readonly TopicSight[]): Promise<readonly TopicSight[]>;

  /**
   * Block check, session limit, presence row, current positions: one atomic step (for a user's own streams). Before rows of
   * other nodes refuse it, those nodes are asked to show life (command `probe`), and it waits for that: what one of them
   * holds that is silent for three tenths of a lease is free, and is closed with 4501 should the node wake.
   */
  admit(request: AdmitRequest): Promise<AdmitResult>;

  /** Takes presence rows away. Never rejects for want of a server: a lost release is reaped with the node's lease. */
  release(connections: readonly ReleasedConnection[]): Promise<void>;

  /** From resolution on, what is published to these channels (any streams that are not a user's) reaches this node. */
  watch(streams: readonly StreamName[]): Promise<void>;
  unwatch(streams: readonly StreamName[]): Promise<void>;

  /** Current top of each stream, in the order asked; a stream never written has offset 0 and an epoch. */
  positions(streams: readonly RetainedStream[]): Promise<Position[]>;

  /**
   * Makes true for a day and a half what is told of these streams now: the first message of one that was never written
   * begins this very epoch, and what was written is not forgotten. Nothing is kept of others that were never written: their
   * epochs change with each half day (UTC).
   */
  keep(streams: readonly RetainedStream[]): Promise<void>;

  /**
   * History after a position (null: all that is kept): at most `limit` messages, and of those no more than `bytesMax` bytes
   * of frames hold, but one if there is one. Never throws for a bad position: it says `recovered: false`.
   */
  read(stream: RetainedStream, after: Position | null, limit: number, bytesMax?: number): Promise<HistoryPage>;

  /** Hands a command to every node that holds the target; resolves to the number of nodes. */
  control(target: ControlTarget, command: NodeCommand): Promise<number>;

  block(user: string, block: Block | null): Promise<void>;
  /** The block that holds now; null: the user is not blocked. */
  blockOf(user: string): Promise<Block | null>;
  /** Blocks that hold now, in the order of their users' UTF-8: those behind the user given, '' for all, as many as asked for. */
  blocks(after: string, limit: number): Promise<BlockedUser[]>;

  /** False when the store has no data of before: then the blocks have to be given to it again. */
  blocksKnown(): Promise<boolean>;

  /**
   * Sets and lifts blocks as the last record about each user says, and closes the blocked users' connections. A record
   * that was applied here before changes nothing: what was done since is newer. Resolves to how many had not been.
   */
  restoreBlocks(words: ReadonlyMap<string, BlockWord>): Promise<number>;

  /** Remembers how far a user has acknowledged a stream; never moves back. False when `offset` lies above the top. */
  acknowledge(stream: RetainedStream, offset: number): Promise<boolean>;
  /** The last acknowledgement, null when there is none of the stream's present epoch. Kept as long as the history. */
  acknowledged(stream: RetainedStream): Promise<Position | null>;

  /** What becomes of messages with a ticket. */
  readonly outcomes: OutcomeStore;

  /**
   * From resolution on no connection is admitted with such a token, until this time (ms since the epoch), after which it
   * is forgotten. Open ones are closed by the command `revoke`, sent to all nodes.
   */
  revoke(revocation: Revocation, untilMs: number): Promise<void>;

  /**
   * Forgets what is kept of a user, but for a block: these streams with their acknowledgements, and the presence rows, whose
   * connections are told to close (4504) in the same step.
   */
  erase(user: string, streams: readonly RetainedStream[]): Promise<Erased>;

  /** All nodes, as they tell of themselves; one that died is among them until it is reaped. */
  nodes(): Promise<NodeRow[]>;

  /** The topics of which one of these nodes reads partitions. The answer may be half a second old: there may be many who ask. */
  topicsRead(): Promise<ReadonlySet<string>>;
  presence(user: string): Promise<PresenceRow[]>;

  /** Sets what this node tells the others about itself with each lease refresh. */
  report(status: NodeStatus): void;
  /** Somebody doubts that this node lives: shows it at once. Absent: nobody else could. */
  showLife?(): void;

  /** False while the engine cannot be reached: routers pause, edges refuse new connections, /ready says so. */
  readonly healthy: boolean;

  /** Removes this node and all its rows. The inbox gets nothing afterwards. */
  stop(): Promise<void>;
}

export interface PublishBatch {
  /** Source of the records; null: not from Kafka (API, gRPC, rooms), so nothing to recognise a repetition by. */
  readonly source: SourceRange | null;
  readonly items: readonly PublishItem[];
  /** Asks for `items` of the result also where there is a source. */
  readonly perItem?: boolean;
}

export interface SourceRange {
  readonly topic: string;
  readonly partition: number;
  /**
   * Last offset of the call before this one in the same lane, or -1 for the first call after assignment or a failure.
   * The engine refuses the batch when it has not applied that offset; behind -1, what it was told by `claimSource` or has
   * confirmed itself.
   */
  readonly previousOffset: number;
  /** Last offset this batch covers, dead letters and expired records included. */
  readonly lastOffset: number;
  /** Of the batch's last record; kept beside the position. */
  readonly mark?: SourceMark;
  /** A call with these records was made before and its outcome is unknown: it may have been applied, and forgotten. */
  readonly repeated?: boolean;
}

/**
 * One message for one stream (a record for three users is three items with the same source offset).
 *
 * `head` is the frame's text. Without retention it is the whole frame. With retention it ends right behind
 * `,"stream":"<name>","epoch":"`, and the engine, which alone knows the position, appends `<epoch>","offset":<n>}`.
 */
export type PublishItem = UserItem | ChannelItem | AllItem | BlockItem | ExpiredItem;

interface ItemBase {
  /** Kafka offset of the record; items of a batch are in ascending order of it. -1 without a source. */
  readonly sourceOffset: number;
  readonly recordTimeMs: number;
  /** End of the message's life as its producer set it, ms since the epoch; 0 or absent: none. History keeps it. */
  readonly endsAtMs?: number;
  /** W3C trace context of the step that publishes it; absent: no spans are wanted. */
  readonly trace?: string;
  readonly head: string;
}
/** Message to `<topic>/u/<user>`: the nodes are those of the user's presence rows. */
export interface UserItem extends ItemBase {
  readonly kind: 'user';
  readonly topic: string;
  readonly user: string;
  readonly retention: Retention | null;
  /** Id of a connection that must not get it: nobody is told what he sent. */
  readonly except?: string;
  /** The message's outcome is wanted; absent, or without a source, by which nodes name the message: it is not. */
  readonly ticket?: Ticket;
}
/** Message that was too old when it came: nobody gets it, and its outcome is wanted. Its head is empty. */
export interface ExpiredItem extends ItemBase {
  readonly kind: 'expired';
  readonly topic: string;
  readonly user: string;
  readonly ticket: Ticket;
}
/** Message to a public stream, room, hub or subscription id: the nodes are those that watch it. */
export interface ChannelItem extends ItemBase {
  readonly kind: 'channel';
  readonly stream: StreamName;
  readonly retention: Retention | null;
  readonly except?: string;
}
/** Message to every connection of every node, without a position. */
export interface AllItem extends ItemBase {
  readonly kind: 'all';
}
/**
 * A user-blocks record: in one step the frame for the subscribed connections (as a UserItem of `topic`), the block (or
 * its end), and for a block the command that closes the user's connections, in this order.
 */
export interface BlockItem extends ItemBase {
  readonly kind: 'block';
  readonly topic: string;
  readonly user: string;
  readonly retention: Retention | null;
  readonly block: Block | null;
  /**
   * Name of the step where two take it to the engine, one of them with the record and one without. Who comes first does all
   * of it. Behind him there is no second frame, and who has no record changes nothing: later records may say otherwise.
   */
  readonly step?: string;
}

export interface Block {
  readonly reason: string;
  /** End of the block in ms since the epoch; null: until unblocked. */
  readonly expiresAtMs: number | null;
}

export interface BlockedUser {
  readonly user: string;
  readonly block: Block;
}

export interface Erased {
  /** Streams that had been written to. */
  readonly streams: number;
  /** Messages that were kept. */
  readonly messages: number;
}

/** What the last record about a user says. */
export interface BlockWord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** null: the user is not blocked. */
  readonly block: Block | null;
}

export interface PublishResult {
  /** Items handed to at least one node. */
  readonly routed: number;
  /** Items whose audience is on no node. */
  readonly offline: number;
  /** Items skipped because their source offset had been applied before. */
  readonly duplicates: number;
  /** Results, one per item: of batches without a source, and of those with `perItem` of which nothing was applied before. */
  readonly items?: readonly { readonly nodes: number; readonly position: Position | null }[];
}

export interface AdmitRequest {
  readonly connection: string;
  /** User; null: a guest, with no block, no limit and no presence row. */
  readonly user: string | null;
  readonly endpoint: string;
  readonly sinceMs: number;
  /** Streams with history whose positions are wanted. The user's own and public ones may be mixed. */
  readonly streams: readonly RetainedStream[];
  readonly sessions: SessionLimit | null;
  /** Token that the user came with; null: nothing that could be revoked. */
  readonly token?: TokenTraits | null;
  /** Rule for endpoints that are piped to a backend: one connection per user and `endpoint` in the whole cluster. */
  readonly exclusive?: SessionLimit['policy'] | null;
  /**
   * true: the connection is open already (rebuild). Of two in one exclusive place the newer one stays: the older is closed
   * with 4501, or is told `already_connected` when it is the one that asks. It takes nobody's session, and is told
   * `session_limit` when newer ones alone are as many as may be.
   */
  readonly rejoin?: boolean;
}

export interface SessionLimit {
  readonly max: number;
  /** `replace` closes the oldest with 4501. */
  readonly policy: 'reject' | 'replace';
}

export type AdmitResult =
  /** `renewed`: the connection's row was there already. */
  | { readonly status: 'admitted'; readonly positions: readonly Position[]; readonly renewed?: boolean }
  | { readonly status: 'blocked'; readonly block: Block }
  | { readonly status: 'revoked' }
  | { readonly status: 'session_limit' }
  | { readonly status: 'already_connected' };

export interface ReleasedConnection {
  readonly connection: string;
  readonly user: string;
}

/**
 * `epoch` and `offset` of the page are the stream's top, not the last message of the page. Messages whose life has ended are
 * in it, so that positions can be counted: leave them out when they are shown (`livingOf`).
 */
export interface HistoryPage extends Position {
  /** Unlike a live message, these are the caller's to keep, and the frames' bytes change no more. */
  readonly messages: readonly StreamMessage[];
  /** True when the messages are proved to be all that followed the position given, up to the limit. */
  readonly recovered: boolean;
}

export type ControlTarget =
  | { readonly kind: 'user'; readonly user: string }
  | { readonly kind: 'node'; readonly node: string }
  /** The nodes that watch the stream. */
  | { readonly kind: 'channel'; readonly stream: StreamName }
  | { readonly kind: 'all' };

export interface NodeStatus {
  readonly role: 'all' | 'edge' | 'router';
  readonly address: string;
  readonly version: string;
  readonly sinceMs: number;
  readonly connections: number;
  readonly users: number;
  readonly draining: boolean;
  readonly lag: Readonly<Record<string, number>>;
  /** Partitions that the node reads, by topic. A node of an earlier release does not tell, nor the two below. */
  readonly partitions?: Readonly<Record<string, number>>;
  /** Records since the node began that could not be used. */
  readonly deadLetters?: number;
  /** Age of 99 of 100 messages when they were sent, over the last seconds, in ms; null: there were none. */
  readonly ageP99Ms?: number | null;
}

export interface NodeRow extends NodeStatus {
  readonly node: string;
}

export interface PresenceRow {
  readonly connection: string;
  readonly node: string;
  readonly endpoint: string;
  readonly sinceMs: number;
}
