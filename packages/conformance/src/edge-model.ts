import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { faultsOf } from './edge-model/faults.js';
import { Model, type ModelHarness } from './edge-model/model.js';

export type { ModelHarness } from './edge-model/model.js';

export interface EdgeModelOptions {
  readonly nodes: number;
  /** Number of different sequences; `WSGATEWAY_TEST_MODEL_RUNS` multiplies it. */
  readonly runs: number;
  /**
   * Time in ms after which no further sequence is begun, so that a slow machine tries fewer. It does not apply when
   * more sequences were asked for.
   */
  readonly budgetMs: number;
}

const operations = {
  connect: (model: Model, n: number, at: number) => model.connect(n, at),
  resume: (model: Model, n: number, at: number) => model.resume(n, at),
  connectMany: (model: Model, n: number, at: number) => model.connectMany(n, at),
  abort: (model: Model, n: number, at: number) => model.abort(n, at),
  cut: (model: Model, n: number) => model.cut(n),
  toUser: (model: Model, n: number) => model.toUser(n),
  toEverybody: (model: Model, n: number) => model.toEverybody(n),
  toRoom: (model: Model, n: number) => model.toRoom(n),
  toKey: (model: Model, n: number) => model.toKey(n),
  enter: (model: Model, n: number) => model.request('enter', n),
  leave: (model: Model, n: number) => model.request('leave', n),
  subscribe: (model: Model, n: number) => model.request('subscribe', n),
  unsubscribe: (model: Model, n: number) => model.request('unsubscribe', n),
  subscribeKeys: (model: Model, n: number) => model.request('subscribeKeys', n),
  unsubscribeKeys: (model: Model, n: number) => model.request('unsubscribeKeys', n),
  block: (model: Model, n: number) => model.block(n, true),
  unblock: (model: Model, n: number) => model.block(n, false),
  rebalance: (model: Model, n: number, at: number) => model.rebalance(n, at),
  kill: (model: Model, _n: number, at: number) => model.kill(at),
  rest: (model: Model) => model.rest(),
  turn: () => new Promise<void>((resolve) => setImmediate(resolve)),
} satisfies Record<string, (model: Model, n: number, at: number) => void | Promise<void>>;

type Operation = keyof typeof operations;
type Step = readonly [operation: Operation, n: number, node: number];

/** Relative frequency of each operation. */
const weights: Record<Operation, number> = {
  connect: 4,
  resume: 8,
  connectMany: 1,
  abort: 1,
  cut: 4,
  toUser: 6,
  toEverybody: 4,
  toRoom: 4,
  toKey: 5,
  enter: 4,
  leave: 1,
  subscribe: 2,
  unsubscribe: 1,
  subscribeKeys: 4,
  unsubscribeKeys: 2,
  block: 1,
  unblock: 1,
  rebalance: 2,
  kill: 1,
  rest: 2,
  turn: 8,
};

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.oneof(...Object.entries(weights).map(([name, weight]) => ({ arbitrary: fc.constant(name as Operation), weight }))),
  fc.integer({ min: 0, max: 11 }),
  fc.integer({ min: 0, max: 5 }),
);

/**
 * Checks what an edge promises to its clients, against any sequence of what clients, producers and nodes may do. A
 * failure prints the shortest sequence that fails, its seed and its path. The suite has an entry point of its own,
 * because it needs jest's globals.
 */
export function edgeModel(name: string, createHarness: () => Promise<ModelHarness>, options: EdgeModelOptions): void {
  const more = Number(process.env['WSGATEWAY_TEST_MODEL_RUNS'] ?? 0);
  const budgetMs = more > 0 ? options.budgetMs * more : options.budgetMs;

  describe(`edges over ${name}, whatever happens`, () => {
    const sentence = 'give each client all there is, in order, once, and nothing to the blocked';
    // The time limit is twice the budget: the last sequence may begin at its end, and finding the shortest one takes
    // time.
    it(
      sentence,
      async () => {
        const endMs = Date.now() + budgetMs;
        const run = async (steps: readonly Step[]): Promise<void> => {
          if (Date.now() < endMs) expect(await faultsAfter(steps, createHarness, options.nodes)).toEqual([]);
        };
        const numRuns = options.runs * Math.max(1, more);
        await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), run), { numRuns });
      },
      budgetMs * 2 + 20_000,
    );
  });
}

async function faultsAfter(
  steps: readonly Step[],
  createHarness: () => Promise<ModelHarness>,
  nodes: number,
): Promise<string[]> {
  const model = await Model.start(await createHarness(), nodes);
  try {
    for (const [operation, n, at] of steps) await operations[operation](model, n, at);
    await model.rest();
    return await faultsOf(model);
  } finally {
    await model.stop();
  }
}
