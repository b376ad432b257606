import { TEXT, type Shape } from '../config/language/formats.js';
import type { Node, Section } from '../config/language/schema-node.js';

/** kubernetes/chart/values.schema.json: helm refuses by it what would else end a pod, or be passed over without a word. */
export function chartSchema(schema: Section): string {
  const $schema = 'http://json-schema.org/draft-07/schema#';
  return `${JSON.stringify({ $schema, ...object({ ...CHART, config: shapeOf(schema) }) }, null, 2)}\n`;
}

function shapeOf(node: Node): Shape {
  if (node.kind === 'key') return orNothing(node.format.shape);
  if (node.kind === 'list') return orNothing({ type: 'array', items: shapeOf(node.entry) });
  if (node.kind === 'map') return orNothing({ type: 'object', additionalProperties: shapeOf(node.entry) });
  const keys = Object.entries(node.keys).map(([name, child]) => [name, shapeOf(child)]);
  return orNothing(object(Object.fromEntries(keys) as Readonly<Record<string, Shape>>));
}

/** A key without a value counts as not written. */
function orNothing(shape: Shape): Shape {
  const types = [...[shape.type].flat(), 'null'];
  return { ...shape, type: types, ...(shape.enum === undefined ? {} : { enum: [...shape.enum, null] }) };
}

function object(properties: Readonly<Record<string, Shape>>): Shape {
  return { type: 'object', additionalProperties: false, properties };
}

const FLAG: Shape = { type: 'boolean' };
const COUNT: Shape = { type: 'integer', minimum: 0 };
const QUANTITY: Shape = { type: ['string', 'integer'] };
/** What Kubernetes itself has a schema of. */
const MAP: Shape = { type: 'object' };
const LIST: Shape = { type: 'array', items: MAP };
const LABELS: Shape = { type: 'object', additionalProperties: TEXT };
const PATHS: Shape = { type: 'array', items: { type: 'string', pattern: '^/' } };

const DEPLOYMENT = {
  replicas: { ...COUNT, type: ['integer', 'null'] },
  maxSurge: { type: ['integer', 'string'], pattern: '^[0-9]+%$' },
  resources: MAP,
  priorityClassName: TEXT,
  nodeSelector: LABELS,
  tolerations: LIST,
};

/** Values of the chart itself; the configuration is beside them. */
const CHART: Readonly<Record<string, Shape>> = {
  // What helm gives each chart that is part of another one.
  global: MAP,
  image: object({
    repository: TEXT,
    tag: TEXT,
    pullPolicy: { type: 'string', enum: ['Always', 'IfNotPresent', 'Never'] },
  }),
  imagePullSecrets: LIST,
  existingSecret: { type: 'string', minLength: 1 },
  extraEnv: LIST,
  extraVolumes: LIST,
  extraVolumeMounts: LIST,
  edge: object({
    ...DEPLOYMENT,
    autoscaling: object({
      ...{ enabled: FLAG, minReplicas: COUNT, maxReplicas: COUNT, cpu: QUANTITY, connections: QUANTITY },
    }),
  }),
  router: object(DEPLOYMENT),
  service: object({ type: { type: 'string', enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] }, annotations: LABELS }),
  ingress: object({
    ...{ enabled: FLAG, className: TEXT, host: TEXT, tlsSecret: TEXT, paths: PATHS, annotations: LABELS },
  }),
  httpRoute: object({ enabled: FLAG, parentRefs: LIST, hostnames: { type: 'array', items: TEXT }, paths: PATHS }),
  podMonitor: object({ enabled: FLAG, labels: LABELS }),
};
