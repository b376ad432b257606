import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BackendCommands, BackendOutcome, BackendRequest } from '../../backend-commands.js';
import type { StreamMessage } from '../../engine.js';
import { reloadedFrame, responseFrame } from '../../frame.js';
import type { Logger } from '../../logger.js';
import type { LocalStreams, Subscription } from '../delivery/connection.js';
import type { Sender } from '../delivery/sender.js';

/** How the router's frame for a subscription id begins when its producer wants a reload (see frame.ts). */
const RELOAD = Buffer.from('","status":"reload","payload":');
const EVENT = '{"rid":-1,"event":"';

/** Calls of one command under way at once: what one backend is slow with does not keep the others waiting. */
const CALLS_AT_ONCE = 64;

interface ReloadDeps {
  readonly backends: BackendCommands;
  readonly localStreams: LocalStreams;
  readonly sender: Sender;
  readonly logger: Logger;
}

/**
 * `wss` updates with `reload`: the backend is asked again for each connection, because each may see something else; once
 * where the call is the same to the last letter, token included. Calls are paced, and each subscription waits at most
 * once, so that many reloads cost time and nothing else: none is given up because others wait. Whatever keeps a reload
 * from being done is told to the client under its subscription id, so that it can ask by itself.
 */
export class Reloads {
  readonly #deps: ReloadDeps;
  readonly #lanes = new Map<string, ReloadLane>();

  constructor(deps: ReloadDeps) {
    this.#deps = deps;
  }

  /** True when the message is a reload and so is dealt with here. */
  take(message: StreamMessage): boolean {
    if (!message.stream.startsWith('sub/')) return false;
    const at = EVENT.length + message.stream.length - 'sub/'.length;
    if (RELOAD.compare(message.frame, at, at + RELOAD.length) !== 0) return false;
    const localStream = this.#deps.localStreams.get(message.stream);
    if (localStream === undefined) return true;
    for (const subscription of [...localStream.subscriptions()]) this.reload(subscription);
    return true;
  }

  /** Asks again what made the subscription; one that is still being made asks when it is (see BackendCommandHandler). */
  reload(subscription: Subscription): void {
    const { query, connection } = subscription;
    subscription.reloadMissed = query === null;
    if (query === null) return;
    const { command } = query;
    const call = { ...query.call, authorization: connection.login.authorization, user: connection.user };
    let lane = this.#lanes.get(command);
    if (lane === undefined) this.#lanes.set(command, (lane = new ReloadLane(command, this.#deps)));
    lane.push(subscription, call);
  }
}

/** One call, and all subscriptions that it is for. */
interface WaitingCall {
  readonly key: string;
  readonly call: BackendRequest;
  readonly subscriptions: Set<Subscription>;
}

/** The reloads of one command. */
class ReloadLane {
  readonly #command: string;
  readonly #deps: ReloadDeps;
  /** By key, in the order they came. */
  readonly #waiting = new Map<string, WaitingCall>();
  #running = 0;

  constructor(command: string, deps: ReloadDeps) {
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
      const outcome = await this.#deps.backends.execute(this.#command, call, 'patient');
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

function isThere(subscription: Subscription): boolean {
  return subscription.connection.subscriptions.includes(subscription);
}

/** A backend's own words where it gave some, cut down to what the frame promises. */
function failureOf({ status, payload }: BackendOutcome): { code: string; message: string } {
  const { code, message } = (payload ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return {
    code: typeof code === 'string' ? code : status === 'error' ? 'backend_error' : status,
    message: typeof message === 'string' ? message : 'the subscription could not be reloaded',
  };
}
