import { partitioners, type Partitioner } from './partitioners.js';

/**
 * Every Redis key of the engine. Each is `<prefix>:{<partition>}:<kind>:…`; the braces keep what one script touches in
 * one slot. Scripts build the keys that depend on their data from the base and these kinds (scripts.ts hands them over).
 */
export const keyKinds = {
  /** Hash, connection → `<node> <since> <endpoint>`. */
  PRESENCE: 'pres:',
  /** String, the nodes of those rows, separated by spaces. */
  USER_NODES: 'un:',
  /** Hash, node → how many of those rows it has, where it has more than one. */
  USER_NODE_ROWS: 'unr:',
  /** String, JSON of the block. */
  BLOCK: 'blk:',
  /** String without content, by step and user: one of the two who bring this block did (see BlockItem.step), a day ago at most. */
  BLOCK_STEP: 'bst:',
  /** Sorted set without scores, users with a block, and some who had one: what lists blocks. */
  BLOCKED: 'blocked',
  /** String, '1': the blocks of earlier releases are in that set, too. */
  BLOCKS_LISTED: 'listed',
  /** String, by token id. In every partition, since a token is of any user. */
  REVOKED_TOKEN: 'rt:',
  /** String, ms: the user's tokens issued before are revoked. */
  REVOKED_BEFORE: 'rb:',
  /** Sorted set, `b <user>`, `t <token id>` or `r <user>` by the end of that block or revocation. */
  EXPIRIES: 'ends',
  /** String, the Redis process that was given the blocks of before. */
  BLOCKS_KNOWN: 'blocks',
  /**
   * String, `<epoch> <top offset> <ms when the lives of list and meta are prolonged, 0 for no list>`, where the stream's
   * bytes are bounded `/<bytes in the list>` and, once Redis was started again, ` <epoch before> <top offset it ended
   * with>`. A list lives for five quarters of the ttl of its messages, prolonged once a quarter, when those that are too old
   * are taken away; a meta twice the ttl, at least
   * a day and a half. A stream that was never written has neither (include/tops.lua).
   */
  META: 'm:',
  /**
   * List, times (see wire.ts) and body of each message kept, up to the top. Its index is the offset. Measured side by side with a
   * stream and with a hash used as a ring (history of 100, 512 bytes): all of it 14.2, 15.0 and 14.8 µs a message.
   */
  LIST: 'h:',
  /** Sorted set, SHA-1 of a stream's name by the ms when it was erased: its epochs before are not told any more. */
  ERASED: 'erased',
  /** String, `<epoch> <offset>` that the stream's user has acknowledged. */
  ACKNOWLEDGED: 'a:',
  /** Hash, `<source> <offset> <stream>` → what is known of a message whose outcome is wanted (include/ledger.lua). */
  LEDGER: 'dl',
  /** Sorted set, the same messages by the time at which they are decided whatever is known. */
  LEDGER_DUE: 'dldue',
  /** Sorted set, those of a stream that may be acknowledged, by their offset. */
  LEDGER_STREAM: 'dls:',
  /** List, decided messages that nobody has confirmed yet. */
  OUTCOMES: 'out',
  /** String, `<random text> <number of the list's first message>`. */
  OUTCOMES_FIRST: 'outfirst',
  /** String, the node that reads the list. */
  OUTCOMES_READER: 'outreader',
  /** String, number of messages that found no place. */
  OUTCOMES_LOST: 'outlost',
  /** Hash, node → 1. */
  INTEREST: 'int:',
  /** Set, streams the node watches. */
  NODE_INTERESTS: 'ni:',
  /** Set, `<connection> <user>`: what to reap. A connection that changes its user has two for a moment. */
  NODE_CONNECTIONS: 'nc:',
  /** String, number of the newest batch. There while the node is registered in the partition. */
  SEQUENCE: 'seq:',
  /** String, bytes that may still be added to the inbox before what is unread is dropped. */
  INBOX_ROOM: 'room:',
  /** Stream, batches by number and Redis process: header and body of each message in turn. */
  INBOX: 'in:',
  /** Stream like an inbox, of what many nodes of the partition get (include/shared-log.lua). */
  SHARED_LOG: 'sh',
  /** String, id of the newest batch in it: number and Redis process. */
  SHARED_LAST: 'shlast',
  /** Sorted set, node by the number of the last batch of it that the node has processed. */
  SHARED_READERS: 'shread',
  /** List, numbers of the batches with which its pieces begin, and the bytes that the last piece has room for. */
  SHARED_PIECE_STARTS: 'shpieces',
  SHARED_ROOM: 'shroom',
  /** String, '1' or '0': whether this Redis process is in a shard of its cluster; '?': a node asks it (src/channel-commands.ts). */
  IN_SHARD: 'shard:',
  /** String, '1': all nodes know of that log (partition 0). Looked at anew twice a second. */
  SHARING: 'sharing',
  /** String, JSON: topic → true of those that some node reads (partition 0). Looked at anew twice a second. */
  TOPICS_READ: 'topicsread',
  /** String, last source offset applied. */
  SOURCE: 'src:',
  /**
   * String, `<offset> <proof> <log>` of a record at or before that offset. Beside it and not in it: nodes of the release
   * before would take more text for a record that is half applied.
   */
  SOURCE_MARK: 'log:',
  /** Hash, topic → how the consumer group first saw it (partition 0). */
  TOPICS: 'topics:',
  /** Hash, node → the sign of life of its router, of each consumer group (partition 0). */
  BEATS: 'beats:',
  /** Sorted set, the same nodes by the number of their last sign: the highest is the newest. */
  BEAT_ORDER: 'beatorder:',
  /** String, JSON of the layout that all nodes agree on (partition 0). */
  LAYOUT: 'layout',
  /** String, random: another value says that Redis came back without its data. */
  DATASET: 'dataset',
  /** Sorted set, node by the end of its lease (partition 0). */
  NODES: 'nodes',
  /** Sorted set, dead node by the end of the reaper's claim (partition 0). */
  DEAD: 'dead',
  /** String, JSON of the node's status (partition 0). */
  STATUS: 'node:',
} as const;

const SLOTS = 16_384;

/** Where the keys of a user or a stream are. All nodes must agree on it. */
export interface Partitioning {
  readonly partitions: number;
  /** What chooses the partition. Default crc32. */
  readonly partitioner?: Partitioner;
}

export class Keys {
  readonly partitions: number;
  readonly partitioner: Partitioner;
  readonly #hash: (text: string) => number;
  readonly #bases: readonly string[];

  constructor(prefix: string, { partitions, partitioner = 'crc32' }: Partitioning) {
    this.partitions = partitions;
    this.partitioner = partitioner;
    this.#hash = partitioners[partitioner];
    this.#bases = Array.from({ length: partitions }, (_, partition) => `${prefix}:{${partition}}:`);
  }

  /** Partition of a user's presence, block and own streams, or of a shared stream's history and interests. */
  partitionOf(userOrStream: string): number {
    return this.partitions === 1 ? 0 : this.#hash(userOrStream) % this.partitions;
  }

  /** The numbers of all partitions. */
  all(): number[] {
    return Array.from({ length: this.partitions }, (_, partition) => partition);
  }

  base(partition: number): string {
    return this.#bases[partition]!;
  }

  /** The slot of the partition's keys in a Redis Cluster: CRC16 (XMODEM) of what stands in the braces. */
  slot(partition: number): number {
    let crc = 0;
    for (const byte of Buffer.from(String(partition))) {
      crc ^= byte << 8;
      for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
    }
    return crc % SLOTS;
  }

  key(partition: number, kind: keyof typeof keyKinds, name = ''): string {
    return this.#bases[partition]! + keyKinds[kind] + name;
  }

  source(partition: number, topic: string, kafkaPartition: number): string {
    return this.key(partition, 'SOURCE', sourceName(topic, kafkaPartition));
  }

  sourceMark(partition: number, topic: string, kafkaPartition: number): string {
    return this.key(partition, 'SOURCE_MARK', sourceName(topic, kafkaPartition));
  }
}

/** Makes the name of a Kafka partition: behind the kind in the keys that are about it, and what tells it from others. */
export function sourceName(topic: string, kafkaPartition: number): string {
  return `${topic}:${kafkaPartition}`;
}
