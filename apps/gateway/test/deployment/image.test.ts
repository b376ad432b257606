import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { load as parse } from 'js-yaml';
import { findingsOf, load } from '../config/loading.js';
import { manifestsOf, repository } from './kubernetes-manifests.js';

/** Tests of the image and compose.yaml, as far as they can be checked without Docker. */

const dockerfile = read('Dockerfile');
const { 'x-gateway': gateway, services } = parse(read('compose.yaml')) as {
  'x-gateway': Service;
  services: Record<string, Service & { '<<'?: Service }>;
};

interface Service {
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly stop_grace_period: string;
  readonly restart?: string;
}

function read(file: string): string {
  return readFileSync(join(repository, file), 'utf8');
}

test('the build asks no registry for anything but its base image', () => {
  // A `# syntax=` line would be an image of its own, and machines without a registry could not build.
  expect(dockerfile).not.toMatch(/^#\s*syntax\s*=/im);
  const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  expect(images).toEqual(['${BASE_IMAGE}', '${BASE_IMAGE}']);
});

test('the image runs as a user whose number says that it is not root', () => {
  const users = [...dockerfile.matchAll(/^USER (.*)$/gm)].map(([, user]) => user);
  expect(users).toEqual([expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/)]);
});

test('what a package has beside its sources gets into the image', () => {
  // On a checkout packages are links and have everything; in the image they have what `files` names, and the README.
  const notShipped =
    /^(src|test|bench|scripts|LICENSE|node_modules|\.turbo|package\.json|README\.md|tsconfig.*\.json)$/;
  const pending = ['apps/gateway'];
  const left: string[] = [];
  for (const folder of pending) {
    const manifest = JSON.parse(read(`${folder}/package.json`)) as {
      files: string[];
      dependencies?: Record<string, string>;
    };
    const entries = readdirSync(join(repository, folder)).filter((entry) => !notShipped.test(entry));
    left.push(...entries.filter((entry) => !manifest.files.includes(entry)).map((entry) => `${folder}/${entry}`));
    const own = Object.keys(manifest.dependencies ?? {}).filter((name) => name.startsWith('@ws-gateway/'));
    const next = own.map((name) => name.replace('@ws-gateway/', 'packages/'));
    pending.push(...next.filter((name) => !pending.includes(name)));
  }
  expect(left).toEqual([]);
  expect(pending.length).toBeGreaterThan(5);
});

test('what is secret on a machine stays out of the build', () => {
  const ignored = read('.dockerignore').split('\n');
  expect(ignored).toEqual(expect.arrayContaining(['.git', '**/node_modules', '**/.env', '**/.env.*', '**/*.pem']));
});

test('the gateways of compose.yaml start with what it sets, and get the time to stop', () => {
  for (const name of ['gateway-1', 'gateway-2']) expect(services[name]!['<<']).toBe(gateway);
  const loaded = load(read('config.yaml'), { env: gateway.environment });
  expect(findingsOf(loaded)).toEqual([]);
  expect(Number.parseInt(gateway.stop_grace_period, 10) * 1000).toBeGreaterThan(loaded.config.server.drain.deadlineMs);
});

test('compose.yaml and the demo for Kubernetes run the same Kafka and Redis', () => {
  const demo = manifestsOf('demo').flatMap(({ spec }) => spec.template?.spec.containers ?? []);
  const images = demo.map(({ image }) => image).filter((image) => !image.startsWith('ws-gateway'));
  const defaults = [services['kafka']!, services['redis']!].map(({ image }) => /:-(.*)}$/.exec(image)![1]);
  expect(images).toEqual(defaults);
});

test('the health check of the image is the command for it', () => {
  const [, command] = /^HEALTHCHECK .* CMD (\[.*\])$/m.exec(dockerfile)!;
  expect(JSON.parse(command!)).toEqual(['ws-gateway', 'health']);
});

const unit = read('systemd/ws-gateway.service');

test('the systemd unit waits longer than a drain may take, and reloads by SIGHUP', () => {
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)![1]!;
  expect(Number(value('TimeoutStopSec')) * 1000).toBeGreaterThan(load('').config.server.drain.deadlineMs);
  expect(value('ExecReload')).toBe('/bin/kill -HUP $MAINPID');
  expect(Number(value('LimitNOFILE'))).toBeGreaterThan(100_000);
});

// Fails when the configuration is checked by a command of its own: systemd prevents no restart over what that exits with.
test('the systemd unit starts the gateway again and again, unless its configuration is wrong', () => {
  expect(unit).toMatch(/^Restart=always$/m);
  expect(unit).toMatch(/^StartLimitIntervalSec=0$/m);
  expect(unit).toMatch(/^RestartPreventExitStatus=2$/m);
  expect(unit.match(/^Exec\w+=/gm)).toEqual(['ExecStart=', 'ExecReload=']);
});

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

(hasSystemd ? test : test.skip)('the systemd unit has nothing that systemd does not know', () => {
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', join(repository, 'systemd/ws-gateway.service')]);
  // It may have something to say of others.
  expect([status, stderr.toString()]).toEqual([0, expect.not.stringContaining('ws-gateway.service')]);
});

test('a gateway of compose.yaml that was drained is started again', () => {
  expect(gateway.restart).toBe('unless-stopped');
});
