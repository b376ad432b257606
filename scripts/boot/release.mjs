/**
 * Makes what is released into release/: `npm run release`. The client's package; the gateway's, with everything it needs
 * inside, so that `npm i -g` or `npx` of the file asks no registry; a bill of materials; the image, where there is Docker.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, ROOT, run } from './toolchain.mjs';

const OUT = join(ROOT, 'release');
/** The name that npm expects as the only folder of a package's archive. */
const STAGE = join(OUT, 'package');
const MODULES = join(STAGE, 'node_modules');
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
async function packGateway(commit) {
  const flags = ['--config.inject-workspace-packages=true', '--config.node-linker=hoisted'];
  const deployed = join(OUT, 'deployed');
  await pnpm('--filter=ws-gateway', ...flags, 'deploy', '--prod', '--offline', deployed);
  // pnpm links files that are equal. npm leaves links out when it unpacks, so these become files of their own.
  cpSync(deployed, STAGE, { recursive: true, dereference: true });
  rmSync(deployed, { recursive: true });
  const file = join(STAGE, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  const bundled = Object.keys(manifest.dependencies);
  // Workspace versions mean nothing elsewhere.
  const dependencies = Object.fromEntries(bundled.map((name) => [name, versionOf(name)]));
  const files = [...manifest.files, 'build.json', 'config.yaml', 'LICENSE'];
  const packed = new Set([...files, 'package.json', 'node_modules']);
  const { devDependencies: _, scripts: __, ...rest } = manifest;
  // Also those that only others need: what is not named would be fetched again.
  writeFileSync(file, JSON.stringify({ ...rest, files, dependencies, bundleDependencies: namesIn(MODULES) }, null, 2));
  writeFileSync(join(STAGE, 'build.json'), JSON.stringify({ commit }));
  for (const name of ['config.yaml', 'LICENSE']) writeFileSync(join(STAGE, name), readFileSync(join(ROOT, name)));
  // npm's own `pack` fails on as many bundled files; the archive is nothing but this folder.
  for (const name of readdirSync(STAGE)) if (!packed.has(name)) rmSync(join(STAGE, name), { recursive: true });
  await must('tar', ['-czf', join(OUT, `ws-gateway-${version}.tgz`), '-C', OUT, 'package']);
}

function namesIn(folder) {
  return readdirSync(folder).flatMap((name) => {
    if (name.startsWith('.')) return [];
    return name.startsWith('@') ? readdirSync(join(folder, name)).map((inner) => `${name}/${inner}`) : [name];
  });
}

function versionOf(name) {
  return JSON.parse(readFileSync(join(MODULES, name, 'package.json'), 'utf8')).version;
}

/** CycloneDX, of what is inside the package. */
function billOfMaterials() {
  const components = packagesIn(MODULES).map(({ name, version: own, license }) => ({
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

function writeSums() {
  const files = readdirSync(OUT).filter((name) => /\.(tgz|json)$/.test(name));
  const sums = files.map(
    (name) =>
      `${createHash('sha256')
        .update(readFileSync(join(OUT, name)))
        .digest('hex')}  ${name}`,
  );
  writeFileSync(join(OUT, 'SHA256SUMS'), `${sums.join('\n')}\n`);
  console.log(sums.join('\n'));
}

export async function release() {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT);
  await build();
  const commit = await commitOf();
  await pnpm('--filter=@ws-gateway/client', 'pack', '--pack-destination', OUT);
  await packGateway(commit);
  writeFileSync(join(OUT, `ws-gateway-${version}.cdx.json`), JSON.stringify(billOfMaterials(), null, 2));
  rmSync(STAGE, { recursive: true, force: true });
  writeSums();
  await buildImage(commit);
  return 0;
}
