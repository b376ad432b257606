import {
  closeReason,
  endByDefect,
  type AdmitRequest,
  type AdmitResult,
  type EngineStats,
  type Erased,
  type NodeCommand,
  type PresenceRow,
  type ReleasedConnection,
  type RetainedStream,
  type Revocation,
} from '@ws-gateway/core';
import { Admissions, type Answer } from './admissions.js';
import type { Calls } from './calls.js';
import type { Keys } from './keys.js';
import type { Membership } from './membership.js';
import { rowOf } from './node-names.js';
import type { Settings } from './options.js';
import type { Publisher } from './publisher.js';
import type { SilentNodes } from './silent-nodes.js';
import type { TopReads } from './top-reads.js';

/** Rows taken away in one script run. */
const RELEASE_CHUNK = 200;
/** Releases kept for a Redis that is away. Rows of those beyond stay until this node's lease ends. */
const RELEASES_MAX = 200_000;

interface SessionsParts {
  readonly calls: Calls;
  readonly keys: Keys;
  readonly membership: Membership;
  readonly tops: Pick<TopReads, 'of'>;
  readonly silent: SilentNodes;
  readonly publisher: Pick<Publisher, 'command'>;
}

/** Presence rows of this node's connections, and who may have one. */
export class PresenceRegistry {
  readonly #parts: SessionsParts;
  readonly #stats: EngineStats;
  readonly #settings: Settings;
  /** Rows to be released with the next write, by connection and user: a connection may have changed its user. */
  readonly #releases = new Map<string, ReleasedConnection>();
  /** Being released. One that was admitted again meanwhile is not among them: its row is not to be taken away once more. */
  readonly #underWay = new Map<string, ReleasedConnection>();
  readonly #admissions: Admissions;
  #flushes = false;
  /** Made for those who want to know when their releases are written. */
  #flushed: PromiseWithResolvers<void> | null = null;

  constructor(parts: SessionsParts, { stats, settings }: { stats: EngineStats; settings: Settings }) {
    this.#parts = parts;
    this.#stats = stats;
    this.#settings = settings;
    this.#admissions = new Admissions(parts, settings);
  }

  async admit(request: AdmitRequest): Promise<AdmitResult> {
    const { user, streams, connection } = request;
    if (user === null) return { status: 'admitted', positions: await this.#parts.tops.of(streams) };
    const key = rowKey({ connection, user });
    this.#releases.delete(key);
    this.#underWay.delete(key);
    try {
      const result = await this.#admitWhereFree(request, user);
      if (result.status === 'admitted') this.#stats.registrations++;
      return result;
    } catch (error) {
      // The row may have been written: nobody but us would take it away while this process lives.
      this.#forget({ connection, user });
      throw error;
    }
  }

  async release(connections: readonly ReleasedConnection[]): Promise<void> {
    for (const connection of connections) this.#forget(connection);
    await this.flush();
  }

  /** See Engine.revoke, but for the command. Never takes back an earlier one that goes further. */
  async revoke(revocation: Revocation, untilMs: number): Promise<void> {
    const { calls, keys } = this.#parts;
    const revokeIn = (partition: number, key: string, args: readonly (string | number)[]) =>
      calls.of(partition).run<number>('revoke', { keys: [key, keys.key(partition, 'EXPIRIES')], args });
    if ('tokenId' in revocation) {
      const { tokenId } = revocation;
      const args = [1, untilMs, `t ${tokenId}`];
      await Promise.all(keys.all().map((p) => revokeIn(p, keys.key(p, 'REVOKED_TOKEN', tokenId), args)));
      return;
    }
    const { user, issuedBeforeMs } = revocation;
    const partition = keys.partitionOf(user);
    await revokeIn(partition, keys.key(partition, 'REVOKED_BEFORE', user), [issuedBeforeMs, untilMs, `r ${user}`]);
  }

  /** See Engine.erase. */
  async erase(user: string, streams: readonly RetainedStream[]): Promise<Erased> {
    const { calls, keys } = this.#parts;
    const partition = keys.partitionOf(user);
    const link = calls.of(partition);
    const command: NodeCommand = { command: 'close', user, close: closeReason('revoked') };
    const args = [user, link.server, this.#settings.inboxBytesMax, JSON.stringify(command)];
    for (const { stream, retention } of streams) args.push(stream, retention.mode === 'latest' ? 1 : retention.size);
    const [written, messages] = await link.run<[number, number]>('erase', { keys: [keys.base(partition)], args });
    return { streams: written, messages };
  }

  /** Writes the releases that wait. Never rejects: those that fail wait for the next call. */
  flush(): Promise<void> {
    this.#flushed ??= Promise.withResolvers();
    this.#flushSoon();
    return this.#flushed.promise;
  }

  /** At the end of this turn of the loop: connections come and go in crowds. */
  #flushSoon(): void {
    if (this.#flushes) return;
    this.#flushes = true;
    setImmediate(() => {
      const flushed = this.#flushed;
      this.#flushes = false;
      this.#flushed = null;
      // Admissions first: whoever is released behind its admission must be gone in the end.
      this.#admissions.write();
      if (this.#releases.size > 0 || flushed !== null) this.#flush().then(flushed?.resolve, endByDefect);
      this.#parts.calls.send();
    });
  }

  async presence(user: string): Promise<PresenceRow[]> {
    const { calls, keys } = this.#parts;
    const partition = keys.partitionOf(user);
    const key = keys.key(partition, 'PRESENCE', user);
    const rows = await calls.of(partition).command<Record<string, string>>('hgetall', [key]);
    return Object.entries(rows).map(([connection, row]) => rowOf(connection, row));
  }

  /** A place that only rows of silent nodes hold is free. */
  async #admitWhereFree(request: AdmitRequest, user: string): Promise<AdmitResult> {
    const { membership, silent, publisher } = this.#parts;
    const answer = await this.#ask(request, user, []);
    const { status, holders } = answer;
    if (holders === undefined) return answer;
    const doubted = holders.filter((node) => node !== '' && node !== membership.name);
    if (request.rejoin === true || doubted.length === 0) return { status } as AdmitResult;
    const wanted = status === 'already_connected' ? { endpoint: request.endpoint } : {};
    const probe = () => publisher.command({ kind: 'user', user }, { command: 'probe', user, ...wanted });
    const nodes = await silent.among(doubted, probe);
    if (nodes.length === 0) return { status } as AdmitResult;
    const again = await this.#ask(request, user, nodes);
    return again.holders === undefined ? again : ({ status: again.status } as AdmitResult);
  }

  #ask(request: AdmitRequest, user: string, silent: readonly string[]): Promise<Answer> {
    const answer = this.#admissions.admit(request, user, silent);
    this.#flushSoon();
    return answer;
  }

  #forget(released: ReleasedConnection): void {
    if (this.#releases.size < RELEASES_MAX) this.#releases.set(rowKey(released), released);
  }

  async #flush(): Promise<void> {
    const { keys } = this.#parts;
    const chunks = new Map<number, ReleasedConnection[]>();
    const writes: Promise<void>[] = [];
    for (const [key, released] of this.#releases) {
      this.#underWay.set(key, released);
      const partition = keys.partitionOf(released.user);
      let chunk = chunks.get(partition);
      if (chunk === undefined) chunks.set(partition, (chunk = []));
      chunk.push(released);
      if (chunk.length < RELEASE_CHUNK) continue;
      writes.push(this.#write(partition, chunk));
      chunks.delete(partition);
    }
    this.#releases.clear();
    for (const [partition, chunk] of chunks) writes.push(this.#write(partition, chunk));
    await Promise.all(writes);
  }

  async #write(partition: number, chunk: readonly ReleasedConnection[]): Promise<void> {
    const { calls, keys, membership } = this.#parts;
    const releaseKeys = [keys.base(partition), keys.key(partition, 'NODE_CONNECTIONS', membership.name)];
    const args = chunk.flatMap(({ connection, user }) => [connection, user]);
    try {
      // Of a refused handshake there was no row.
      const removed = await calls.of(partition).run<number>('release', { keys: releaseKeys, args });
      this.#stats.unregistrations += removed;
    } catch {
      // Counted by the link. They wait for the next refresh that works.
      for (const released of chunk) if (this.#isUnderWay(released)) this.#forget(released);
    } finally {
      for (const released of chunk) if (this.#isUnderWay(released)) this.#underWay.delete(rowKey(released));
    }
  }

  #isUnderWay(released: ReleasedConnection): boolean {
    return this.#underWay.get(rowKey(released)) === released;
  }
}

function rowKey({ connection, user }: ReleasedConnection): string {
  return `${connection} ${user}`;
}
