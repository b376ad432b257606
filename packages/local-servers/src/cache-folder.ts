import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';

type Fill = (unfinished: string) => Promise<void>;

/** What this process is filling now: whoever wants the same folder meanwhile waits for it. */
const underWay = new Map<string, Promise<void>>();

/**
 * Fills a folder of the cache once. It is filled aside and renamed when whole: neither an interruption nor another
 * process that does the same leaves half a folder under the final name.
 */
export function fillOnce(folder: string, fill: Fill): Promise<void> {
  const filling = underWay.get(folder) ?? fillAside(folder, fill).finally(() => underWay.delete(folder));
  underWay.set(folder, filling);
  return filling;
}

async function fillAside(folder: string, fill: Fill): Promise<void> {
  if (existsSync(folder)) return;
  const unfinished = `${folder}.${process.pid}.unfinished`;
  try {
    await mkdir(unfinished, { recursive: true });
    await fill(unfinished);
    await rename(unfinished, folder);
  } catch (error) {
    // Another process was faster: what it made is as good.
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}
