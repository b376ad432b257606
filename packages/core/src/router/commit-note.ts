import type { CommittedOffset } from '../record-source.js';

/** What is kept beside a committed offset, for the router that takes the partition over. */
export interface CommitNote {
  /** The broker's identity of the log that the offset belongs to; '' unknown. */
  readonly log: string;
  /** Engine.store, to which all before the offset was applied; '' unknown. */
  readonly store: string;
  /** Where the partition stood a minute before; null: unknown. */
  readonly minuteBefore: number | null;
  /** Set where nothing was read yet: the group begins here, or begins again, because Kafka has lost what it had committed. */
  readonly begins: Beginning | null;
}

export type Beginning = 'first' | 'again';

const NOTHING: CommitNote = { log: '', store: '', minuteBefore: null, begins: null };

export function formatCommitNote({ log, store, minuteBefore, begins }: CommitNote): string {
  return `log=${log} store=${store} before=${minuteBefore ?? ''} begins=${begins ?? ''}`;
}

/** Beside the first offset that the group commits of a partition. */
export function formatStartNote(log: string, begins: Beginning): string {
  return formatCommitNote({ ...NOTHING, log, begins });
}

/** Takes any text: the release before wrote other notes, and people commit by hand. */
export function parseCommitNote(committed: Pick<CommittedOffset, 'note'> | null): CommitNote {
  const fields = /^log=(\S*) store=(\S*) before=(\d*) begins=(first|again|)$/.exec(committed?.note ?? '');
  if (fields === null) return NOTHING;
  const [, log = '', store = '', before = '', begins = ''] = fields;
  const minuteBefore = before === '' ? null : Number(before);
  return { log, store, minuteBefore, begins: begins === '' ? null : (begins as Beginning) };
}
