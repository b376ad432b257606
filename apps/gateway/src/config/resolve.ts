import {
  isObject,
  audienceMembers,
  formats,
  type AudienceMember,
  type Condition,
  type Format,
  type Retention,
  type TopicPolicy,
} from '@ws-gateway/core';
import type { Config, KafkaSasl } from './config.js';
import { evaluate, presetOf } from './language/evaluate.js';
import { schema, type SchemaValues } from './schema/schema.js';
import { resolvedName, type Node, type Resolved } from './language/schema-node.js';
import { valueAt, type Tree } from './language/tree.js';

/** Durations and sizes of a complete and valid written tree become numbers. */
export function readValues(tree: Tree): SchemaValues {
  return read(schema, tree) as SchemaValues;
}

/** The configuration as the program uses it, from a complete and valid written tree. */
export function configOf(tree: Tree): Config {
  return resolve(readValues(tree));
}

/** Fills in what is derived. */
export function resolve(values: SchemaValues): Config {
  const { server, kafka, grpc, sessions } = values;
  const { tls, sasl, bootstrapServers, ...otherKafka } = kafka;
  const { enabled: kafkaTls, ...kafkaTlsFiles } = tls;
  return {
    ...values,
    server: { ...server, tls: server.tls.certFile === '' ? null : server.tls },
    kafka: {
      ...otherKafka,
      brokers: bootstrapServers,
      deadLetterTopic: kafka.deadLetterTopic === '' ? `${kafka.groupId}-dlq` : kafka.deadLetterTopic,
      tls: kafkaTls ? kafkaTlsFiles : null,
      sasl: kafkaLogin(sasl),
    },
    topics: new Map(
      Object.entries(values.topics).map(([name, topic]) => [name, topicPolicy(name, topic, values.deliveries)]),
    ),
    hubs: values.hubs.map((hub, index) => ({ ...hub, grpcPort: hub.grpcPort === 0 ? 50_051 + index : hub.grpcPort })),
    ops: { ...values.ops, host: values.ops.host || server.host },
    grpc: { ...grpc, host: grpc.host || server.host, tls: grpc.tls.certFile === '' ? null : grpc.tls },
    backends: {
      ...values.backends,
      ws: values.backends.ws.map((backend) => ({
        ...backend,
        path: backend.path === '' ? `/${backend.name}` : backend.path,
      })),
    },
    logger: { ...values.logger, loki: { ...values.logger.loki, labels: lokiLabels(values.logger) } },
    sessions: sessions.max === 0 ? null : sessions,
  };
}

function kafkaLogin({
  mechanism,
  username,
  password,
  oauth,
  awsMskIam,
}: SchemaValues['kafka']['sasl']): KafkaSasl | null {
  switch (mechanism) {
    case '':
      return null;
    case 'oauthbearer':
      return { mechanism, ...oauth };
    case 'aws-msk-iam':
      return { mechanism, ...awsMskIam };
    default:
      return { mechanism, username, password };
  }
}

/** `latest` has to keep something: it is never without history by a default, only by a size of 0 that is written. */
export function withLatestRetained(written: unknown): unknown {
  const topics = valueAt(written, ['topics']);
  if (!isObject(topics)) return written;
  const kept = Object.entries(topics).map(([name, topic]) => {
    const implicit = valueAt(topic, ['mode']) === 'latest' && valueAt(topic, ['history', 'size']) === undefined;
    if (!implicit || !isObject(topic)) return [name, topic] as const;
    const history = isObject(topic['history']) ? topic['history'] : {};
    return [name, { ...topic, history: { ...history, size: 1 } }] as const;
  });
  return { ...(written as Tree), topics: Object.fromEntries(kept) };
}

/** Names that only `kafka.topics` lists are topics too, with the defaults of their kind. */
export function withListedTopics(tree: Tree): Tree {
  const topics = tree['topics'] as Tree;
  const node = schema.keys.topics;
  const listed = (valueAt(tree, ['kafka', 'topics']) as readonly string[]).filter(
    (name) => !Object.hasOwn(topics, name),
  );
  const added = listed.map(
    (name) => [name, evaluate(node.entry, {}, ['topics', name], presetOf(node, name)).tree] as const,
  );
  return { ...tree, topics: Object.fromEntries([...Object.entries(topics), ...added]) };
}

/** Writes what a topic's format says of its map, wherever the topic says nothing else; `config print` shows it. */
export function withFormatMaps(tree: Tree): Tree {
  const topics = Object.entries(tree['topics'] as Tree).map(([name, topic]) => {
    const { format, map } = topic as Tree;
    return [name, { ...(topic as Tree), map: withFormatMap(String(format).toLowerCase(), map as Tree) }] as const;
  });
  return { ...tree, topics: Object.fromEntries(topics) };
}

/** A topic that names an audience of its own has no other one. */
function withFormatMap(format: string, written: Tree): Tree {
  const { map } = (formats as Readonly<Record<string, Format>>)[format]!;
  const isAudience = (member: string): boolean => audienceMembers.includes(member as AudienceMember);
  const ownAudience = Object.keys(written).some(isAudience);
  const kept = Object.entries(map ?? {}).filter(([member]) => !(ownAudience && isAudience(member)));
  return {
    ...Object.fromEntries(kept.map(([member, list]) => [member, list.length === 1 ? list[0] : list])),
    ...written,
  };
}

/** null: no history. */
export function retentionOf(
  mode: Retention['mode'],
  { size, ttlMs, maxBytes }: { readonly size: number; readonly ttlMs: number; readonly maxBytes: number },
): Retention | null {
  return size === 0 ? null : { mode, size, ttlMs, ...(maxBytes > 0 && { bytesMax: maxBytes }) };
}

type TopicValues = Resolved<typeof schema.keys.topics.entry>;

function topicPolicy(
  name: string,
  topic: TopicValues,
  { enabled, offlineAfterMs }: SchemaValues['deliveries'],
): TopicPolicy {
  const { history, audience, mode, keysPerConnection, keyAccess, deliveries, ackTimeoutMs, ...rest } = topic;
  const tracking = { offlineAfterMs, ackTimeoutMs: topic.ack ? ackTimeoutMs : 0 };
  return {
    ...rest,
    name,
    kafkaTopic: topic.kafkaTopic === '' ? name : topic.kafkaTopic,
    type: topic.type === '' ? name : topic.type,
    retention: retentionOf(mode, history),
    audienceFromKey: audience.fromKey,
    when: topic.when.map(condition),
    blocks: name === 'user-blocks',
    keys: Object.hasOwn(topic.map, 'keyed') ? { perConnection: keysPerConnection, claim: keyAccess } : null,
    tracking: enabled && deliveries ? tracking : null,
  };
}

function condition({ field, in: values, notIn, exists }: TopicValues['when'][number]): Condition {
  return {
    field,
    ...(values.length === 0 ? {} : { in: values }),
    ...(notIn.length === 0 ? {} : { notIn }),
    ...(exists === null ? {} : { exists }),
  };
}

function lokiLabels(logger: SchemaValues['logger']): Readonly<Record<string, string>> {
  return logger.environment === '' ? logger.loki.labels : { env: logger.environment, ...logger.loki.labels };
}

function read(node: Node, written: unknown): unknown {
  switch (node.kind) {
    case 'key':
      return node.format.read(written);
    case 'list':
      return (written as readonly unknown[]).map((element) => read(node.entry, element));
    case 'map':
      return Object.fromEntries(
        Object.entries(written as Tree).map(([name, value]) => [name, read(node.entry, value)]),
      );
    case 'group':
      return Object.fromEntries(
        Object.entries(node.keys).map(([name, child]) => [
          resolvedName(name, child),
          read(child, (written as Tree)[name]),
        ]),
      );
  }
}
