import { builtInPathNames } from '@ws-gateway/core';
import type { Finding } from '../language/finding.js';
import { when, type Rule } from './rule.js';
import type { SchemaValues } from '../schema/schema.js';

/** First parts of stream names with more behind them than a name: those of a topic could be the same. */
const RESERVED = ['hub', 'pipe', 'sub'];

const OWN_PATHS = ['/', ...builtInPathNames, '/health', '/ready', '/ping'];

/** Rules about names that must differ from each other. */
export const namingRules: readonly Rule[] = [
  {
    doc: 'No two topics have the same Kafka topic.',
    reads: ['topics', 'kafka.topics'],
    check: ({ topics }) =>
      repeated(
        Object.entries(topics).map(([name, { kafkaTopic }]) => [`topics.${name}.kafkaTopic`, kafkaTopic || name]),
      ),
  },
  {
    doc: 'No topic is called `hub`, `pipe` or `sub`: the streams of hubs, back ends and subscription ids begin so.',
    reads: ['topics', 'kafka.topics'],
    check: ({ topics }) =>
      RESERVED.filter((name) => Object.hasOwn(topics, name)).map((name) => ({
        path: `topics.${name}`,
        message: 'no topic can have this name, set kafkaTopic to it and call the topic otherwise',
      })),
  },
  {
    doc: 'The gateway never consumes what it writes: dead letters, presence and subscription events, deliveries, inbound messages.',
    reads: ['topics', 'kafka', 'presence', 'subscriptions', 'inbound', 'deliveries'],
    check(values) {
      const consumed = new Set(Object.entries(values.topics).map(([name, { kafkaTopic }]) => kafkaTopic || name));
      return writtenTopics(values).flatMap(([path, topic]) =>
        when(consumed.has(topic), path, `${topic} is consumed as well: its records would go round in circles`),
      );
    },
  },
  {
    doc: 'Hubs have different names.',
    reads: ['hubs'],
    check: ({ hubs }) => repeated(hubs.map(({ name }, index) => [`hubs[${index}].name`, name])),
  },
  {
    doc: 'Ports differ: of the server, of operators, of gRPC, of each hub.',
    reads: ['hubs', 'grpc', 'server.port', 'ops.port'],
    check({ hubs, grpc, server, ops }) {
      const hubPorts = hubs.map((hub, index): [string, number] => [
        `hubs[${index}].grpcPort`,
        hub.grpcPort || 50_051 + index,
      ]);
      const grpcPorts: [string, number][] = grpc.enabled ? [['grpc.port', grpc.port], ...hubPorts] : [];
      const ports: [string, number][] = [['server.port', server.port], ['ops.port', ops.port], ...grpcPorts];
      return repeated(ports.filter(([, port]) => port !== 0).map(([path, port]) => [path, String(port)]));
    },
  },
  {
    doc: 'Backends of `backends.ws` have a URL, different names, and paths that nothing else has.',
    reads: ['backends.ws', 'metrics.path', 'sse'],
    check: ({ backends, metrics, sse }) => [
      ...repeated(backends.ws.map(({ name }, index) => [`backends.ws[${index}].name`, name])),
      ...repeated([
        ['metrics.path', metrics.path],
        ...(sse.enabled ? [['sse.path', sse.path] as const] : []),
        ...backends.ws.map(({ name, path }, index): [string, string] => [
          `backends.ws[${index}].path`,
          path || `/${name}`,
        ]),
      ]),
      ...backends.ws.flatMap(({ name, path, url }, index) => [
        ...when(url === '', `backends.ws[${index}].url`, 'missing'),
        ...ownPath(`backends.ws[${index}].path`, path || `/${name}`),
      ]),
    ],
  },
  {
    doc: '`metrics.path` is not a path of another kind.',
    reads: ['metrics.path'],
    check: ({ metrics }) => ownPath('metrics.path', metrics.path),
  },
  {
    doc: '`sse.path` is not a path of another kind.',
    reads: ['sse'],
    check: ({ sse }) => (sse.enabled ? ownPath('sse.path', sse.path) : []),
  },
  {
    doc: 'A command names a backend of `backends.http`.',
    reads: ['commands', 'backends.http'],
    check: ({ commands, backends }) =>
      Object.entries(commands).flatMap(([name, { backend }]) =>
        when(
          !Object.hasOwn(backends.http, backend),
          `commands.${name}.backend`,
          backend === '' ? 'missing' : `${backend} is not in backends.http`,
        ),
      ),
  },
];

/** Reports each repetition, from the second one on. */
function repeated(named: readonly (readonly [path: string, value: string])[]): Finding[] {
  const first = new Map<string, string>();
  return named.flatMap(([path, value]) => {
    const other = first.get(value);
    if (other === undefined) first.set(value, path);
    return when(other !== undefined && value !== '', path, `${value} is the same as ${other}`);
  });
}

function ownPath(path: string, value: string): Finding[] {
  const taken = OWN_PATHS.includes(value) || /^\/(api|websocket)(\/|$)/.test(value);
  const shaped = /^\/[A-Za-z0-9._~/-]*$/.test(value);
  return [
    ...when(taken, path, `${value} is a path of the gateway itself`),
    ...when(!shaped, path, 'must be a path such as /lobby'),
  ];
}

function writtenTopics({ kafka, presence, subscriptions, inbound, deliveries }: SchemaValues): [string, string][] {
  const written: [string, string][] = [['kafka.deadLetterTopic', kafka.deadLetterTopic || `${kafka.groupId}-dlq`]];
  if (presence.enabled) written.push(['presence.kafkaTopic', presence.kafkaTopic]);
  if (subscriptions.enabled) written.push(['subscriptions.kafkaTopic', subscriptions.kafkaTopic]);
  if (deliveries.enabled) written.push(['deliveries.kafkaTopic', deliveries.kafkaTopic]);
  if (inbound.enabled) written.push(['inbound.kafkaTopic', inbound.kafkaTopic]);
  return written;
}
