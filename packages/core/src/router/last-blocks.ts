import type { Block, PublishItem } from '../engine.js';
import type { SourceRecord } from '../record-source.js';
import type { DecodeContext } from '../records/decoded.js';
import type { RecordDecoder } from '../records/record-decoder.js';

/**
 * The last word about each user in records that lie behind, be they new or read again because the store forgot them. A block
 * that a later record has lifted is not set for a moment: sockets would be closed for it, and told not to come back.
 */
export class LastBlocks {
  readonly #words = new Map<string, { readonly offset: number; readonly block: Block | null }>();
  readonly #decoder: RecordDecoder;

  constructor(decoder: RecordDecoder) {
    this.#decoder = decoder;
  }

  /** In order of offset. */
  note(records: readonly SourceRecord[], context: DecodeContext): void {
    for (const record of records) {
      const decoded = this.#decoder.decode(record, context);
      if (decoded.kind !== 'items') continue;
      for (const item of decoded.items) {
        if (item.kind === 'block') this.#words.set(item.user, { offset: record.offset, block: item.block });
      }
    }
  }

  /** The items, each with the last word about its user. */
  apply(items: readonly PublishItem[]): readonly PublishItem[] {
    return items.map((item) => {
      if (item.kind !== 'block') return item;
      const last = this.#words.get(item.user);
      if (last === undefined || last.offset <= item.sourceOffset) return item;
      // The head of a record for many is no member that a copy would have.
      return { ...item, head: item.head, block: last.block };
    });
  }
}
