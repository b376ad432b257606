/** An ES module and a CommonJS module, each with types of its own; React and the client are the application's. */
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const DIST = new URL('../dist/', import.meta.url);
const COMMON_JS = new URL('cjs/', DIST);

for (const name of readdirSync(DIST)) if (!name.endsWith('.d.ts')) rmSync(new URL(name, DIST), { recursive: true });
for (const name of readdirSync(DIST)) cpSync(new URL(name, DIST), new URL(name, COMMON_JS));
writeFileSync(new URL('package.json', COMMON_JS), '{ "type": "commonjs" }\n');

const shared = { entryPoints: ['src/index.ts'], bundle: true, packages: 'external', target: 'es2022', sourcemap: true };
await Promise.all([
  build({ ...shared, format: 'esm', outfile: 'dist/index.js' }),
  build({ ...shared, format: 'cjs', outfile: 'dist/cjs/index.js' }),
]);
