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
import type { Calls } from './calls.js';
import { epochForLook } from './epoch.js';
import type { Keys } from './keys.js';
import type { Settings } from './options.js';
import {
  publishArgs,
  splitItems,
  type CallHead,
  type ScriptChunk,
  type CommandItem,
  type Item,
} from './publish-call.js';
import { SourcePositions } from './source-positions.js';
import { PacedCalls } from './paced-calls.js';
import { SourceQueues } from './source-queues.js';
import { originSuffix } from './wire.js';

/** {routed, offline, duplicates, batches} and, without a source, nodes, epoch, offset for each item. */
type Reply = (number | string)[];
const REPLY_HEAD = 4;

/** What is known of the other nodes. */
export interface NodesKnown {
  readonly nodeCount: number;
  /** All of them know of the log that nodes share. */
  readonly isSharing: boolean;
}

type ItemResult = NonNullable<PublishResult['items']>[number];

/**
 * Publishes batches: one script call for each partition that a batch touches, more when it is large. Calls for one
 * partition are written in order, and each is refused when the one before it was not applied.
 */
export class Publisher {
  readonly #calls: Calls;
  readonly #keys: Keys;
  readonly #stats: EngineStats;
  readonly #settings: Settings;
  readonly #nodes: NodesKnown;
  readonly #lanes: SourceQueues;
  readonly #unsourced = new PacedCalls();
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
      const reply = await this.#send(chunk, source, {
        previousOffset: lane.advance(chunk.partition, offset),
        perItem,
      });
      this.sources.confirm(source.topic, source.partition, { redisPartition: chunk.partition, offset });
      return reply;
    });
    const result = sum(replies);
    return perItem && result.duplicates === 0 ? { ...result, items: resultsOf(items.length, chunks, replies) } : result;
  }

  async #publishUnsourced(items: readonly Item[]): Promise<PublishResult> {
    const chunks = splitItems(items, -1, this.#partitionOf, this.#copiesOfWide);
    const replies = await this.#unsourced.run(chunks, (chunk) =>
      this.#send(chunk, null, { previousOffset: null, perItem: true }),
    );
    return { ...sum(replies), items: resultsOf(items.length, chunks, replies) };
  }

  async #send(
    chunk: ScriptChunk,
    source: SourceRange | null,
    { previousOffset, perItem }: Pick<CallHead, 'previousOffset' | 'perItem'>,
  ): Promise<Reply> {
    const base = this.#keys.base(chunk.partition);
    const sourceKey = source === null ? base : this.#keys.source(chunk.partition, source.topic, source.partition);
    const { inboxBytesMax, sharingNodesMin } = this.#settings;
    const link = this.#calls.of(chunk.partition);
    const { server } = link;
    const isLast = source !== null && chunk.partial === 0 && chunk.lastOffset === source.lastOffset;
    const head = {
      previousOffset,
      perItem,
      mark: isLast ? (source.mark ?? null) : null,
      originSuffix: originSuffix(source),
      epoch: epochForLook(link),
      server,
      inboxBytesMax,
      sharingNodesMin: this.#nodes.isSharing ? sharingNodesMin : 0,
    };
    const args = publishArgs(chunk, head);
    const reply = await link.run<Reply>('publish', { keys: [base, sourceKey], args });
    this.#stats.publications += reply[3] as number;
    return reply;
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

function sum(replies: readonly Reply[]): PublishResult {
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

function resultsOf(count: number, chunks: readonly ScriptChunk[], replies: readonly Reply[]): ItemResult[] {
  const results = new Array<ItemResult>(count);
  for (const [i, chunk] of chunks.entries()) placeResults(results, chunk, replies[i]!);
  return results;
}

function placeResults(results: ItemResult[], chunk: ScriptChunk, reply: Reply): void {
  for (const [i, place] of chunk.places.entries()) {
    const at = REPLY_HEAD + 3 * i;
    const epoch = reply[at + 1] as string;
    const position: Position | null = epoch === '' ? null : { epoch, offset: reply[at + 2] as number };
    results[place] = { nodes: reply[at] as number, position };
  }
}
