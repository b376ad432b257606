import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BackendCommands, BackendOutcome, BackendRequest } from '../../backend-commands.js';
import { reloadedFrame, responseFrame } from '../../frame.js';
import type { Logger } from '../../logger.js';
import type { Subscription } from '../delivery/connection.js';
import type { Sender } from '../delivery/sender.js';

/** Calls under way at once. */
const CALLS_AT_ONCE = 64;

interface ReloadQueueDeps {
  readonly backends: BackendCommands;
  readonly sender: Sender;
  readonly logger: Logger;
}

/** One call, and all subscriptions that it is for. */
interface WaitingCall {
  readonly key: string;
  readonly call: BackendRequest;
  readonly subscriptions: Set<Subscription>;
}

/**
 * The reloads of one command, in the order they came: what one backend is slow with does not keep the others waiting.
 * Subscriptions whose call is the same share it, as long as it has not begun.
 */
export class ReloadQueue {
  readonly #command: string;
  readonly #deps: ReloadQueueDeps;
  /** By key, in the order they came. */
  readonly #waiting = new Map<string, WaitingCall>();
  #running = 0;

  constructor(command: string, deps: ReloadQueueDeps) {
    this.#command = command;
    this.#deps = deps;
  }

  push(subscription: Subscription, call: BackendRequest): void {
    const key = this.#deps.backends.callKey(this.#command, call);
    const waiting = this.#waiting.get(key);
    // One that is under way may have looked too early, so it is never joined.
    if (waiting === undefined) this.#waiting.set(key, { key, call, subscriptions: new Set([subscription]) });
    else waiting.subscriptions.add(subscription);
    if (this.#running >= CALLS_AT_ONCE) return;
    this.#running++;
    this.#run().then(
      () => this.#running--,
      (error: unknown) => {
        this.#running--;
        this.#deps.logger.error('reloads failed', { command: this.#command, error });
      },
    );
  }

  async #run(): Promise<void> {
    // What comes in the same batch shares calls with this one.
    await nextTurn();
    for (const waiting of this.#waiting.values()) {
      this.#waiting.delete(waiting.key);
      await this.#perform(waiting);
      // Many that fail at once must not hold up this node's sockets.
      await nextTurn();
    }
  }

  async #perform({ call, subscriptions }: WaitingCall): Promise<void> {
    const left = [...subscriptions].filter(isThere);
    if (left.length === 0) return;
    try {
      const turn = { patient: true, isGone: () => !left.some(isThere) };
      const outcome = await this.#deps.backends.execute(this.#command, call, turn);
      this.#tell(left, outcome);
    } catch (error) {
      this.#deps.logger.error('reload failed', { command: this.#command, error });
      this.#tell(left, { status: 'error', payload: { code: 'internal_error', message: 'try again later' } });
    }
  }

  #tell(subscriptions: readonly Subscription[], outcome: BackendOutcome): void {
    const frameOf =
      outcome.status === 'ok'
        ? (id: string) => reloadedFrame(id, outcome.payload)
        : (id: string) => responseFrame(-1, id, 'error', failureOf(outcome));
    // An answer may be large and its subscribers many: it is written out once for each id.
    const frames = new Map<string, string>();
    for (const { connection, name } of subscriptions.filter(isThere)) {
      const frame = frames.get(name) ?? frameOf(name);
      frames.set(name, frame);
      this.#deps.sender.send(connection, frame, 'subscription');
    }
  }
}

function isThere({ left }: Subscription): boolean {
  return !left;
}

/** A backend's own words where it gave some, cut down to what the frame promises. */
function failureOf({ status, payload }: BackendOutcome): { code: string; message: string } {
  const { code, message } = (payload ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return {
    code: typeof code === 'string' ? code : status === 'error' ? 'backend_error' : status,
    message: typeof message === 'string' ? message : 'the subscription could not be reloaded',
  };
}
