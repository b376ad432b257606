import { describe, expect, it } from '@jest/globals';
import type { Engine, SourceRecord } from '../../src/index.js';
import { range, recordsOf, RouterHarness } from './router-kit.js';

const NOW = Date.now();

/** Records that no other log has: their times differ. */
function logOf(length: number, bornMs: number): SourceRecord[] {
  return recordsOf(0, length).map((record) => ({ ...record, timestamp: bornMs + record.offset }));
}

const inCluster = (cluster: string) => ({ cluster, log: `log of ${cluster}` });

function warningsOf(harness: RouterHarness): string[] {
  return harness.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
}

// Each took the other's records for repetitions, and its own position for lost.
describe('a second cluster beside the same store', () => {
  it('is counted beside the first: while both are read nothing of either is lost or repeated', async () => {
    const first = new RouterHarness({ chunkRecords: 10 });
    const { engine } = first;
    const second = new RouterHarness({ chunkRecords: 10 }, engine as unknown as Engine);
    await first.router.start();
    await second.router.start();
    first.source.log = logOf(50, NOW - 100_000);
    await first.assign({ ...inCluster('one'), endOffset: 40 });
    first.push(first.source.log.slice(0, 40));
    await first.committed(40);
    second.source.log = logOf(60, NOW);
    await second.assign({ ...inCluster('two'), endOffset: 60 });
    second.push(second.source.log);
    await second.committed(60);
    first.push(first.source.log.slice(40));
    await first.committed(50);
    const { commit } = first;
    await first.router.revoked([{ topic: 'notifications', partition: 0 }]);
    await first.assign({ ...inCluster('one'), committed: commit, endOffset: 50 });
    expect(first.source.seeks.at(-1)!.offset).toBe(50);
    expect(engine.offsets).toEqual([...range(0, 40), ...range(0, 60), ...range(40, 50)]);
    expect([first.stats.duplicates, second.stats.duplicates]).toEqual([0, 0]);
    expect(warningsOf(first)).toEqual([]);
    expect(warningsOf(second)).toEqual([
      'the topic is of another Kafka cluster than the one known, it is counted beside that',
    ]);
    await first.stop();
    await second.stop();
  });
});
