import type { Client, Closed, Refused } from '@ws-gateway/client';

export interface Status {
  readonly state: Client['state'];
  /** Reason for people: why it is not connected (any more), or which topic is refused. */
  readonly reason?: string;
}

/** Close code whose reason is that of the block, in an operator's words. */
const USER_BLOCKED = 4500;

/** The client's state and the last reason, as one object that is another one whenever something has changed. */
export class StatusStore {
  #status: Status;
  /** Reasons by topic that was refused, the newest last. They outlive connections: no later one asks for these topics. */
  readonly #refusedTopics = new Map<string, string>();
  readonly #listeners = new Set<() => void>();

  constructor(client: Client) {
    this.#status = { state: client.state };
    client.on('connected', () => this.#connected());
    client.on('disconnected', ({ code, reason }) => {
      this.#set({ state: 'connecting', reason: reason || `connection lost (${code})` });
    });
    client.on('refused', (refused) => this.#set({ state: 'connecting', reason: textOf(refused) }));
    client.on('error', ({ message }) => {
      // What was refused has been said better.
      if (client.state === 'connecting' && this.#status.reason === undefined) {
        this.#set({ state: 'connecting', reason: message });
      }
    });
    void client.closed.then((closed) => this.#set({ state: 'closed', ...reasonOf(closed) }));
  }

  /** A topic that a component uses could not be subscribed; the connection stands. */
  topicRefused(topic: string, { code, message }: Pick<Refused, 'code' | 'message'>): void {
    const reason = textOf({ code, message });
    this.#refusedTopics.delete(topic);
    this.#refusedTopics.set(topic, reason);
    this.#set({ ...this.#status, reason });
  }

  /** The topic is subscribed, or no component uses it any more. */
  topicSettled(topic: string): void {
    if (this.#refusedTopics.delete(topic) && this.#status.state === 'connected') this.#connected();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly get = (): Status => this.#status;

  #connected(): void {
    const reason = [...this.#refusedTopics.values()].at(-1);
    this.#set({ state: 'connected', ...(reason !== undefined && { reason }) });
  }

  #set(status: Status): void {
    this.#status = status;
    for (const listener of this.#listeners) listener();
  }
}

function reasonOf({ why, code, reason, refusal }: Closed): Pick<Status, 'reason'> {
  if (why === 'client') return {};
  if (refusal !== undefined) return { reason: textOf(refusal) };
  return { reason: code === USER_BLOCKED ? blockedFor(reason) : reason || why };
}

/** The same words for who is blocked while connected as for who comes later. */
function blockedFor(reason: string): string {
  const why = reason === '' || reason === 'user_blocked' ? '' : `: ${reason}`;
  return textOf({ code: 'user_blocked', message: `this user is blocked${why}` });
}

function textOf({ code, message }: Pick<Refused, 'code' | 'message'>): string {
  return `${code}: ${message}`;
}
