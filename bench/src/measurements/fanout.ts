/**
 * Measures what the edge adds to the fan-out of one topic: its CPU for a delivery beside that of a bare uWebSockets.js,
 * in turns.
 */
import { runLocalBench, type LocalBench } from '../lib/bench.js';
import { ServerUnderTest, type Side } from '../lib/fanout-server.js';
import { median, type Figure, type Report } from '../lib/report.js';

const PER_TURN = [1, 8, 32] as const;
/** Number of bursts by messages a turn: shorter bursts are repeated more often. */
const BURSTS = { 1: 1, 8: 2, 32: 6 } as const;
const TURNS_MAX = 24;

/** The messages of a burst fit into the buffers between server and clients, so no server ever waits for a client. */
const defaults = { subscribers: 1_000, bytes: 200, messages: 160, rounds: 5, sampled: 10 };

await runLocalBench('fanout', defaults, measure);

async function measure(bench: LocalBench<typeof defaults>): Promise<Report> {
  const { rounds, bytes, subscribers } = bench.options;
  const bare = bench.ends(await ServerUnderTest.start('bare', bench));
  const edge = bench.ends(await ServerUnderTest.start('edge', bench));
  const pairs: Record<number, Pair[]> = {};
  // The first round is a warm-up.
  for (let round = 0; round <= rounds; round++) {
    bench.log(`round ${round} of ${rounds}`);
    for (const perTurn of PER_TURN) {
      const messages = Math.min(bench.options.messages, TURNS_MAX * perTurn);
      const micros = (cpuSeconds: number): number => (cpuSeconds * 1e6) / messages / subscribers;
      const task = { messages, perTurn, bytes };
      for (let burst = 0; burst < BURSTS[perTurn]; burst++) {
        const pair = { bare: micros(await bare.burst(task)), edge: micros(await edge.burst(task)) };
        if (round > 0) (pairs[perTurn] ??= []).push(pair);
      }
    }
  }
  return {
    figures: PER_TURN.flatMap((perTurn) => figuresOf(perTurn, pairs[perTurn]!)),
    verdicts: { bare: bare.verdict, edge: edge.verdict },
  };
}

/** CPU of a delivery in µs. */
type Pair = Readonly<Record<Side, number>>;

/** Makes medians. The ratio is that of each pair, whose two bursts ran one behind the other. */
function figuresOf(perTurn: number, pairs: readonly Pair[]): Figure[] {
  const name = (what: string): string => `${perTurn} a turn: ${what}`;
  const sides: readonly Side[] = ['bare', 'edge'];
  const micros = Object.fromEntries(sides.map((side) => [side, median(pairs.map((pair) => pair[side]))]));
  const ratio = median(pairs.map(({ bare, edge }) => (100 * bare) / edge));
  return [
    ...sides.map((side) => ({ name: name(`${side}, CPU per delivery`), value: micros[side]!, unit: 'µs' })),
    ...sides.map((side) => ({ name: name(`${side}, deliveries/s of CPU`), value: 1e6 / micros[side]!, unit: '/s' })),
    { name: name('edge / bare, deliveries'), value: ratio, unit: '%', ...(perTurn === 1 ? {} : { atLeast: 80 }) },
  ];
}
