import type { Logger } from '../logger.js';
import type { Rejection } from '../records/decoded.js';

const MINUTE_MS = 60_000;

export interface DeadLetterNote {
  /** Kafka's name. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly reason: Rejection;
}

/**
 * Says of dead letters what a person needs to find them: of each topic and reason the first one at once, and a minute later
 * how many more there were and which was the last. So a topic full of poison is two lines a minute.
 */
export class DeadLetterLog {
  readonly #logger: Logger;
  /** By topic and reason, those of the present minute behind the first. */
  readonly #following = new Map<string, { last: DeadLetterNote; more: number }>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(note: DeadLetterNote): void {
    const key = `${note.topic} ${note.reason.error}`;
    const following = this.#following.get(key);
    if (following === undefined) this.#begin(key, note);
    else {
      following.last = note;
      following.more++;
    }
  }

  #begin(key: string, first: DeadLetterNote): void {
    this.#following.set(key, { last: first, more: 0 });
    this.#logger.warn('dead letter', fieldsOf(first));
    setTimeout(() => this.#end(key), MINUTE_MS).unref();
  }

  #end(key: string): void {
    const { last, more } = this.#following.get(key)!;
    this.#following.delete(key);
    if (more > 0)
      this.#logger.warn('more dead letters like the one before, up to this one', { ...fieldsOf(last), more });
  }
}

function fieldsOf({ topic, partition, offset, reason }: DeadLetterNote): Record<string, unknown> {
  return { topic, partition, offset, reason: reason.error, cause: reason.message };
}
