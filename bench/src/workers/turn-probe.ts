/**
 * Preloaded into a gateway, this never lets its event loop sleep, and writes a line for each turn that took long: when
 * it ended, by the clock of all processes, and its CPU time. The time that others take from the core is not in it.
 */
import { appendFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { nowMicros } from '@ws-gateway/load-generator';

const LONG_MICROS = 500;

const file = process.env['BENCH_TURNS_FILE'];
// Worker threads and helpers of Node get the same NODE_OPTIONS.
if (file !== undefined && isMainThread) watch(file);

function watch(path: string): void {
  const lines: string[] = [];
  let before = cpuMicros();
  let isEnding = false;
  process.once('SIGTERM', () => (isEnding = true));
  const turn = (): void => {
    const now = cpuMicros();
    if (now - before > LONG_MICROS) lines.push(`${nowMicros()} ${now - before}\n`);
    before = now;
    if (!isEnding) setImmediate(turn);
  };
  setImmediate(turn);
  setInterval(() => {
    appendFileSync(path, lines.join(''));
    lines.length = 0;
  }, 1000).unref();
}

function cpuMicros(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
