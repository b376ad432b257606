import type { BackendCommands, BackendOutcome } from '../../backend-commands.js';
import type { StreamMessage } from '../../engine.js';
import { reloadedFrame } from '../../frame.js';
import type { LocalStreamTable } from '../delivery/local-streams.js';
import type { Subscription } from '../delivery/connection.js';
import type { Sender } from '../delivery/sender.js';

/** How the router's frame for a subscription id begins when its producer wants a reload (see frame.ts). */
const RELOAD = Buffer.from('","status":"reload","payload":');
const EVENT = '{"rid":-1,"event":"';

interface ReloadDeps {
  readonly backends: BackendCommands;
  readonly localStreams: LocalStreamTable;
  readonly sender: Sender;
}

/**
 * `wss` updates with `reload`: the backend is asked again for each connection, because each may see something else; once
 * where the call is the same to the last letter, token included. How many calls run at once is the table's limit.
 */
export class Reloads {
  readonly #deps: ReloadDeps;

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
    const answers = new Map<string, Promise<BackendOutcome>>();
    for (const subscription of [...localStream.subscriptions()]) void this.#reload(subscription, answers);
    return true;
  }

  async #reload(subscription: Subscription, answers: Map<string, Promise<BackendOutcome>>): Promise<void> {
    const { query, connection } = subscription;
    if (query === null) return;
    const call = { ...query.call, authorization: connection.authorization, user: connection.user };
    const key = this.#deps.backends.callKey(query.command, call);
    let answer = answers.get(key);
    if (answer === undefined) answers.set(key, (answer = this.#deps.backends.execute(query.command, call)));
    const outcome = await answer;
    // A backend that fails now tells nothing new; the client keeps what it has.
    if (outcome.status !== 'ok' || !connection.subscriptions.includes(subscription)) return;
    this.#deps.sender.send(connection, reloadedFrame(subscription.name, outcome.payload), 'subscription');
  }
}
