import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * Core of what is measured, which runs alone there. Everything that only serves the measurement shares another core.
 */
export const GATEWAY_CORE = 0;
/** Core of the load, the same as in the scripts of package.json. */
export const LOAD_CORE = 1;

/**
 * Checks that this process runs on the core of the load. The scripts of package.json start it there, and what it starts
 * inherits that.
 */
export function assertPinned(): void {
  if (process.platform === 'linux' && cpus().length >= 2 && availableParallelism() === 1) return;
  throw new Error('a benchmark needs Linux with two cores, and is started by: npm --prefix bench run <name>');
}

export function machine(): Record<string, string | number> {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
  };
}

/**
 * Memory that the kernel keeps for itself, of the whole machine. A socket that waits costs nearly nothing else there.
 */
export function slabBytes(): number {
  return Number(/^Slab:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;
}
