import { type NodeCommand, type PublishItem, type Retention, type SourceMark } from '@ws-gateway/core';
import { blockArgs } from './blocks.js';
import { ticketText } from './outcome-ledger.js';

/** A NodeCommand on its way to the nodes of a user (k) or of a channel (C), to one node (N) or to all (K). */
export interface CommandItem {
  readonly kind: 'k' | 'C' | 'N' | 'K';
  readonly address: string;
  readonly command: NodeCommand;
  readonly sourceOffset: number;
}

export type Item = PublishItem | CommandItem;

/** Items of one partition in order: what one run of the publish script carries. */
export interface ScriptChunk {
  readonly partition: number;
  readonly items: Item[];
  /** Place of each item in the batch. */
  readonly places: number[];
  /** Items of the first record that went in the chunk before. */
  readonly ordinal: number;
  bytes: number;
  /** Items times the nodes that may get them. */
  handOuts: number;
  /** Last source offset covered. */
  lastOffset: number;
  /** Number of items of the last record that are covered so far, when it goes on in the next chunk; else 0. */
  partial: number;
}

/** What one script run carries, or is to carry besides. */
export interface Load {
  readonly items: number;
  readonly bytes: number;
  /** Items times the nodes that may get them. */
  readonly handOuts: number;
}

/** Bounds of one script run: everybody else waits for it. */
const ITEMS_MAX = 128;
const BYTES_MAX = 128 * 1024;
/** Items times nodes that may get them: at 100 nodes 128 topic-wide messages held Redis for 8 ms. */
const HAND_OUTS_MAX = 3072;

/** Whether one script run may carry both. What is too much by itself has a run of its own. */
export function fitTogether(carried: Load, more: Load): boolean {
  if (carried.items === 0) return true;
  return (
    carried.items + more.items <= ITEMS_MAX &&
    carried.handOuts + more.handOuts <= HAND_OUTS_MAX &&
    carried.bytes + more.bytes <= BYTES_MAX
  );
}

/** A quarter of what one script run may carry: more is not much cheaper with others in the same run. */
export function isSmall({ items, bytes, handOuts }: Load): boolean {
  return 4 * items <= ITEMS_MAX && 4 * bytes <= BYTES_MAX && 4 * handOuts <= HAND_OUTS_MAX;
}

export function addLoads(a: Load, b: Load): Load {
  return { items: a.items + b.items, bytes: a.bytes + b.bytes, handOuts: a.handOuts + b.handOuts };
}

/**
 * Splits by partition and size, of which what is for all nodes has as much as there are nodes. A record for very many users can be larger than a chunk: then its items are numbered, so
 * that a repetition after half of them skips just that half.
 */
export function splitItems(
  items: readonly Item[],
  lastOffset: number,
  partitionOf: (item: Item) => number,
  nodeCount = 1,
): ScriptChunk[] {
  const chunks: ScriptChunk[] = [];
  const open = new Map<number, { chunk: ScriptChunk; record: number; ordinal: number }>();
  for (const [place, item] of items.entries()) {
    const partition = partitionOf(item);
    let current = open.get(partition);
    if (current === undefined) {
      current = { chunk: newChunk(partition, 0), record: item.sourceOffset, ordinal: 0 };
      open.set(partition, current);
      chunks.push(current.chunk);
    }
    const begins = item.sourceOffset !== current.record;
    const bytes = sizeOf(item);
    const handOuts = isWide(item) ? nodeCount : 1;
    if (!fitTogether(loadOf(current.chunk), { items: 1, bytes, handOuts })) {
      current.chunk.lastOffset = current.record;
      if (!begins) current.chunk.partial = current.ordinal;
      current.chunk = newChunk(partition, begins ? 0 : current.ordinal);
      chunks.push(current.chunk);
    }
    if (begins) current.ordinal = 0;
    current.record = item.sourceOffset;
    current.ordinal++;
    current.chunk.items.push(item);
    current.chunk.places.push(place);
    current.chunk.bytes += bytes;
    current.chunk.handOuts += handOuts;
  }
  for (const { chunk } of open.values()) chunk.lastOffset = lastOffset;
  return chunks;
}

/** Items of one source, or of none, as a call carries them beside those of others. */
export interface CallPart {
  readonly chunk: ScriptChunk;
  /** Name of the source (keys.ts); '' for none. */
  readonly source: string;
  /** Offset of the call before; -1: for the first one, and without a source. */
  readonly previousOffset: number;
  /** The reply shall have a row for each item. */
  readonly perItem: boolean;
  /** Of the source, when the chunk is the last one of its batch. */
  readonly mark: SourceMark | null;
  /** Suffix that makes the origin of each item (see wire.ts). */
  readonly originSuffix: string;
  /**
   * Nothing else goes in the same call: it has no source, wants rows, or was in a call of unknown outcome before, and might
   * be what the script fails on.
   */
  readonly isAlone: boolean;
}

export interface CallHead {
  readonly epoch: string;
  /** The Redis process that the call is meant for (see newEpoch). */
  readonly server: string;
  readonly inboxBytesMax: number;
  /** Nodes on which a message goes by the log that they share; 0: none goes by it. */
  readonly sharingNodesMin: number;
}

/** ARGV of publish-1.lua. */
export function publishArgs(parts: readonly CallPart[], head: CallHead): (string | number)[] {
  const classes = new ItemClasses();
  const sources: (string | number)[] = [];
  const items: (string | number)[] = [];
  for (const { chunk, source, previousOffset, mark, originSuffix } of parts) {
    let offsets = '';
    for (const item of chunk.items) {
      offsets += `${item.sourceOffset} `;
      const origin = originSuffix === '' ? '' : originSuffix + item.sourceOffset;
      pushItem(items, item, { classes, origin });
    }
    const partial = chunk.partial === 0 ? '' : chunk.partial;
    sources.push(source, previousOffset, chunk.lastOffset, chunk.items[0]!.sourceOffset, chunk.ordinal, partial);
    sources.push(mark === null ? '' : formatMark(mark), chunk.items.length, offsets);
  }
  return [
    head.epoch,
    head.server,
    head.inboxBytesMax,
    parts[0]!.perItem ? '1' : '',
    head.sharingNodesMin,
    parts.length,
    ...sources,
    classes.count,
    ...classes.args,
    ...items,
  ];
}

/**
 * Classes of what items of one call have in common, numbered from 1. A batch knows few: one for each kind and topic, as
 * a rule.
 */
class ItemClasses {
  readonly args: (string | number)[] = [];
  readonly #known: ItemClass[] = [];

  get count(): number {
    return this.#known.length;
  }

  /** `ends`: the items have an end of their lives, which comes last of what they have. */
  number(kind: string, topic: string, retention: Retention | null, { except = '', ends = false } = {}): number {
    const known = this.#known;
    for (let i = 0; i < known.length; i++) {
      const other = known[i]!;
      const isSame = other.kind === kind && other.topic === topic && other.retention === retention;
      if (isSame && other.except === except && other.ends === ends) return i + 1;
    }
    const [mode, ...bounds] = retentionArgs(retention);
    this.args.push(kind, topic, ends ? mode.toUpperCase() : mode, ...bounds, except);
    return known.push({ kind, topic, retention, except, ends });
  }
}

interface ItemClass {
  readonly kind: string;
  readonly topic: string;
  readonly retention: Retention | null;
  readonly except: string;
  readonly ends: boolean;
}

function retentionArgs(retention: Retention | null): [string, number, number, number] {
  if (retention === null) return ['', 0, 0, 0];
  const { mode, size, ttlMs, bytesMax = 0 } = retention;
  return mode === 'latest' ? ['l', 1, ttlMs, bytesMax] : ['o', size, ttlMs, bytesMax];
}

export function loadOf({ items, bytes, handOuts }: ScriptChunk): Load {
  return { items: items.length, bytes, handOuts };
}

function newChunk(partition: number, ordinal: number): ScriptChunk {
  return { partition, ordinal, items: [], places: [], bytes: 0, handOuts: 0, lastOffset: -1, partial: 0 };
}

/** Not for the nodes of one user, which are few. */
function isWide({ kind }: Item): boolean {
  return kind === 'channel' || kind === 'all' || kind === 'C' || kind === 'K';
}

function sizeOf(item: Item): number {
  return 'head' in item ? item.head.length : 0;
}

interface ItemContext {
  readonly classes: ItemClasses;
  /** Text that follows the record's time; '' for no record, and then nodes could not say what became of the message. */
  readonly origin: string;
}

function pushItem(args: (string | number)[], item: Item, { classes, origin }: ItemContext): void {
  switch (item.kind) {
    case 'user': {
      const ticket = origin === '' ? undefined : item.ticket;
      const kind = ticket === undefined ? 'u' : 't';
      args.push(classes.number(kind, item.topic, item.retention, traitsOf(item)), item.recordTimeMs + origin);
      args.push(item.user, item.head);
      if (ticket !== undefined) args.push(ticketText(ticket));
      args.push(...lifeArgs(item));
      return;
    }
    case 'expired':
      args.push(classes.number('x', item.topic, null), item.recordTimeMs + origin);
      args.push(item.user, '', ticketText(item.ticket));
      return;
    case 'channel':
      args.push(classes.number('c', '', item.retention, traitsOf(item)), item.recordTimeMs + origin);
      args.push(item.stream, item.head, ...lifeArgs(item));
      return;
    case 'all':
      args.push(classes.number('a', '', null), item.recordTimeMs + origin, '', item.head);
      return;
    case 'block':
      args.push(classes.number('b', item.topic, item.retention, traitsOf(item)), item.recordTimeMs + origin);
      args.push(item.user, item.head, ...blockArgs(item.user, item.block), item.step ?? '', ...lifeArgs(item));
      return;
    case 'k':
    case 'C':
    case 'N':
    case 'K':
      args.push(classes.number(item.kind, '', null), 0, item.address, JSON.stringify(item.command));
  }
}

type KeptItem = Exclude<PublishItem, { readonly kind: 'all' | 'expired' }>;

/** Only history need know when a life ends. */
function endOf({ retention, endsAtMs = 0 }: KeptItem): number {
  return retention === null ? 0 : endsAtMs;
}

/** A message with a trace context is of a class of its own: few are sampled. */
function traitsOf(item: KeptItem): { except: string; ends: boolean } {
  const except = (item.kind === 'block' ? undefined : item.except) ?? '';
  return { except: item.trace === undefined ? except : `${except} ${item.trace}`, ends: endOf(item) > 0 };
}

function lifeArgs(item: KeptItem): number[] {
  const endsAtMs = endOf(item);
  return endsAtMs > 0 ? [endsAtMs] : [];
}

/** See source-positions.ts, which reads it. */
function formatMark({ offset, proof, log, cluster }: SourceMark): string {
  return `${offset} ${proof} ${log} ${cluster}`;
}
