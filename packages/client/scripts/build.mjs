/**
 * The program, each time as one file: an ES module, a CommonJS module, and a script for pages without a bundler, where it
 * is the global `WsGateway`. The types are the compiler's; CommonJS has a copy of its own, as the types of a file that
 * is an ES module are of no use there (TypeScript's `node16`).
 */
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { minify } from 'terser';

const DIST = new URL('../dist/', import.meta.url);
const COMMON_JS = new URL('cjs/', DIST);

/** Members of objects that never leave the package and never reach the wire: they may have any name. */
const INTERNAL =
  /^(abandon|afterMs|answer|ask|authenticate|awake|bearer|beginAnew|behind|connected|crowd|current|cut|dead|detail|disconnected|distrust|doubt|doubtful|emit|end|ended|failed|failures|forget|forgetAsked|forgetTopic|frame|heard|hurry|inFlight|isConnected|isEnded|joinedRoom|joinedTopic|leastMs|left|names|news|nextUrl|offline|onOk|online|ownStreamsOf|positionsRefused|probe|received|reconnecting|refused|rejectAll|rejoin|remedy|renew|renewInMs|renewable|reset|run|save|settle|settled|sseUrl|start|stop|timer|topicsFor|transport|unexplained|unreadable|urls|wished|wishes|withoutSse)$/;

for (const name of readdirSync(DIST)) if (!name.endsWith('.d.ts')) rmSync(new URL(name, DIST), { recursive: true });
for (const name of readdirSync(DIST)) cpSync(new URL(name, DIST), new URL(name, COMMON_JS));
writeFileSync(new URL('package.json', COMMON_JS), '{ "type": "commonjs" }\n');

const SCRIPT = `
  import { AnswerError, ClientError, createClient } from './src/index.ts';
  globalThis.WsGateway = { AnswerError, ClientError, createClient };
`;

await Promise.all([
  write('index.js', { entryPoints: ['src/index.ts'], format: 'esm' }),
  write('cjs/index.js', { entryPoints: ['src/index.ts'], format: 'esm' }, commonJs),
  write('ws-gateway.min.js', { stdin: { contents: SCRIPT, resolveDir: '.' }, format: 'iife' }),
]);

async function write(name, options, wrap = (program) => program) {
  const { outputFiles } = await build({
    ...options,
    bundle: true,
    // Names of private members by class, which the second one does not do; all else is the second one's.
    minify: true,
    target: 'es2022',
    sourcemap: 'external',
    outfile: `dist/${name}`,
    write: false,
    logLevel: 'warning',
  });
  const [map, program] = ['.map', '.js'].map((end) => outputFiles.find(({ path }) => path.endsWith(end)).text);
  const { code, map: sourceMap } = await minify(wrap(program), {
    ecma: 2022,
    module: true,
    // What it would inline makes the program shorter, and what gzip makes of it longer.
    compress: { passes: 3, inline: 1 },
    // What a browser calls so is none of what is named here.
    mangle: { properties: { regex: INTERNAL, builtins: true } },
    sourceMap: { content: map, url: `${name.split('/').at(-1)}.map` },
  });
  writeFileSync(new URL(name, DIST), code);
  writeFileSync(new URL(`${name}.map`, DIST), sourceMap);
}

/** What esbuild writes around a CommonJS module weighs 150 bytes more. */
function commonJs(program) {
  return program.replace(/export\{([^}]*)\};?\s*$/, (_, exported) => {
    const names = exported.split(',').map((each) => each.split(' as '));
    const assignments = names.map(([local, name = local]) => `exports.${name}=${local};`);
    return `Object.defineProperty(exports,"__esModule",{value:true});${assignments.join('')}`;
  });
}
