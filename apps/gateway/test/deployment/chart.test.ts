import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { Ajv } from 'ajv';
import { dump, load as parse, loadAll } from 'js-yaml';
import { schema } from '../../src/config/schema/schema.js';
import { chartSchema } from '../../src/docs/chart-schema.js';
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

function template(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(helm!, ['template', 'chat', ...args]);
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

function renderedFrom(...args: string[]): Manifest[] {
  const { status, stdout, stderr } = template(...args);
  expect([status, stderr]).toEqual([0, '']);
  return (loadAll(stdout) as (Manifest | null)[]).filter((manifest) => manifest !== null);
}

function rendered(...set: string[]): Manifest[] {
  return renderedFrom(CHART, ...set.flatMap((value) => ['--set', value]));
}

/** Every key of the configuration, each with its default. */
const wholeConfig = load('', { env: { JWT_SECRET: TEST_SECRET } }).tree;

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'wsg-chart-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
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
    [['edge.autoscaling.enabled=false', 'router.replicas=null', 'config.ops.port=0', 'edge.priorityClassName=high']],
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
      ...['http 9000', 'ops 9090', 'grpc 9003', 'grpc-hub-0 50051'],
    ]);
  });

  test('hands every section of the configuration to the pods as it is', () => {
    const made = inFolder((folder) => {
      const file = join(folder, 'values.yaml');
      writeFileSync(file, dump({ config: wholeConfig }));
      return renderedFrom(CHART, '-f', file);
    });
    const yaml = one(made, 'ConfigMap', 'chat').data!['config.yaml']!;
    expect(Object.keys(wholeConfig).toSorted()).toEqual(Object.keys(schema.keys).toSorted());
    expect(parse(yaml)).toEqual(wholeConfig);
    expect(findingsOf(load(yaml))).toEqual([]);
  });

  test.each([
    ['config.server.prot=1', /\/config\/server': additional properties 'prot' not allowed/],
    ['config.server.port=http', /\/config\/server\/port': got string, want .*integer/],
    ['config.server.readTimeout=10', /\/config\/server\/readTimeout'/],
    ['config.role=egde', /\/config\/role': value must be one of 'all'/],
    ['config.limits.maxPayloadBytes=1kk', /\/config\/limits\/maxPayloadBytes': '1kk' does not match/],
    ['config.topics.notifications.slow=maybe', /\/config\/topics\/notifications\/slow': value must be one of 'queue'/],
    ['config.engine=memory', /config\.engine: memory is for one process; .* need redis/],
    ['edge.replica=3', /\/edge': additional properties 'replica' not allowed/],
    ['existingSecret=', /\/existingSecret'/],
  ])('refuses %s and says why', (set, why) => {
    const { status, stderr } = template(CHART, '--set', set);
    expect([status, stderr]).toEqual([1, expect.stringMatching(why)]);
  });

  test('has the ports of gRPC and the way to ask for health that the configuration says', () => {
    const ports = (made: readonly Manifest[]): string[] =>
      one(made, 'Service', 'chat').spec.ports!.map(({ name, port, targetPort }) => `${name} ${port} ${targetPort}`);
    expect(ports(rendered('config.grpc.enabled=false'))).toEqual(['http 8080 http']);
    const hubs = ['config.hubs[0].name=main', 'config.hubs[1].name=side', 'config.hubs[1].grpcPort=6000'];
    expect(ports(rendered(...hubs))).toEqual([
      ...['http 8080 http', 'grpc 9003 grpc', 'grpc-hub-0 50051 grpc-hub-0', 'grpc-hub-1 6000 grpc-hub-1'],
    ]);
    const tls = ['config.server.tls.certFile=/tls/tls.crt', 'config.server.tls.keyFile=/tls/tls.key'];
    const probe = (...set: string[]): object =>
      one(rendered(...set), 'Deployment', 'chat-edge').spec.template!.spec.containers[0]!.readinessProbe!.httpGet!;
    expect(probe(...tls)).toEqual({ path: '/ready', port: 'ops', scheme: 'HTTP' });
    expect(probe(...tls, 'config.ops.port=0')).toEqual({ path: '/ready', port: 'http', scheme: 'HTTPS' });
  });

  // Fails when kubectl takes the server's own additions for changes, and sends patches that take them away.
  test('writes out what the server would add, so that a second apply finds nothing to change', () => {
    const made = rendered('httpRoute.enabled=true', 'httpRoute.parentRefs[0].name=shared');
    for (const role of ['edge', 'router']) {
      expect(one(made, 'Deployment', `chat-${role}`).spec.strategy).toMatchObject({ type: 'RollingUpdate' });
    }
    const route = one(made, 'HTTPRoute', 'chat').spec as unknown as {
      parentRefs: object[];
      rules: { backendRefs: object[] }[];
    };
    expect(route.parentRefs).toEqual([{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'shared' }]);
    expect(route.rules[0]!.backendRefs).toEqual([{ group: '', kind: 'Service', name: 'chat', port: 8080, weight: 1 }]);
  });

  test('has nothing that helm lint warns of', () => {
    const { status, stdout } = spawnSync(helm!, ['lint', CHART]);
    expect([status, stdout.toString()]).toEqual([0, expect.not.stringMatching(/\[(WARNING|ERROR)\]/)]);
  });

  test('says after the installation how a first message is sent, with the names and ports that there are', () => {
    // helm shows the notes only of what it installs.
    const [notes] = inFolder((folder) => {
      cpSync(CHART, folder, { recursive: true });
      const text = '{{ include (print $.Template.BasePath "/NOTES.txt") . | toJson }}';
      writeFileSync(
        join(folder, 'templates', 'notes.yaml'),
        `kind: Notes\nmetadata: { name: notes }\ndata: { text: ${text} }\n`,
      );
      return renderedFrom(folder, '--namespace', 'prod', '--set', 'existingSecret=keys').filter(
        ({ kind }) => kind === 'Notes',
      );
    });
    const { text } = notes!.data!;
    expect(text).toContain('kubectl --namespace prod create secret generic keys --from-literal=JWT_SECRET=');
    expect(text).toContain('deployment/chat-edge -- ws-gateway token --user u1 -c /etc/ws-gateway/config.yaml');
    expect(text).toContain('port-forward service/chat 8080:http');
    expect(text).not.toMatch(/<no value>|%!/);
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
    const monitor = one(made, 'PodMonitor', 'chat').spec;
    const { labels } = one(made, 'Deployment', 'chat-edge').spec.template!.metadata;
    expect(matches(monitor.selector!.matchLabels!, labels)).toBe(true);
    // What the alerts look for: job=~".*ws-gateway.*".
    expect(labels[monitor.jobLabel!]).toBe('ws-gateway');
    const { selector } = one(made, 'Service', 'chat').spec;
    expect(matches(selector!, one(made, 'Deployment', 'chat-edge').spec.template!.metadata.labels)).toBe(true);
    expect(made.some(({ kind }) => kind === 'Secret')).toBe(false);
  });
});

describe('the schema of the values', () => {
  const text = chartSchema(schema);
  const check = new Ajv({ strict: false }).compile(JSON.parse(text) as object);
  const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as object;

  test('is what `npm run docs` writes', () => {
    expect(readFileSync(join(CHART, 'values.schema.json'), 'utf8')).toBe(text);
  });

  test('takes the values of the chart, every key of the configuration, and the configurations of this repository', () => {
    for (const config of [wholeConfig, parse(readFileSync(join(repository, 'config.yaml'), 'utf8'))]) {
      check({ ...values, config });
      expect(check.errors).toBeNull();
    }
    expect(check(values)).toBe(true);
  });

  test('takes no other value', () => {
    for (const wrong of [{ imag: {} }, { config: { server: { prot: 1 } } }, { config: { server: { port: '1' } } }]) {
      expect([wrong, check({ ...values, ...wrong })]).toEqual([wrong, false]);
    }
  });
});

test('the chart has the version that this is', () => {
  const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as { version: string; appVersion: string };
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as typeof chart;
  expect(chart).toMatchObject({ version, appVersion: version });
});
