import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { load as parse, loadAll } from 'js-yaml';
import { findingsOf, load } from '../config/loading.js';
import {
  asApplied,
  manifestsOf,
  matches,
  quantity,
  repository,
  schemaCheck,
  subfolders,
  type Container,
  type Labels,
  type Manifest,
  type PodSpec,
} from './kubernetes-manifests.js';

const base = manifestsOf('');
const all = [...base, ...subfolders().flatMap(manifestsOf)];
const schemaViolations = schemaCheck();

const titled = all.map(
  (manifest) => [`${manifest.file}: ${manifest.kind} ${manifest.metadata.name}`, manifest] as const,
);
const withPods = all.filter(({ spec }) => spec?.template !== undefined);
const [edge, router] = ['ws-gateway-edge', 'ws-gateway-router'].map((name) => one('Deployment', name));
const configYaml = one('ConfigMap', 'ws-gateway').data!['config.yaml']!;

interface HttpRouteRule {
  readonly matches: readonly { readonly path: { readonly type: 'Exact' | 'PathPrefix'; readonly value: string } }[];
  readonly backendRefs: readonly { readonly name: string; readonly port: number }[];
  readonly timeouts: Readonly<Record<string, string>>;
}

function one(kind: string, name: string, among: readonly Manifest[] = base): Manifest {
  const found = among.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} of ${kind} ${name}`);
  return found[0]!;
}

function ofKind(kind: string, among: readonly Manifest[] = all): Manifest[] {
  return among.filter((manifest) => manifest.kind === kind);
}

function pod(manifest: Manifest | undefined): PodSpec {
  return manifest!.spec.template!.spec;
}

function container(manifest: Manifest | undefined): Container {
  return pod(manifest).containers[0]!;
}

function podLabels(manifest: Manifest | undefined): Labels {
  return manifest!.spec.template!.metadata.labels;
}

/** The configuration as a pod has it: the mounted file, its own variables, what the Secret is filled with. */
function configOf(manifest: Manifest | undefined, secret: Readonly<Record<string, string>>): ReturnType<typeof load> {
  const { env = [], args = [] } = container(manifest);
  const role = args[args.indexOf('--role') + 1]!;
  const variables = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  return load(configYaml, { env: { ...variables, ...secret }, flags: { role: { flag: '--role', text: role } } });
}

describe('the API server', () => {
  test.each(titled)('takes %s', (_title, manifest) => {
    expect(schemaViolations(asApplied(manifest))).toEqual([]);
  });

  test('would not take a name it does not know, a wrong type, or a missing part', () => {
    const spec = { ...edge!.spec, selector: undefined, replica: 2, minReadySeconds: 'x' };
    const broken: unknown = JSON.parse(JSON.stringify({ ...asApplied(edge!), spec }));
    expect(schemaViolations(broken)).toEqual([
      expect.stringContaining("must have required property 'selector'"),
      expect.stringContaining('"additionalProperty":"replica"'),
      expect.stringContaining('/spec/minReadySeconds must be integer'),
    ]);
  });

  test('takes the folder itself without any further definition of kinds', () => {
    const groups = new Set(base.map(({ apiVersion }) => apiVersion.replace(/\/?v[0-9a-z]+$/, '')));
    expect([...groups].toSorted()).toEqual(['', 'apps', 'autoscaling', 'networking.k8s.io', 'policy']);
  });

  test('gets everything into whatever namespace is the current one, and nothing twice', () => {
    expect(all.filter(({ metadata }) => metadata.namespace !== undefined)).toEqual([]);
    // The autoscaler of connections/ has the name of the one that it replaces.
    const names = all.filter(({ file }) => !file.startsWith('connections/')).map((m) => `${m.kind}/${m.metadata.name}`);
    expect(names).toEqual([...new Set(names)]);
    expect(one('HorizontalPodAutoscaler', 'ws-gateway-edge', manifestsOf('connections'))).toBeDefined();
  });
});

describe('what belongs together has the same names', () => {
  test.each(withPods.map((manifest) => [manifest.metadata.name, manifest] as const))(
    'in the pods of %s',
    (_n, manifest) => {
      const spec = pod(manifest);
      if (manifest.kind === 'Deployment') {
        expect(podLabels(manifest)).toEqual(manifest.spec.selector!.matchLabels);
      }
      for (const { labelSelector } of spec.topologySpreadConstraints ?? []) {
        expect(labelSelector.matchLabels).toEqual(podLabels(manifest));
      }
      if (spec.serviceAccountName !== undefined) one('ServiceAccount', spec.serviceAccountName);
      for (const { configMap } of spec.volumes) if (configMap !== undefined) one('ConfigMap', configMap.name);
      for (const { volumeMounts, envFrom = [], ports = [], ...rest } of spec.containers) {
        expect(volumeMounts.map(({ name }) => name).toSorted()).toEqual(
          spec.volumes.map(({ name }) => name).toSorted(),
        );
        // The operator's own: pods wait until it is there.
        for (const source of envFrom) expect(source).toEqual({ secretRef: { name: 'ws-gateway' } });
        const probes = [rest.startupProbe, rest.livenessProbe, rest.readinessProbe];
        const probed = probes.flatMap((probe) => probe?.httpGet?.port ?? probe?.tcpSocket?.port ?? []);
        expect(ports.map(({ name }) => name)).toEqual(expect.arrayContaining(probed));
        expect(new Set(ports.map(({ containerPort }) => containerPort)).size).toBe(ports.length);
      }
    },
  );

  test.each(ofKind('Service').map((service) => [service.metadata.name, service] as const))(
    'the Service %s leads to one Deployment and to ports that it has',
    (_name, { spec }) => {
      const served = withPods.filter((manifest) => matches(spec.selector!, podLabels(manifest)));
      expect(served).toHaveLength(1);
      const names = container(served[0]).ports!.map(({ name }) => name);
      for (const { targetPort } of spec.ports!) expect(names).toContain(targetPort);
    },
  );

  test.each(['PodDisruptionBudget', 'NetworkPolicy'])('each Deployment of the gateway has its %s', (kind) => {
    for (const deployment of [edge, router]) {
      const selecting = ofKind(kind, base).filter(({ spec }) =>
        matches((spec.selector ?? spec.podSelector)!.matchLabels!, podLabels(deployment)),
      );
      expect(selecting).toHaveLength(1);
    }
  });

  test('autoscalers move Deployments that exist, and the file of one leaves the number to them', () => {
    for (const { spec } of [...ofKind('HorizontalPodAutoscaler'), ...ofKind('ScaledObject')]) {
      one(spec.scaleTargetRef!.kind ?? 'Deployment', spec.scaleTargetRef!.name);
    }
    expect(edge!.spec.replicas).toBeUndefined();
  });

  test('the Ingress leads to WebSocket endpoints and to nothing else', () => {
    const paths = one('Ingress', 'ws-gateway').spec.rules!.flatMap(({ http }) => http.paths);
    expect(paths.map(({ path, pathType }) => `${path} ${pathType}`)).toEqual([
      '/ws Exact',
      '/web Exact',
      '/mobile Exact',
      '/websocket Prefix',
      '/sse Exact',
    ]);
    for (const { backend } of paths) {
      const ports = one('Service', backend.service.name).spec.ports!.map(({ name }) => name);
      expect(ports).toContain(backend.service.port.name);
    }
  });

  test('the HTTPRoute leads where the Ingress does, without a limit of time, and binds no session to a pod', () => {
    const [rule, ...others] = one('HTTPRoute', 'ws-gateway', all).spec.rules! as unknown as HttpRouteRule[];
    expect(others).toEqual([]);
    const kinds = { Exact: 'Exact', PathPrefix: 'Prefix' };
    const ingress = one('Ingress', 'ws-gateway').spec.rules!.flatMap(({ http }) => http.paths);
    expect(rule!.matches.map(({ path: { type, value } }) => `${value} ${kinds[type]}`)).toEqual(
      ingress.map(({ path, pathType }) => `${path} ${pathType}`),
    );
    const ports = one('Service', 'ws-gateway').spec.ports!;
    const [backend] = rule!.backendRefs;
    expect(ports.find(({ port }) => port === backend!.port)?.name).toBe('http');
    expect(rule!.timeouts).toEqual({ request: '0s', backendRequest: '0s' });
    expect(rule).not.toHaveProperty('sessionPersistence');
    const { parentRefs, hostnames } = one('HTTPRoute', 'ws-gateway', all).spec as unknown as {
      parentRefs: { name: string; sectionName: string }[];
      hostnames: string[];
    };
    const { listeners } = one('Gateway', parentRefs[0]!.name, all).spec as unknown as {
      listeners: { name: string; hostname: string }[];
    };
    expect(listeners.map(({ name, hostname }) => [name, hostname])).toEqual([
      [parentRefs[0]!.sectionName, hostnames[0]],
    ]);
  });

  test('Prometheus finds the pods of both, on the port of operators', () => {
    const { selector, podMetricsEndpoints } = one('PodMonitor', 'ws-gateway', all).spec;
    const found = withPods.filter((manifest) => matches(selector!.matchLabels!, podLabels(manifest)));
    expect(found.map(({ metadata }) => metadata.name)).toEqual(
      expect.arrayContaining(['ws-gateway-edge', 'ws-gateway-router']),
    );
    const { config } = configOf(edge, {});
    for (const { port, path } of podMetricsEndpoints!) {
      for (const deployment of [edge, router]) {
        const named = container(deployment).ports!.find(({ name }) => name === port);
        expect(named?.containerPort).toBe(config.ops.port);
      }
      expect(path).toBe(config.metrics.path);
    }
  });

  test('Alloy scrapes as Prometheus does, and passes on only to what there is', () => {
    const text = readFileSync(join(repository, 'kubernetes/monitoring/alloy/config.alloy'), 'utf8').replace(
      /\/\/.*/g,
      '',
    );
    const defined = [...text.matchAll(/^([\w.]+) "(\w+)" \{$/gm)].map(([, component, name]) => `${component}.${name}`);
    const used = [...text.matchAll(/\b((?:discovery|prometheus|loki)\.[\w.]+)\.(?:targets|output|receiver)\b/g)];
    expect(new Set(defined)).toHaveProperty('size', defined.length);
    for (const [, component] of used) expect(defined).toContain(component);
    // These two push what they have read; nobody names them.
    expect(defined.filter((component) => !used.some(([, by]) => by === component)).toSorted()).toEqual([
      'loki.source.kubernetes.gateway',
      'prometheus.scrape.gateway',
    ]);
    const [endpoint] = one('PodMonitor', 'ws-gateway', all).spec.podMetricsEndpoints!;
    expect(text).toContain(`metrics_path    = "${endpoint!.path}"`);
    expect(text).toContain(`regex         = "${endpoint!.port}"`);
    const [name] = Object.entries(one('PodMonitor', 'ws-gateway', all).spec.selector!.matchLabels!);
    expect(text).toContain(`"${name!.join('=')}"`);
  });

  test('KEDA asks for the group that the routers are in', () => {
    const { config } = configOf(router, {});
    const [trigger] = one('ScaledObject', 'ws-gateway-router', all).spec.triggers!;
    expect(trigger!.metadata['consumerGroup']).toBe(config.kafka.groupId);
    // KEDA resolves names in its own namespace, and Kafka sends it on to the address that it advertises.
    const [host = '', port] = config.kafka.brokers[0]!.split(':');
    expect(trigger!.metadata['bootstrapServers']).toBe(`${host}.default.svc:${port}`);
    const { env } = container(one('Deployment', 'kafka', all));
    const advertised = env!.find(({ name }) => name === 'KAFKA_ADVERTISED_LISTENERS')!.value;
    expect(advertised).toBe(`PLAINTEXT://${host}.$(POD_NAMESPACE).svc:${port}`);
  });

  test('all pods run the version that this is', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Labels;
    const images = withPods
      .filter(({ metadata }) => metadata.name.startsWith('ws-gateway'))
      .map((m) => container(m).image);
    expect(images).toEqual([`ws-gateway:${version}`, `ws-gateway:${version}`, `ws-gateway:${version}`]);
  });
});

describe('the configuration', () => {
  test('starts edges and routers once the Secret is filled', () => {
    for (const deployment of [edge, router]) {
      expect(findingsOf(configOf(deployment, { JWT_SECRET: TEST_SECRET }))).toEqual([]);
    }
  });

  test('has no Secret beside it that could overwrite or delete one, and edges say what is missing in theirs', () => {
    expect(ofKind('Secret')).toEqual([]);
    expect(findingsOf(configOf(edge, {}))).toEqual([expect.stringMatching(/^auth.secret: missing/)]);
  });

  test('listens on the ports that the pods name', () => {
    const { config } = configOf(edge, {});
    const hubs = config.hubs.map(({ grpcPort }) => grpcPort);
    const ports = (manifest: Manifest | undefined): number[] => container(manifest).ports!.map((p) => p.containerPort);
    expect(ports(edge)).toEqual([config.server.port, config.ops.port, config.grpc.port, ...hubs]);
    expect(configOf(router, {}).config.grpc.enabled).toBe(false);
    expect(ports(router)).toEqual([config.server.port, config.ops.port]);
  });

  test('names only what the network policies let through', () => {
    const { config } = configOf(edge, {});
    const addresses = [...config.kafka.brokers, ...config.redis.addr];
    for (const deployment of [edge, router]) {
      const { ingress, egress } = one('NetworkPolicy', deployment!.metadata.name).spec;
      const opened = ingress!.flatMap(({ ports }) => ports.map(({ port }) => port));
      // A router takes no sockets.
      const served = container(deployment).ports!.filter(({ name }) => deployment === edge || name !== 'http');
      expect(opened).toEqual(served.map(({ containerPort }) => containerPort));
      const reachable = egress!.flatMap(({ ports }) => ports).filter(({ protocol }) => protocol === 'TCP');
      for (const address of addresses) {
        const wanted = Number(address.split(':').at(-1));
        expect(reachable.some(({ port, endPort = port }) => port <= wanted && wanted <= endPort)).toBe(true);
      }
    }
  });

  test('leaves a pod the time to send its clients away', () => {
    for (const deployment of [edge, router]) {
      const { drain } = configOf(deployment, {}).config.server;
      const [command, seconds] = container(deployment).lifecycle?.preStop.exec.command ?? ['sleep', '0'];
      expect(command).toBe('sleep');
      const needed = Number(seconds) + drain.deadlineMs / 1000;
      expect(pod(deployment).terminationGracePeriodSeconds).toBeGreaterThanOrEqual(needed + 5);
    }
  });
});

describe('pods', () => {
  test.each(withPods.map((manifest) => [manifest.metadata.name, manifest] as const))(
    '%s keeps to the restricted pod security standard',
    (_name, manifest) => {
      const spec = pod(manifest);
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        // Variables made from Services would be settings to the gateway and to the Kafka image.
        enableServiceLinks: false,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: expect.any(Number),
          seccompProfile: { type: 'RuntimeDefault' },
        },
      });
      const { securityContext, resources, image } = container(manifest);
      expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
      // Kafka's image writes its settings into its own folder.
      if (!image.startsWith('apache/kafka:')) expect(securityContext).toMatchObject({ readOnlyRootFilesystem: true });
      for (const [name, limit] of Object.entries(resources.limits)) {
        expect(quantity(limit)).toBeGreaterThanOrEqual(quantity(resources.requests[name]!));
      }
    },
  );

  test('of the gateway are asked whether they live and whether they are ready, and replaced without fewer at any time', () => {
    for (const deployment of [edge, router]) {
      const { startupProbe, livenessProbe, readinessProbe } = container(deployment);
      const paths = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet?.path);
      expect(paths).toEqual(['/health', '/health', '/ready']);
      // Clients cannot fill the port of operators.
      const ports = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet?.port);
      expect(ports).toEqual(['ops', 'ops', 'ops']);
      // Edges all at once, so that a client moves once; routers one by one, because each moves partitions.
      const maxSurge = deployment === edge ? '100%' : 1;
      expect(deployment!.spec.strategy!.rollingUpdate).toEqual({ maxSurge, maxUnavailable: 0 });
    }
  });
});

describe('alerts', () => {
  const rules = ofKind('PrometheusRule').flatMap(({ spec }) => spec.groups!.flatMap(({ rules: list }) => list));
  const operations = readFileSync(join(repository, 'docs/operations.md'), 'utf8');

  test('have a name and a row in docs/operations.md each, in this order', () => {
    const documented = [...operations.matchAll(/^\| `(WsGateway\w+)`<a id="(?:\w+)"><\/a> *\| (.+?) *\| .+ \|$/gm)];
    expect(documented.map(([, alert]) => alert)).toEqual(rules.map(({ alert }) => alert));
    for (const { alert, annotations } of rules) {
      expect(annotations.runbook_url).toMatch(new RegExp(`/docs/operations\\.md#${alert.toLowerCase()}$`));
      expect(operations).toContain(`<a id="${alert.toLowerCase()}">`);
    }
    // A row names the series that its alert reads.
    for (const [index, [, , looksAt]] of documented.entries()) {
      const [series = ''] = /^`(\w+)/.exec(looksAt!)?.slice(1) ?? [];
      expect(rules[index]!.expr).toMatch(new RegExp(`\\b(ws_gateway_)?${series}`));
    }
  });
});

describe('kustomize', () => {
  const kubectl = spawnSync('kubectl', ['kustomize', '--help'], { stdio: 'ignore' }).status === 0;

  test('the base and the components name every file of their folders', () => {
    for (const folder of ['', 'demo', 'monitoring', 'gateway-api']) {
      const { resources } = parse(read(join(folder, 'Kustomization'))) as { resources: string[] };
      expect(resources).toEqual([...new Set(manifestsOf(folder).map(({ file }) => basename(file)))]);
    }
  });

  (kubectl ? test : test.skip)('an overlay with all components is what the API server takes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'wsg-overlay-'));
    const base = relative(realpathSync(folder), join(repository, 'kubernetes'));
    const components = ['demo', 'keda', 'connections', 'monitoring', 'gateway-api'].map((name) => join(base, name));
    const overlay = {
      resources: [base],
      components,
      namespace: 'prod',
      images: [{ name: 'ws-gateway', newTag: '9.9.9' }],
    };
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(overlay));
    const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder]);
    rmSync(folder, { recursive: true });
    expect([status, stderr.toString()]).toEqual([0, '']);
    const made = loadAll(stdout.toString()) as Manifest[];
    for (const manifest of made)
      expect([manifest.metadata.name, schemaViolations(manifest)]).toEqual([manifest.metadata.name, []]);
    expect(one('Deployment', 'ws-gateway-router', made).spec.replicas).toBeUndefined();
    expect(container(one('Deployment', 'ws-gateway-edge', made)).image).toBe('ws-gateway:9.9.9');
    expect(ofKind('HorizontalPodAutoscaler', made)).toHaveLength(1);
    expect([ofKind('Ingress', made).length, ofKind('HTTPRoute', made).length]).toEqual([0, 1]);
    expect(made.every(({ metadata }) => metadata.namespace === 'prod')).toBe(true);
  });
});

function read(file: string): string {
  return readFileSync(join(repository, 'kubernetes', file), 'utf8');
}
