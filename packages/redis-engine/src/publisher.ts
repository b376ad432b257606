import type {
  Block,
  ControlTarget,
  EngineStats,
  NodeCommand,
  Position,
  PublishBatch,
  PublishResult,
  SourceRange,
} from '@ws-gateway/core';
import { ReplyError } from 'ioredis';
import type { Calls } from './calls.js';
import { epochForLook } from './epoch.js';
import { sourceName, type Keys } from './keys.js';
import type { Settings } from './options.js';
import {
  publishArgs,
  splitItems,
  type CallPart,
  type ScriptChunk,
  type CommandItem,
  type Item,
} from './publish-call.js';
import { SourcePositions } from './source-positions.js';
import { PacedCalls } from './paced-calls.js';
import { PublishQueue } from './publish-queue.js';
import { toEngineError } from './script-errors.js';
import { SourceQueues } from './source-queues.js';
import { originSuffix } from './wire.js';

/** {batches}, for each part routed, offline, duplicates, and if they are wanted nodes, epoch, offset for each item. */
type Reply = (number | string)[];
const REPLY_HEAD = 1;
/** {routed, offline, duplicates} of a part, and the rows of its items. */
type PartReply = (number | string)[];
const PART_HEAD = 3;

/** What is known of the other nodes. */
export interface NodesKnown {
  readonly nodeCount: number;
  /** All of them know of the log that nodes share. */
  readonly isSharing: boolean;
}

type ItemResult = NonNullable<PublishResult['items']>[number];

/**
 * Publishes batches: a part of a script call for each partition that a batch touches, more when it is large. Parts for one
 * partition are sent in order, and each is refused when the one before it was not applied. Batches of several sources share
 * calls (publish-queue.ts).
 */
export class Publisher {
  readonly #calls: Calls;
  readonly #keys: Keys;
  readonly #stats: EngineStats;
  readonly #settings: Settings;
  readonly #nodes: NodesKnown;
  readonly #lanes: SourceQueues;
  readonly #unsourced = new PacedCalls();
  /** By Redis partition. */
  readonly #queues: readonly PublishQueue<PartReply>[];
  readonly sources: SourcePositions;
  readonly #partitionOf = (item: Item) => this.#partition(item);

  constructor(
    calls: Calls,
    keys: Keys,
    { stats, settings, nodes }: { stats: EngineStats; settings: Settings; nodes: NodesKnown },
  ) {
    this.#calls = calls;
    this.#keys = keys;
    this.#stats = stats;
    this.#settings = settings;
    this.#nodes = nodes;
    this.sources = new SourcePositions(calls, keys);
    this.#lanes = new SourceQueues(this.sources);
    this.#queues = keys.all().map((partition) => new PublishQueue((parts) => this.#call(partition, parts)));
  }

  publish(batch: PublishBatch): Promise<PublishResult> {
    return batch.source === null ? this.#publishUnsourced(batch.items) : this.#publishSourced(batch, batch.source);
  }

  /** Resolves to the number of nodes that get the command. */
  async command(target: ControlTarget, command: NodeCommand): Promise<number> {
    const { items } = await this.#publishUnsourced([{ ...commandAddress(target), sourceOffset: -1, command }]);
    return items![0]!.nodes;
  }

  async block(user: string, block: Block | null): Promise<void> {
    // A block without a record: the item's empty head says that there is no frame.
    const item = {
      kind: 'block',
      topic: '',
      user,
      block,
      retention: null,
      head: '',
      sourceOffset: -1,
      recordTimeMs: 0,
    } as const;
    await this.#publishUnsourced([item]);
  }

  async #publishSourced({ items, perItem = false }: PublishBatch, source: SourceRange): Promise<PublishResult> {
    // No await between these and the writes: calls in flight keep their order by it.
    const lane = this.#lanes.next(source);
    const chunks = splitItems(items, source.lastOffset, this.#partitionOf, this.#copiesOfWide);
    const replies = await lane.run(chunks, async (chunk) => {
      const offset = chunk.partial === 0 ? chunk.lastOffset : chunk.lastOffset - 1;
      const previousOffset = lane.advance(chunk.partition, offset);
      const reply = await this.#queues[chunk.partition]!.send(partOf(chunk, source, { previousOffset, perItem }));
      this.sources.confirm(source.topic, source.partition, { redisPartition: chunk.partition, offset });
      return reply;
    });
    const result = sum(replies);
    return perItem && result.duplicates === 0 ? { ...result, items: resultsOf(items.length, chunks, replies) } : result;
  }

  async #publishUnsourced(items: readonly Item[]): Promise<PublishResult> {
    const chunks = splitItems(items, -1, this.#partitionOf, this.#copiesOfWide);
    const replies = await this.#unsourced.run(chunks, (chunk) =>
      this.#queues[chunk.partition]!.send(partOf(chunk, null, { previousOffset: -1, perItem: true })),
    );
    return { ...sum(replies), items: resultsOf(items.length, chunks, replies) };
  }

  async #call(partition: number, parts: readonly CallPart[]): Promise<(PartReply | Error)[]> {
    const link = this.#calls.of(partition);
    const { inboxBytesMax, sharingNodesMin } = this.#settings;
    const args = publishArgs(parts, {
      epoch: epochForLook(link),
      server: link.server,
      inboxBytesMax,
      sharingNodesMin: this.#nodes.isSharing ? sharingNodesMin : 0,
    });
    const reply = await link.run<Reply>('publish', { keys: [this.#keys.base(partition)], args });
    this.#stats.publications += reply[0] as number;
    // Only a part alone has rows.
    if (parts.length === 1) return [partReply(reply.slice(REPLY_HEAD))];
    return parts.map((_, i) => partReply(reply.slice(REPLY_HEAD + PART_HEAD * i, REPLY_HEAD + PART_HEAD * (i + 1))));
  }

  /** How often a message for many nodes may have to be written: once, if they share it, which half of them are enough for. */
  get #copiesOfWide(): number {
    const { nodeCount, isSharing } = this.#nodes;
    return isSharing ? Math.min(nodeCount, Math.max(this.#settings.sharingNodesMin, nodeCount / 2)) : nodeCount;
  }

  #partition(item: Item): number {
    switch (item.kind) {
      case 'user':
      case 'block':
      case 'expired':
        return this.#keys.partitionOf(item.user);
      case 'channel':
        return this.#keys.partitionOf(item.stream);
      case 'k':
      case 'C':
        return this.#keys.partitionOf(item.address);
      case 'all':
      case 'K':
      case 'N':
        // Where the list of nodes is.
        return 0;
    }
  }
}

function partOf(
  chunk: ScriptChunk,
  source: SourceRange | null,
  { previousOffset, perItem }: Pick<CallPart, 'previousOffset' | 'perItem'>,
): CallPart {
  const isLast = source !== null && chunk.partial === 0 && chunk.lastOffset === source.lastOffset;
  return {
    chunk,
    source: source === null ? '' : sourceName(source.topic, source.partition),
    previousOffset,
    perItem,
    mark: isLast ? (source.mark ?? null) : null,
    originSuffix: originSuffix(source),
    isAlone: source === null || perItem || source.repeated === true,
  };
}

/** A part that does not follow what was applied is refused by itself. */
function partReply(reply: PartReply): PartReply | Error {
  const [routed] = reply;
  return typeof routed === 'string' ? toEngineError(new ReplyError(routed), 'publish') : reply;
}

function commandAddress(target: ControlTarget): Pick<CommandItem, 'kind' | 'address'> {
  switch (target.kind) {
    case 'user':
      return { kind: 'k', address: target.user };
    case 'node':
      return { kind: 'N', address: target.node };
    case 'channel':
      return { kind: 'C', address: target.stream };
    case 'all':
      return { kind: 'K', address: '' };
  }
}

function sum(replies: readonly PartReply[]): PublishResult {
  let routed = 0;
  let offline = 0;
  let duplicates = 0;
  for (const reply of replies) {
    routed += reply[0] as number;
    offline += reply[1] as number;
    duplicates += reply[2] as number;
  }
  return { routed, offline, duplicates };
}

function resultsOf(count: number, chunks: readonly ScriptChunk[], replies: readonly PartReply[]): ItemResult[] {
  const results = new Array<ItemResult>(count);
  for (const [i, chunk] of chunks.entries()) placeResults(results, chunk, replies[i]!);
  return results;
}

function placeResults(results: ItemResult[], chunk: ScriptChunk, reply: PartReply): void {
  for (const [i, place] of chunk.places.entries()) {
    const at = PART_HEAD + 3 * i;
    const epoch = reply[at + 1] as string;
    const position: Position | null = epoch === '' ? null : { epoch, offset: reply[at + 2] as number };
    results[place] = { nodes: reply[at] as number, position };
  }
}
