import { waitFor } from '@ws-gateway/testkit';
import type { Received } from './delivery-ledger.js';
import { Listener } from './listener.js';

export interface ListeningClientsOptions {
  readonly users: readonly string[];
  readonly topics: string;
  /** Addresses `ws://…` of the nodes that take connections now. */
  readonly targets: () => readonly string[];
}

const CONNECT_TIMEOUT_MS = 30_000;

/** One resuming client for each user, spread over the nodes. */
export class ListeningClients {
  readonly listeners: readonly Listener[];

  private constructor(listeners: readonly Listener[]) {
    this.listeners = listeners;
  }

  /** Resolves when all have got `connected`. */
  static async open({ users, topics, targets }: ListeningClientsOptions): Promise<ListeningClients> {
    let turn = 0;
    const chooseTarget = (): string | null => {
      const now = targets();
      return now.length === 0 ? null : now[turn++ % now.length]!;
    };
    const clients = new ListeningClients(users.map((user) => new Listener({ user, topics, chooseTarget })));
    for (const listener of clients.listeners) listener.start();
    await clients.connected();
    return clients;
  }

  /** Resolves when every client is connected, and to one of these nodes when they are given. */
  async connected(targets?: readonly string[]): Promise<void> {
    const here = (listener: Listener): boolean =>
      listener.connected && (targets === undefined || targets.includes(listener.target ?? ''));
    await waitFor(() => this.listeners.every(here), { timeoutMs: CONNECT_TIMEOUT_MS, what: 'all clients connected' });
  }

  on(target: string): Listener[] {
    return this.listeners.filter((listener) => listener.connected && listener.target === target);
  }

  /** Resolves when every client has this sequence number or a later one. */
  async reached(sequences: ReadonlyMap<string, number>, timeoutMs: number): Promise<void> {
    const behind = (): Listener[] =>
      this.listeners.filter(({ user, sequences: got }) => (got.at(-1) ?? -1) < (sequences.get(user) ?? -1));
    await waitFor(() => behind().length === 0, { timeoutMs, what: 'all clients up to date' }).catch(
      (error: unknown) => {
        const few = behind().slice(0, 5);
        const rows = few.map((one) => `${one.user} at ${one.sequences.at(-1)} of ${sequences.get(one.user)}`);
        throw new Error(`${behind().length} clients are behind: ${rows.join(', ')}`, { cause: error });
      },
    );
  }

  /** Counts how often each close code was seen. */
  closes(): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const { closes } of this.listeners) {
      for (const [code, count] of closes) sum[code] = (sum[code] ?? 0) + count;
    }
    return sum;
  }

  sum(of: (listener: Listener) => number): number {
    return this.listeners.reduce((total, listener) => total + of(listener), 0);
  }

  get received(): readonly Received[] {
    return this.listeners;
  }

  async close(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.stop()));
  }
}

/** Percentile of times in ms; 0 when there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
