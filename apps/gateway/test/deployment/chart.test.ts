import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { load as parse, loadAll } from 'js-yaml';
import { findingsOf, load } from '../config/loading.js';
import { matches, repository, schemaCheck, type Manifest } from './kubernetes-manifests.js';

const CHART = join(repository, 'kubernetes', 'chart');
const INSTALL_TIMEOUT_MS = 300_000;

/** Path of helm: an installed one, or one that Go makes. null: there is neither; the tests are then skipped by name. */
function findHelm(): string | null {
  const bin = join(repository, '.cache', 'bin');
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), bin];
  const found = folders.map((folder) => join(folder, 'helm')).find((file) => existsSync(file));
  if (found !== undefined) return found;
  mkdirSync(bin, { recursive: true });
  spawnSync('go', ['install', 'helm.sh/helm/v3/cmd/helm@latest'], {
    ...{ env: { ...process.env, GOBIN: bin }, stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS },
  });
  return existsSync(join(bin, 'helm')) ? join(bin, 'helm') : null;
}

const helm = findHelm();
const violations = schemaCheck();

const CA_MOUNT = ['extraVolumeMounts[0].name=ca', 'extraVolumeMounts[0].mountPath=/etc/kafka/ca'];

function rendered(...set: string[]): Manifest[] {
  const args = set.flatMap((value) => ['--set', value]);
  const { status, stdout, stderr } = spawnSync(helm!, ['template', 'chat', CHART, ...args]);
  expect([status, stderr.toString()]).toEqual([0, '']);
  return (loadAll(stdout.toString()) as (Manifest | null)[]).filter((manifest) => manifest !== null);
}

function one(made: readonly Manifest[], kind: string, name: string): Manifest {
  const found = made.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  expect([kind, name, found.length]).toEqual([kind, name, 1]);
  return found[0]!;
}

(helm === null ? describe.skip : describe)('the Helm chart', () => {
  test.each([
    [[]],
    [['ingress.enabled=true', 'ingress.tlsSecret=tls', 'podMonitor.enabled=true', 'edge.autoscaling.connections=10k']],
    [['httpRoute.enabled=true', 'httpRoute.parentRefs[0].name=shared', 'extraEnv[0].name=JWT_SECRET_FILE']],
    [['extraVolumes[0].name=ca', 'extraVolumes[0].secret.secretName=ca', ...CA_MOUNT]],
    [['edge.autoscaling.enabled=false', 'router.replicas=null', 'config.ops.port=0', 'priorityClassName=high']],
  ])('is what the API server takes, with %j', (set) => {
    for (const manifest of rendered(...set)) {
      expect([manifest.kind, violations(manifest)]).toEqual([manifest.kind, []]);
    }
  });

  test("takes the gateway's own keys as values, and they are a good configuration", () => {
    const made = rendered('config.limits.connectionsPerUser=3', 'config.server.port=9000');
    const yaml = one(made, 'ConfigMap', 'chat').data!['config.yaml']!;
    const loaded = load(yaml, { env: { JWT_SECRET: TEST_SECRET } });
    expect(findingsOf(loaded)).toEqual([]);
    expect(loaded.config.limits.connectionsPerUser).toBe(3);
    const { containers } = one(made, 'Deployment', 'chat-edge').spec.template!.spec;
    expect(containers[0]!.ports!.map(({ name, containerPort }) => `${name} ${containerPort}`)).toEqual([
      ...['http 9000', 'ops 9090', 'grpc 9003'],
    ]);
  });

  test('gives both Deployments what is added to their pods', () => {
    const made = rendered('extraVolumes[0].name=ca', 'extraVolumes[0].secret.secretName=ca', ...CA_MOUNT);
    for (const role of ['edge', 'router']) {
      const { volumes, containers } = one(made, 'Deployment', `chat-${role}`).spec.template!.spec;
      expect(volumes.map(({ name }) => name)).toEqual(['config', 'ca']);
      expect(containers[0]!.volumeMounts.map(({ name }) => name)).toEqual(['config', 'ca']);
    }
  });

  test('selects its own pods, asks them on the port of operators, and makes no Secret', () => {
    const made = rendered('podMonitor.enabled=true');
    for (const role of ['edge', 'router']) {
      const { spec } = one(made, 'Deployment', `chat-${role}`);
      expect(spec.selector!.matchLabels).toEqual(spec.template!.metadata.labels);
      expect(spec.template!.spec.containers[0]!.livenessProbe!.httpGet!.port).toBe('ops');
    }
    const { selector } = one(made, 'Service', 'chat').spec;
    expect(matches(selector!, one(made, 'Deployment', 'chat-edge').spec.template!.metadata.labels)).toBe(true);
    expect(made.some(({ kind }) => kind === 'Secret')).toBe(false);
  });
});

test('the chart has the version that this is', () => {
  const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as { version: string; appVersion: string };
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as typeof chart;
  expect(chart).toMatchObject({ version, appVersion: version });
});
