import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Unique for each start of a process: the rows of a node that died are never taken for those of its successor. */
export function nodeName(): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 63);
  return `${host}-${randomBytes(4).toString('hex')}`;
}

interface Manifest {
  readonly version: string;
}

export const version = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Manifest)
  .version;
