import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';

type Fill = (unfinished: string) => Promise<void>;

/** Folders that this process is filling now. Whoever wants the same folder waits for it. */
const underWay = new Map<string, Promise<void>>();

/**
 * Fills a folder of the cache once. It fills it aside and renames it when it is whole, so neither an interruption nor
 * another process that does the same leaves half a folder under the final name.
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
    // Another process was faster, and its folder is as good.
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}
