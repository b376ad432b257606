import type { BackendCommands } from '../../backend-commands.js';
import type { StreamMessage } from '../../inbox.js';
import type { Logger } from '../../logger.js';
import type { LocalStreams, Subscription } from '../delivery/connection.js';
import type { Sender } from '../delivery/sender.js';
import { ReloadQueue } from './reload-queue.js';

/** How the router's frame for a subscription id begins when its producer wants a reload (see frame.ts). */
const RELOAD = Buffer.from('","status":"reload","payload":');
const EVENT = '{"rid":-1,"event":"';

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
  readonly #queues = new Map<string, ReloadQueue>();

  constructor(deps: ReloadDeps) {
    this.#deps = deps;
  }

  /** Takes a message; true when it is a reload and so is dealt with here. */
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
    let queue = this.#queues.get(command);
    if (queue === undefined) this.#queues.set(command, (queue = new ReloadQueue(command, this.#deps)));
    queue.push(subscription, call);
  }
}
