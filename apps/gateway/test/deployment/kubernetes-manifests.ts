import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv, type ValidateFunction } from 'ajv';
import { loadAll } from 'js-yaml';

export const repository = fileURLToPath(new URL('../../../../', import.meta.url));
const folder = join(repository, 'kubernetes');

/** The parts of manifests that the tests look at. Whether they have this shape is for the schemas to say. */
export interface Manifest {
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: Spec;
}

export type Labels = Readonly<Record<string, string>>;

export interface Spec {
  readonly selector?: { readonly matchLabels?: Labels } & Labels;
  readonly podSelector?: { readonly matchLabels?: Labels };
  readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  readonly replicas?: number;
  readonly strategy?: {
    readonly rollingUpdate?: { readonly maxSurge: number | string; readonly maxUnavailable: number };
  };
  readonly ports?: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
  readonly ingress?: readonly { readonly ports: readonly PolicyPort[] }[];
  readonly egress?: readonly { readonly ports: readonly PolicyPort[] }[];
  readonly rules?: readonly { readonly http: { readonly paths: readonly IngressPath[] } }[];
  readonly scaleTargetRef?: { readonly kind?: string; readonly name: string };
  readonly triggers?: readonly { readonly metadata: Labels }[];
  readonly jobLabel?: string;
  readonly podMetricsEndpoints?: readonly { readonly port: string; readonly path: string }[];
  readonly groups?: readonly { readonly rules: readonly AlertRule[] }[];
}

interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string };
}

interface PolicyPort {
  readonly protocol: string;
  readonly port: number;
  readonly endPort?: number;
}

interface IngressPath {
  readonly path: string;
  readonly pathType: string;
  readonly backend: { readonly service: { readonly name: string; readonly port: { readonly name: string } } };
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly enableServiceLinks?: boolean;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly topologySpreadConstraints?: readonly { readonly labelSelector: { readonly matchLabels: Labels } }[];
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
}

export interface Container {
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly envFrom?: readonly { readonly secretRef: { readonly name: string } }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly resources: { readonly requests: Labels; readonly limits: Labels };
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
  readonly tcpSocket?: { readonly port: string };
}

/** All files of a folder in the order in which kubectl applies them; '' is the one that is applied as it is. */
export function manifestsOf(subfolder: string): Manifest[] {
  const files = readdirSync(join(folder, subfolder), { withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name))
    .map(({ name }) => join(subfolder, name))
    .toSorted();
  return files.flatMap((file) =>
    (loadAll(readFileSync(join(folder, file), 'utf8')) as Omit<Manifest, 'file'>[]).map((document) => ({
      ...document,
      file,
    })),
  );
}

/** Without what was added here. */
export function asApplied(manifest: Manifest): object {
  return Object.fromEntries(Object.entries(manifest).filter(([name]) => name !== 'file'));
}

/** Folders of manifests; the chart holds templates. */
export function subfolders(): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'chart')
    .map(({ name }) => name)
    .toSorted();
}

/**
 * The schemas of a Kubernetes 1.35 API server with KEDA and the Prometheus operator, one a line: the kinds used here and
 * what they refer to, without descriptions. Another kind: add its lines.
 */
export function schemaCheck(): (document: unknown) => string[] {
  // int32 and its like are no formats of JSON Schema.
  const ajv = new Ajv({ allErrors: true, strictTypes: false, validateFormats: false });
  const text = readFileSync(new URL('../fixtures/kubernetes-schemas.ndjson', import.meta.url), 'utf8');
  const entries = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; schema: object });
  for (const { name, schema } of entries) ajv.addSchema(schema, name);
  return (document) => {
    const { apiVersion, kind } = document as Manifest;
    const validate: ValidateFunction | undefined = ajv.getSchema(`${kind}.${apiVersion.replace('/', '.')}`);
    if (validate === undefined) return [`no schema of ${apiVersion} ${kind} in fixtures/kubernetes-schemas.ndjson`];
    validate(document);
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
}

/** `250m`, `1Gi`, `2`: as a number of cores or bytes. */
export function quantity(text: string): number {
  const [, number, unit = ''] = /^([0-9.]+)([a-zA-Z]*)$/.exec(text) ?? [];
  const factors: Readonly<Record<string, number>> = { '': 1, m: 0.001, k: 1e3, Mi: 2 ** 20, Gi: 2 ** 30 };
  const factor = factors[unit];
  if (number === undefined || factor === undefined) throw new Error(`not a quantity: ${text}`);
  return Number(number) * factor;
}

export function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}
