import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface PageFile {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** Types of the files that a page is made of; other files of the same folders (types, source maps) are not served. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Lists all files that may be asked for, by path: nothing of a request ever becomes the name of a file. */
export function consoleFiles(): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>();
  addFolder(files, '/console', new URL('../../console/', import.meta.url));
  addFolder(files, '/console', new URL('../../dist/console-page/', import.meta.url));
  addFolder(files, '/console/client', new URL('.', import.meta.resolve('@ws-gateway/client')));
  return files;
}

function addFolder(files: Map<string, PageFile>, path: string, folder: URL): void {
  for (const name of readdirSync(fileURLToPath(folder))) {
    const contentType = CONTENT_TYPES[extname(name)];
    if (contentType === undefined) continue;
    files.set(`${path}/${name}`, { contentType, body: readFileSync(new URL(name, folder)) });
  }
}
