import { endByDefect } from '@ws-gateway/core';
import { addLoads, fitTogether, isSmall, loadOf, type CallPart, type Load } from './publish-call.js';

interface Waiting<Reply> {
  readonly part: CallPart;
  readonly answer: PromiseWithResolvers<Reply>;
}

/** What one call will carry. */
interface Pending<Reply> {
  readonly parts: Waiting<Reply>[];
  load: Load;
}

/**
 * Makes the publish calls of one Redis partition. A call costs Redis as much as several messages, so what the lanes of a
 * router hand over in one turn of the loop goes in one call; and while one is under way, what is little waits for its answer,
 * and so for what others hand over meanwhile.
 *
 * Parts are sent in the order in which they were handed over. When a call fails, so do all its parts, and any of them may have
 * been applied.
 */
export class PublishQueue<Reply> {
  readonly #call: (parts: readonly CallPart[]) => Promise<readonly (Reply | Error)[]>;
  readonly #pending: Pending<Reply>[] = [];
  #underWay = 0;
  #isScheduled = false;

  /** `call` makes a call and resolves to an answer for each part; an Error is the answer to a part that alone was refused. */
  constructor(call: (parts: readonly CallPart[]) => Promise<readonly (Reply | Error)[]>) {
    this.#call = call;
  }

  send(part: CallPart): Promise<Reply> {
    const answer = Promise.withResolvers<Reply>();
    this.#add({ part, answer });
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      // All lanes whose turn it is hand over what they have before this runs.
      process.nextTick(() => {
        this.#isScheduled = false;
        this.#sendDue();
      });
    }
    return answer.promise;
  }

  #add(waiting: Waiting<Reply>): void {
    const load = loadOf(waiting.part.chunk);
    const newest = this.#pending.at(-1);
    if (newest === undefined || !mayJoin(newest, waiting.part, load)) {
      this.#pending.push({ parts: [waiting], load });
      return;
    }
    newest.parts.push(waiting);
    newest.load = addLoads(newest.load, load);
  }

  #sendDue(): void {
    while (this.#pending.length > 0 && !this.#hasTime()) this.#make(this.#pending.shift()!).catch(endByDefect);
  }

  /** Tells whether the next call may wait for more: only the last one gets any. */
  #hasTime(): boolean {
    if (this.#underWay === 0 || this.#pending.length > 1) return false;
    const { parts, load } = this.#pending[0]!;
    return isSmall(load) && !parts[0]!.part.isAlone;
  }

  async #make({ parts }: Pending<Reply>): Promise<void> {
    this.#underWay++;
    try {
      const replies = await this.#call(parts.map(({ part }) => part));
      for (const [i, { answer }] of parts.entries()) {
        const reply = replies[i]!;
        if (reply instanceof Error) answer.reject(reply);
        else answer.resolve(reply);
      }
    } catch (error) {
      for (const { answer } of parts) answer.reject(error);
    }
    this.#underWay--;
    this.#sendDue();
  }
}

/** A second part of a source would be taken for one that follows a call which was not applied. */
function mayJoin<Reply>({ parts, load }: Pending<Reply>, part: CallPart, more: Load): boolean {
  if (part.isAlone || parts[0]!.part.isAlone) return false;
  return fitTogether(load, more) && parts.every((other) => other.part.source !== part.source);
}
