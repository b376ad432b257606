import type {
  AdmitRequest,
  AdmitResult,
  Engine,
  PublishBatch,
  PublishItem,
  PublishResult,
  Retention,
} from '@ws-gateway/core';
import { RecordingInbox } from './recording-inbox.js';

/** What an implementation brings to the suite. */
export interface EngineHarness {
  /** Creates a node on the harness' store without starting it. */
  createEngine(node: string): Engine;
  /** Lets time pass for the store: by its clock, or by waiting. */
  elapse(ms: number): Promise<void>;
  /** Takes away all that the store knows, while its engines run; absent where the store ends with its engine. */
  lose?(): Promise<void>;
  /** Called after the engines have been stopped. */
  stop(): Promise<void>;
}

export type CreateHarness = () => Promise<EngineHarness>;

export interface TestNode {
  readonly engine: Engine;
  readonly inbox: RecordingInbox;
}

export const ordered: Retention = { mode: 'ordered', size: 10, ttlMs: 60_000 };
export const latest: Retention = { mode: 'latest', size: 1, ttlMs: 60_000 };
export const topic = 'notifications';

/** Tests by name. A name is a sentence about behaviour. */
export type ConformanceTests = Readonly<Record<string, (fixture: Fixture) => Promise<void>>>;

/**
 * Barrier users. There are enough of them to reach every partition, because what arrives in one partition says nothing
 * about the others.
 */
const BARRIERS = Array.from({ length: 16 }, (_, i) => `barrier-${i}`);

/** The nodes of one test, and short ways to say what happens to them. */
export class Fixture {
  readonly harness: EngineHarness;
  readonly severalNodes: boolean;
  readonly #nodes: TestNode[] = [];
  #barriers = 0;

  constructor(harness: EngineHarness, { severalNodes }: { severalNodes: boolean }) {
    this.harness = harness;
    this.severalNodes = severalNodes;
  }

  async node(name = `node-${this.#nodes.length}`): Promise<TestNode> {
    const node = { engine: this.harness.createEngine(name), inbox: new RecordingInbox() };
    this.#nodes.push(node);
    await node.engine.start(node.inbox);
    return node;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(({ engine }) => engine.stop()));
    await this.harness.stop();
  }

  /**
   * Resolves when everything that was published before has arrived. A test proves with it that something did not come.
   */
  async settle({ engine }: TestNode): Promise<void> {
    const text = `barrier ${++this.#barriers}`;
    for (const node of this.#nodes) {
      for (const user of BARRIERS) await admit(node, user, `${user}@${this.#nodes.indexOf(node)}`);
    }
    await engine.publish(unsourced(...BARRIERS.map((user) => userItem(user, text, null))));
    for (const { inbox } of this.#nodes) await inbox.waitFor(() => inbox.texts(text).length === BARRIERS.length, text);
    for (const { inbox } of this.#nodes) inbox.forget(text);
  }
}

export function admit(
  { engine }: TestNode,
  user: string | null,
  connection: string,
  options: Partial<AdmitRequest> = {},
): Promise<AdmitResult> {
  const request = { connection, user, endpoint: '/ws', sinceMs: 1000, streams: [], sessions: null };
  return engine.admit({ ...request, ...options });
}

export function userItem(user: string, text: string, retention: Retention | null = ordered): PublishItem {
  const head = retention === null ? text : headOf(text, `${topic}/u/${user}`);
  return { kind: 'user', topic, user, retention, head, sourceOffset: -1, recordTimeMs: 1234 };
}

export function channelItem(stream: string, text: string, retention: Retention | null = null): PublishItem {
  const head = retention === null ? text : headOf(text, stream);
  return { kind: 'channel', stream, retention, head, sourceOffset: -1, recordTimeMs: 1234 };
}

export function allItem(text: string): PublishItem {
  return { kind: 'all', head: text, sourceOffset: -1, recordTimeMs: 1234 };
}

/** Head of a frame as the router builds it: up to the place where the engine puts the position. */
export function headOf(text: string, stream: string): string {
  return `{"text":${JSON.stringify(text)},"stream":${JSON.stringify(stream)},"epoch":"`;
}

export function unsourced(...items: PublishItem[]): PublishBatch {
  return { source: null, items };
}

/** A batch of partition 0 with these [offset, item] pairs. */
export function sourced(
  previousOffset: number,
  items: readonly (readonly [number, PublishItem])[],
  lastOffset = items.at(-1)![0],
): PublishBatch {
  return {
    source: { topic, partition: 0, previousOffset, lastOffset },
    items: items.map(([sourceOffset, item]) => ({ ...item, sourceOffset })),
  };
}

export function counts(result: PublishResult): number[] {
  return [result.routed, result.offline, result.duplicates];
}
