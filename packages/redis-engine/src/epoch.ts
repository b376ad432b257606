import { randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

// 36^6 start values a process, and a counter behind them: never the same epoch twice, without asking for random bytes
// on the hot path.
const start = randomInt(36 ** 5, 36 ** 6).toString(36);
let made = 0;

/**
 * A new stream's epoch, in case the call makes one; base 36. Its first six characters name the Redis process that it
 * began on. A process that was started again, or took over, may have older data, and then offsets that were told before
 * are given to other messages: so the first message that is added to a stream on another process begins an epoch, with
 * the offset going on. Positions of the epoch before stay good up to where it ended (publish-1.lua).
 */
function newEpoch(server: string): string {
  return server + start + (made++).toString(36);
}

/**
 * Epoch for streams that there are not, in the form that scripts take (scripts/include/tops.lua): with a `~` nothing has to be kept of
 * them. A server that evicts may forget a stream that was written, and its epoch must not come again then.
 */
export function epochForLook({ server, evicts }: { readonly server: string; readonly evicts: boolean }): string {
  return (evicts ? '' : '~') + newEpoch(server);
}

/** The same for those who want to have kept what they are told, until the meta of a stream ends. */
export function epochToKeep({ server, evicts }: { readonly server: string; readonly evicts: boolean }): string {
  return (evicts ? '' : '=') + newEpoch(server);
}

/** The name of a Redis process: six digits, of the run id in its INFO. */
export function serverName(info: string): string {
  const runId = /^run_id:(\w+)/m.exec(info)?.[1] ?? '';
  return String(100_000 + (crc32(runId) % 900_000));
}

/** One name for the processes and data sets that make up a store. */
export function storeName(parts: readonly string[]): string {
  return crc32(parts.join()).toString(36);
}

/** The process on which an epoch began. */
export function serverOf(epoch: string): number {
  return Number(epoch.slice(0, 6));
}

export function randomId(): string {
  return randomInt(2 ** 47).toString(36) + Date.now().toString(36);
}
