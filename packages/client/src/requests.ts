import { AnswerError, ClientError, type RefusedStatus } from './errors.js';
import type { Frame } from './frames.js';

export interface RequestOptions {
  readonly timeoutMs: number;
  /** Called in the moment of an answer `ok`, before any frame that follows it. */
  readonly onOk?: (payload: unknown) => void;
}

interface Pending {
  readonly command: string;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly onOk: ((payload: unknown) => void) | undefined;
  resolve(payload: unknown): void;
  reject(error: Error): void;
}

/**
 * Requests waiting for their answers. Each settles exactly once: by its answer, its timeout or the connection's end.
 * `rid`s are never used again, so an answer that comes too late fits nothing.
 */
export class Requests {
  readonly #pending = new Map<number, Pending>();
  #rid = 0;

  /** `send` says false when there is no connection. Rejects with AnswerError and ClientError `disconnected`, `timeout`. */
  request(
    send: (text: string) => boolean,
    { command, options }: { command: string; options: object },
    { timeoutMs, onOk }: RequestOptions,
  ): Promise<unknown> {
    const rid = ++this.#rid;
    return new Promise((resolve, reject) => {
      const text = JSON.stringify({ rid, command, options });
      if (!send(text)) {
        reject(new ClientError('disconnected', `${command}: no connection`));
        return;
      }
      const timer = setTimeout(() => this.#expire(rid, timeoutMs), timeoutMs);
      this.#pending.set(rid, { command, timer, onOk, resolve, reject });
    });
  }

  /** Takes a frame with a rid. */
  answer(frame: Frame): void {
    const pending = this.#take(frame.rid);
    if (pending === undefined) return;
    if (frame.status === 'ok') {
      pending.onOk?.(frame.payload);
      pending.resolve(frame.payload);
    } else {
      pending.reject(new AnswerError(pending.command, frame.status as RefusedStatus, frame.payload));
    }
  }

  /** The connection ended: none of them will be answered. */
  rejectAll(): void {
    for (const rid of [...this.#pending.keys()]) {
      const pending = this.#take(rid);
      pending?.reject(new ClientError('disconnected', `${pending.command}: the connection was lost`));
    }
  }

  #expire(rid: number, timeoutMs: number): void {
    const pending = this.#take(rid);
    pending?.reject(new ClientError('timeout', `${pending.command}: not within ${timeoutMs} ms`));
  }

  #take(rid: number): Pending | undefined {
    const pending = this.#pending.get(rid);
    if (pending === undefined) return undefined;
    this.#pending.delete(rid);
    clearTimeout(pending.timer);
    return pending;
  }
}
