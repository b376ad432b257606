import { EngineStats, type Inbox, type PublishItem } from '@ws-gateway/core';
import { RedisEngine } from '@ws-gateway/redis-engine';
import type { MeasuredRedis } from './local-redis.js';
import { quiet } from './quiet.js';

const PARALLEL = 64;
const FRAME_BYTES = 512;
const TTL_MS = 3_600_000;
const TOPICS = ['notifications', 'balance-updates'];
const RETENTION = { mode: 'ordered', size: 100, ttlMs: TTL_MS } as const;

/** Rows of users who do nothing, on the engine of a node without sockets, and a second node that publishes. */
export class RowLoad {
  readonly #leaving: RedisEngine;
  readonly #staying: RedisEngine;
  #next = 0;
  #gone = 0;

  private constructor(leaving: RedisEngine, staying: RedisEngine) {
    this.#leaving = leaving;
    this.#staying = staying;
  }

  static async start({ host, port }: MeasuredRedis): Promise<RowLoad> {
    const start = async (node: string): Promise<RedisEngine> => {
      const options = { node, role: 'edge', server: { host, port }, keyPrefix: 'bench', partitions: 1 } as const;
      const engine = new RedisEngine({ logger: quiet, stats: new EngineStats() }, options);
      await engine.start(unusedInbox);
      return engine;
    };
    return new RowLoad(await start('leaving'), await start('staying'));
  }

  /** Rows that are there. */
  get present(): number {
    return this.#next - this.#gone;
  }

  async admit(count: number): Promise<void> {
    await this.#each(count, async () => {
      const number = this.#next++;
      const user = `user-${number}`;
      const streams = TOPICS.map((topic) => ({ stream: `${topic}/u/${user}`, retention: RETENTION, user }));
      const rest = { endpoint: '/ws', sinceMs: Date.now(), streams, sessions: null };
      await this.#leaving.admit({ ...rest, user, connection: connectionOf(number) });
    });
  }

  async release(count: number): Promise<void> {
    await this.#each(count, async () => {
      const number = this.#gone++;
      await this.#leaving.release([{ connection: connectionOf(number), user: `user-${number}` }]);
    });
  }

  /** Messages to users who are not there: they are kept and nothing else. */
  async keep(streams: number, messages: number): Promise<void> {
    const head = '{"payload":"' + 'x'.repeat(FRAME_BYTES - 40) + '","epoch":"';
    let offset = 0;
    for (let message = 0; message < messages; message++) {
      for (let first = 0; first < streams; first += PARALLEL) {
        const items = Array.from({ length: Math.min(PARALLEL, streams - first) }, (_, i): PublishItem => {
          const rest = { retention: RETENTION, head, sourceOffset: offset + i, recordTimeMs: Date.now() };
          return { ...rest, kind: 'user', topic: TOPICS[0]!, user: `kept-${first + i}` };
        });
        const lastOffset = offset + items.length - 1;
        const source = { topic: 't', partition: 0, previousOffset: offset - 1, lastOffset };
        await this.#staying.publish({ source, items });
        offset = lastOffset + 1;
      }
    }
  }

  /** The node with the rows leaves: it takes them away by the script, and in the chunks, with which a dead node is reaped. */
  async leave(): Promise<void> {
    await this.#leaving.stop();
  }

  async stop(): Promise<void> {
    await this.#leaving.stop();
    await this.#staying.stop();
  }

  async #each(count: number, action: () => Promise<void>): Promise<void> {
    let left = count;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await action();
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }
}

/** The id of a connection, as long as a real one. */
function connectionOf(number: number): string {
  return `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;
}

const ignore = (): void => undefined;
export const unusedInbox: Inbox = {
  deliver: ignore,
  broadcast: ignore,
  command: ignore,
  endBatch: ignore,
  rebuild: () => Promise.reject(new Error('rows were lost')),
  holds: () => true,
};
