/**
 * Makes what is released into release/, or into another folder: `npm run release [-- --out <folder>] [--no-image]`. The packages of the client and of its React hooks; the
 * gateway's, with everything it needs inside, so that `npm i -g` or `npx` of the file asks no registry; a bill of
 * materials; the image, where there is Docker. The gateway's package is for the kind of machine that makes it, because
 * some of what it holds is compiled.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build, ROOT, run } from './toolchain.mjs';

const { packageManager } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const { version } = JSON.parse(readFileSync(join(ROOT, 'apps/gateway/package.json'), 'utf8'));

async function must(command, args, options) {
  const { code, output } = await run(command, args, { capture: true, ...options });
  if (code !== 0) throw new Error(`${output}\n${command} ${args.join(' ')} failed (exit code ${code})`);
  return output.trim();
}

const pnpm = (...args) => must('npx', ['-y', packageManager, ...args], { env: { CI: 'true' } });

/** The commit of the checkout; with `-dirty` where files differ from it. '' without git. */
async function commitOf() {
  const { code, output } = await run('git', ['describe', '--always', '--abbrev=12', '--exclude=*', '--dirty'], {
    capture: true,
  });
  return code === 0 ? output.trim() : '';
}

/** A folder that needs nothing beside itself: real folders instead of links, which npm would not pack. */
async function packGateway(out, commit) {
  const flags = ['--config.inject-workspace-packages=true', '--config.node-linker=hoisted'];
  const deployed = join(out, 'deployed');
  // The name that npm expects as the only folder of a package's archive.
  const stage = join(out, 'package');
  const modules = join(stage, 'node_modules');
  await pnpm('--filter=ws-gateway', ...flags, 'deploy', '--prod', '--offline', deployed);
  // pnpm links files that are equal. npm leaves links out when it unpacks, so these become files of their own.
  cpSync(deployed, stage, { recursive: true, dereference: true });
  rmSync(deployed, { recursive: true });
  const file = join(stage, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  const bundled = Object.keys(manifest.dependencies);
  const dependencies = Object.fromEntries(bundled.map((name) => [name, versionOf(modules, name)]));
  const files = [...manifest.files, 'build.json', 'config.yaml', 'LICENSE'];
  const packed = new Set([...files, 'package.json', 'node_modules']);
  const { devDependencies: _, scripts: __, ...rest } = manifest;
  const machine = { os: [process.platform], cpu: [process.arch], engines: { node: '^22.18' } };
  slim(modules);
  // Also those that only others need: what is not named would be fetched again.
  const own = { ...rest, ...machine, files, dependencies, bundleDependencies: namesIn(modules) };
  writeFileSync(file, JSON.stringify(own, null, 2));
  writeFileSync(join(stage, 'build.json'), JSON.stringify({ commit }));
  for (const name of ['config.yaml', 'LICENSE']) writeFileSync(join(stage, name), readFileSync(join(ROOT, name)));
  // npm's own `pack` fails on as many bundled files; the archive is nothing but this folder.
  for (const name of readdirSync(stage)) if (!packed.has(name)) rmSync(join(stage, name), { recursive: true });
  await must('tar', ['-czf', join(out, `ws-gateway-${version}.tgz`), '-C', out, 'package']);
  writeFileSync(join(out, `ws-gateway-${version}.cdx.json`), JSON.stringify(billOfMaterials(modules), null, 2));
  rmSync(stage, { recursive: true });
}

/**
 * Takes away what only compilers, editors and debuggers read, which is more than half of the files: npm writes each of
 * them twice, and says nothing meanwhile. The manifests are left with what npm needs to know here, see `slimManifest`.
 */
function slim(modules) {
  for (const name of namesIn(modules)) {
    const folder = join(modules, name);
    if (name.startsWith('@types/') || name === 'undici-types') {
      rmSync(folder, { recursive: true });
      continue;
    }
    for (const file of readdirSync(folder, { recursive: true })) {
      if (/\.(?:d\.[cm]?ts|map|tsbuildinfo)$/.test(file)) rmSync(join(folder, file));
      else if (/(?:^|\/)package\.json$/.test(file)) slimManifest(join(folder, file), modules);
    }
  }
}

/**
 * npm looks at what bundled packages need, too: it asks the registry for each binary of another platform, which without
 * a registry is minutes of silence, and when it finds the package installed already, as `npx` does the second time, it
 * fails at a version `workspace:*`. So these name what is here, and nothing else.
 */
function slimManifest(file, modules) {
  const { dependencies = {}, optionalDependencies = {}, ...manifest } = JSON.parse(readFileSync(file, 'utf8'));
  for (const name of ['devDependencies', 'peerDependencies', 'peerDependenciesMeta', 'scripts']) delete manifest[name];
  const needed = { ...optionalDependencies, ...dependencies };
  const here = Object.keys(needed).filter((name) => existsSync(join(modules, name)));
  const versions = Object.fromEntries(
    here.map((name) => [name, needed[name].startsWith('workspace:') ? versionOf(modules, name) : needed[name]]),
  );
  writeFileSync(file, JSON.stringify({ ...manifest, dependencies: versions }, null, 2));
}

function namesIn(folder) {
  return readdirSync(folder).flatMap((name) => {
    if (name.startsWith('.')) return [];
    return name.startsWith('@') ? readdirSync(join(folder, name)).map((inner) => `${name}/${inner}`) : [name];
  });
}

function versionOf(modules, name) {
  return JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).version;
}

/** CycloneDX, of what is inside the package. */
function billOfMaterials(modules) {
  const components = packagesIn(modules).map(({ name, version: own, license }) => ({
    type: 'library',
    name,
    version: own,
    purl: `pkg:npm/${name.replace('@', '%40')}@${own}`,
    ...(typeof license === 'string' ? { licenses: [{ expression: license }] } : {}),
  }));
  const metadata = { component: { type: 'application', name: 'ws-gateway', version } };
  return { bomFormat: 'CycloneDX', specVersion: '1.5', version: 1, metadata, components };
}

/** Manifests of all packages of a folder, those inside of others included. */
function packagesIn(folder) {
  if (!existsSync(folder)) return [];
  return namesIn(folder).flatMap((name) => {
    const own = join(folder, name);
    const file = join(own, 'package.json');
    if (!existsSync(file)) return [];
    return [JSON.parse(readFileSync(file, 'utf8')), ...packagesIn(join(own, 'node_modules'))];
  });
}

async function buildImage(commit) {
  const { code } = await run('docker', ['version'], { capture: true }).catch(() => ({ code: 1 }));
  if (code !== 0) {
    console.log('no image: Docker does not answer');
    return;
  }
  await must('docker', [
    'build',
    '-t',
    `ws-gateway:${version}`,
    '--build-arg',
    `VERSION=${version}`,
    '--build-arg',
    `REVISION=${commit}`,
    '.',
  ]);
  console.log(`image ws-gateway:${version}`);
}

function writeSums(out) {
  const files = readdirSync(out).filter((name) => /\.(tgz|json)$/.test(name));
  const sums = files.map(
    (name) =>
      `${createHash('sha256')
        .update(readFileSync(join(out, name)))
        .digest('hex')}  ${name}`,
  );
  writeFileSync(join(out, 'SHA256SUMS'), `${sums.join('\n')}\n`);
  console.log(sums.join('\n'));
}

export async function release(args = []) {
  const { values } = parseArgs({
    args,
    options: { out: { type: 'string' }, image: { type: 'boolean', default: true } },
    allowNegative: true,
  });
  const out = resolve(values.out ?? join(ROOT, 'release'));
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await build();
  const commit = await commitOf();
  for (const name of ['client', 'react']) {
    await pnpm(`--filter=@ws-gateway/${name}`, 'pack', '--pack-destination', out);
  }
  await packGateway(out, commit);
  writeSums(out);
  if (values.image) await buildImage(commit);
  return 0;
}
