import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { formats } from '@ws-gateway/core';
import type { KafkaConnectionOptions, KafkaError, TopicReader, TopicStatus } from '@ws-gateway/kafka-source';
import { operatorsOf } from '../admin/operators.js';
import type { Config } from '../config/config.js';
import { fetchReasonOf } from '../cli/exit.js';
import { kafkaTopics, silent, toolConnection } from '../cli/kafka.js';
import { clientSections } from '../node/certificates.js';
import { probeKafka } from './kafka-probe.js';
import { ProbeError } from './reach.js';
import { probeRedis } from './redis-probe.js';

/** The outcome of one check. A fault keeps a node from its work, a warning will hurt some day. */
export interface Diagnosis {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'fault';
  readonly detail: string;
}

const DESCRIPTORS_MIN = 4096;
const TOKEN_LENGTH_MIN = 16;
const CLOCK_AHEAD_MS_MAX = 1000;
const CERTIFICATE_DAYS_MIN = 14;
const DAY_MS = 86_400_000;

/** Tries everything that a node of this configuration needs. Never rejects. */
export async function checkup(config: Config): Promise<Diagnosis[]> {
  const servers = await Promise.all([
    checkRedis(config),
    checkKafka(config),
    checkSchemaRegistry(config),
    checkKeySets(config),
  ]);
  return [
    ...servers.flat(),
    checkDescriptors(),
    checkSecrets(config),
    ...checkCertificates(config),
    ...checkDoors(config),
  ];
}

async function checkRedis({ engine, redis }: Config): Promise<Diagnosis[]> {
  if (engine === 'memory') return [{ check: 'redis', state: 'ok', detail: 'not used: engine memory' }];
  try {
    const { version, evictionPolicy, clockAheadMs } = await probeRedis(redis);
    const aheadMs = Math.round(clockAheadMs);
    const isFar = Math.abs(clockAheadMs) > CLOCK_AHEAD_MS_MAX;
    const evicts = evictionPolicy !== '' && evictionPolicy !== 'noeviction';
    return [
      { check: 'redis', state: 'ok', detail: `reached, version ${version || 'unknown'}` },
      {
        ...{ check: 'redis clock', state: isFar ? 'warning' : 'ok' },
        detail: `${aheadMs} ms ahead of this machine`,
      },
      {
        ...{ check: 'redis eviction', state: evicts ? 'warning' : 'ok' },
        detail: evicts
          ? `${evictionPolicy}: a full Redis throws away blocks and history; use noeviction`
          : evictionPolicy || 'unknown',
      },
    ];
  } catch (error) {
    return [fault('redis', error)];
  }
}

async function checkKafka(config: Config): Promise<Diagnosis[]> {
  const needed = readsTopics(config) || config.inbound.enabled || config.presence.enabled;
  if (!needed) return [{ check: 'kafka', state: 'ok', detail: 'not used by this node' }];
  try {
    await probeKafka(config.kafka);
    const { checkTopics } = await import('@ws-gateway/kafka-source');
    const connection = await toolConnection(config);
    const topics = await checkTopics(connection, kafkaTopics(config));
    const known = new Set(topics.filter(({ exists }) => exists).map(({ topic }) => topic));
    return [
      { check: 'kafka', state: 'ok', detail: `reached ${config.kafka.brokers.join(',')}, logged in` },
      topicsDiagnosis(config, topics),
      ...(readsTopics(config) ? [await checkKafkaRights(config, connection, known)] : []),
    ];
  } catch (error) {
    return [fault('kafka', error)];
  }
}

/** Nothing where no topic needs the registry. */
async function checkSchemaRegistry(config: Config): Promise<Diagnosis[]> {
  const isNeeded =
    readsTopics(config) && [...config.topics.values()].some(({ format }) => formats[format].needsRegistry);
  if (!isNeeded) return [];
  const check = 'schema registry';
  const { url } = config.schemaRegistry;
  const { createSchemaReader } = await import('../node/schema-registry.js');
  const reader = createSchemaReader(config, silent);
  try {
    await reader?.probe();
    return [{ check, state: 'ok', detail: `reached ${url}, logged in` }];
  } catch (error) {
    return [{ check, state: 'fault', detail: `${url}: ${(error as Error).message}` }];
  } finally {
    await reader?.stop();
  }
}

/** Nothing where no key set is named, or nobody comes with a token. Without its keys an issuer's tokens are refused as unavailable. */
async function checkKeySets({ role, auth }: Config): Promise<Diagnosis[]> {
  const entries = [
    { path: 'auth', ...auth },
    ...auth.issuers.map((issuer, at) => ({ path: `auth.issuers[${at}]`, ...issuer })),
  ];
  const named = role === 'router' ? [] : entries.filter(({ jwksUrl }) => jwksUrl !== '');
  if (named.length === 0) return [];
  const { readKeySet } = await import('@ws-gateway/jwt-auth');
  return Promise.all(
    named.map(async ({ path, jwksUrl }): Promise<Diagnosis> => {
      const [check, url] = [`${path}.jwksUrl`, new URL(jwksUrl)];
      // The rest may be a secret.
      const shown = `${url.origin}${url.pathname}`;
      try {
        const { keys } = (await readKeySet(url)).jwks();
        return { check, state: 'ok', detail: `reached ${shown}, ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}` };
      } catch (error) {
        return { check, state: 'fault', detail: `${shown}: ${fetchReasonOf(error)}` };
      }
    }),
  );
}

function readsTopics({ role, topics }: Config): boolean {
  return role !== 'edge' && topics.size > 0;
}

/** A node makes the topics that it writes to when it has something to write. */
function topicsDiagnosis(config: Config, topics: readonly TopicStatus[]): Diagnosis {
  const check = 'kafka topics';
  const names = (of: (topic: TopicStatus) => boolean): string =>
    topics
      .filter(of)
      .map(({ topic }) => topic)
      .join(', ');
  const forbidden = names((topic) => topic.forbidden);
  if (forbidden !== '')
    return { check, state: 'fault', detail: `missing, or not to be described by this user: ${forbidden}` };
  const missing = names(({ exists }) => !exists);
  if (missing === '') return { check, state: 'ok', detail: `all ${topics.length} exist and may be described` };
  const { createTopics } = config.kafka;
  const read = new Set([...config.topics.values()].map(({ kafkaTopic }) => kafkaTopic));
  if (!createTopics && topics.some(({ topic, exists }) => !exists && read.has(topic)))
    return { check, state: 'fault', detail: `missing: ${missing}` };
  const when = createTopics ? 'made at the start' : 'made when something is written to them';
  return { check, state: 'warning', detail: `missing: ${missing}; ${when}` };
}

/** The right to write shows only when something is written. */
async function checkKafkaRights(
  { kafka, topics }: Config,
  connection: KafkaConnectionOptions,
  known: ReadonlySet<string>,
): Promise<Diagnosis> {
  const { TopicReader } = await import('@ws-gateway/kafka-source');
  const reader = new TopicReader(connection);
  const read = [...topics.values()].map(({ kafkaTopic }) => kafkaTopic).filter((topic) => known.has(topic));
  try {
    const refused = await unreadableTopics(reader, read);
    const trouble = read[0] === undefined ? null : await groupTrouble(reader, kafka.groupId, read[0]);
    if (trouble !== null) refused.push(`group ${kafka.groupId} (${trouble})`);
    return refused.length === 0
      ? { check: 'kafka rights', state: 'ok', detail: 'topics and group may be read' }
      : { check: 'kafka rights', state: 'fault', detail: `this user may not read: ${refused.join(', ')}` };
  } finally {
    await reader.close();
  }
}

/** Asks each topic for what is behind its end, as a router would. */
async function unreadableTopics(reader: TopicReader, topics: readonly string[]): Promise<string[]> {
  const unreadable: string[] = [];
  for (const topic of topics) {
    const [bounds] = (await reader.bounds(topic)) ?? [];
    if (bounds === undefined) continue;
    try {
      await reader.read(topic, { ...bounds, begin: bounds.end, end: bounds.end + 1 }, () => undefined);
    } catch (error) {
      if ((error as Partial<KafkaError>).code !== 'not_authorized') throw error;
      unreadable.push(topic);
    }
  }
  return unreadable;
}

/** null: there is none. Of a group that is forbidden kafkajs only says that it finds no coordinator. */
async function groupTrouble(reader: TopicReader, groupId: string, topic: string): Promise<string | null> {
  try {
    await reader.committed(groupId, topic, [0]);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function fault(check: string, error: unknown): Diagnosis {
  const where = error instanceof ProbeError ? `${error.address}: ` : '';
  return { check, state: 'fault', detail: where + (error instanceof Error ? error.message : String(error)) };
}

/** What cannot be used at all is a problem of the configuration already: no command gets as far as this with one. */
function checkSecrets({ auth, admin, grpc }: Config): Diagnosis {
  const tokens = [
    ...operatorsOf(admin).map(({ actor, token }) => ({ name: `the token of ${actor}`, text: token })),
    { name: 'grpc.token', text: grpc.token },
  ];
  const short = tokens.filter(({ text }) => text !== '' && text.length < TOKEN_LENGTH_MIN).map(({ name }) => name);
  if (short.length > 0) {
    const detail = `shorter than ${TOKEN_LENGTH_MIN} characters, which can be guessed: ${short.join(', ')}`;
    return { check: 'secrets', state: 'warning', detail };
  }
  const count = [auth.secret, ...auth.secrets, ...auth.issuers.map(({ secret }) => secret)].filter(Boolean).length;
  const hs = count === 0 ? 'no HS secret' : `${count} HS ${count === 1 ? 'secret' : 'secrets'} of 32 bytes or more`;
  return { check: 'secrets', state: 'ok', detail: hs };
}

/** Each socket is one; Node raises the soft limit to the hard one by itself. */
function checkDescriptors(): Diagnosis {
  const limit = descriptorsMax();
  if (limit === null) return { check: 'descriptors', state: 'ok', detail: 'the limit cannot be read here' };
  return limit < DESCRIPTORS_MIN
    ? {
        check: 'descriptors',
        state: 'warning',
        detail: `hard limit ${limit}: about as many sockets fit; allow ${DESCRIPTORS_MIN} or more`,
      }
    : { check: 'descriptors', state: 'ok', detail: `hard limit ${limit === Infinity ? 'none' : limit}` };
}

/** Limit of file descriptors; null where the system does not say. */
function descriptorsMax(): number | null {
  try {
    const [, hard] = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return hard === undefined ? null : hard === 'unlimited' ? Infinity : Number(hard);
  } catch {
    return null;
  }
}

function checkCertificates(config: Config): Diagnosis[] {
  const { server, grpc } = config;
  const files = [
    ...clientSections(config).map(({ section, files: { certFile } }) => [section, certFile] as const),
    ...(server.tls === null ? [] : [['server.tls', server.tls.certFile] as const]),
    ...(grpc.tls === null ? [] : [['grpc.tls', grpc.tls.certFile] as const]),
  ];
  const named = files.filter(([, file]) => file !== '');
  return named.map(([section, file]) => {
    const days = Math.floor((Date.parse(new X509Certificate(readFileSync(file)).validTo) - Date.now()) / DAY_MS);
    const state = days < 0 ? 'fault' : days < CERTIFICATE_DAYS_MIN ? 'warning' : 'ok';
    return { check: `${section} certificate`, state, detail: days < 0 ? 'has expired' : `valid for ${days} days` };
  });
}

function checkDoors({ grpc, admin, ops }: Config): Diagnosis[] {
  const isOpen = grpc.enabled && grpc.token === '' && (grpc.tls === null || grpc.tls.clientCaFile === '');
  return [
    ...(grpc.enabled
      ? [
          isOpen
            ? ({
                check: 'grpc',
                state: 'warning',
                detail: `${grpc.host}:${grpc.port} takes calls of whoever reaches it: set grpc.token`,
              } as const)
            : ({ check: 'grpc', state: 'ok', detail: 'callers need a token or a certificate' } as const),
        ]
      : []),
    ...(operatorsOf(admin).length > 0 && ops.port === 0
      ? [
          {
            check: 'admin api',
            state: 'warning',
            detail: 'on the port of the clients: set ops.port, or keep /api from the outside',
          } as const,
        ]
      : []),
  ];
}
