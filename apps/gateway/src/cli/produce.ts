import { audienceMembers, type OutgoingRecord, type SourceRecord, type TopicPolicy } from '@ws-gateway/core';
import type { RecordProducer, WrittenRecord } from '@ws-gateway/kafka-source';
import { InvalidArgumentError, type Command } from 'commander';
import type { Config } from '../config/config.js';
import { explain, type Explanation } from '../records/explanation.js';
import { topicOf, withDecoding } from '../records/topic-decoding.js';
import { brokersOption, toolConnection } from './kafka.js';
import { configOption, configured, flag, type ConfigFlags } from './configured.js';
import { badUsage, failure, reasonOf } from './exit.js';
import { note, print, printJson } from './output.js';
import { userOption } from './token.js';
import { numberOption } from './topics.js';

interface ProduceFlags extends ConfigFlags {
  readonly user?: string;
  readonly payload: string;
  readonly id?: string;
  readonly type?: string;
  readonly key?: string;
  readonly header?: Readonly<Record<string, string>>;
  readonly count: number;
  readonly create?: true;
  readonly force?: true;
  readonly brokers?: string;
  readonly json?: true;
}

const EXAMPLES = `
On a topic of format envelope the payload is wrapped as a back end would do it; on others it is the value itself.

Examples:
  $ ws-gateway produce notifications --user u1 --payload '{"title":"Hello","body":"…"}'
  $ ws-gateway produce user-blocks --user u1 --payload '{"blocked":true,"reason":"fraud"}'
  $ ws-gateway produce notifications --header ws-audience=topic --payload '{"title":"To all"}'`;

export function registerProduce(program: Command): void {
  program
    .command('produce')
    .description('write records to Kafka, as a backend would')
    .argument('<topic>', 'a topic of the configuration, or any Kafka topic')
    .option('--user <id>', 'who gets it; also the record key', userOption)
    .requiredOption('--payload <json>', 'the payload; it reaches clients byte for byte')
    .option('--id <text>', 'id of the message; with --count followed by -1, -2, …')
    .option('--type <text>', 'type of the message (default: that of the topic)')
    .option('--key <text>', 'record key (default: the user)')
    .option('--header <name=value>', 'a record header; may be repeated', headerOption)
    .option('--count <number>', 'how many records', numberOption, 1)
    .option('--create', 'create the Kafka topic if it is missing')
    .option('--force', 'write also what the gateway could not use')
    .option(...brokersOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"topic","kafka_topic","records","written":[{"partition","offset"}]}')
    .addHelpText('after', EXAMPLES)
    .action(produce);
}

async function produce(topic: string, flags: ProduceFlags): Promise<void> {
  const config = configured(flags, 'tool', { 'kafka.bootstrapServers': flag('brokers', flags.brokers) });
  const policy = topicOf(config, topic);
  const kafkaTopic = policy?.kafkaTopic ?? topic;
  if (!/^[A-Za-z0-9._-]{1,249}$/.test(kafkaTopic)) throw badUsage(`${JSON.stringify(topic)} is not a topic name`);
  if (policy?.format !== 'text') jsonPayload(flags.payload);
  const records = Array.from({ length: flags.count }, (_, index) => recordOf(policy, flags, index));
  if (policy !== undefined && flags.force !== true)
    await requireUsable(config, policy, { outgoing: records[0]!, user: flags.user });
  const written = await writeRecords(config, kafkaTopic, { records, create: flags.create === true });
  if (flags.json) return printJson({ topic, kafka_topic: kafkaTopic, records: records.length, written });
  print(
    `${records.length === 1 ? '1 record' : `${records.length} records`} written to ${kafkaTopic}: ${placesOf(written)}`,
  );
}

/** All records are alike but for their ids, so one speaks for all. */
async function requireUsable(
  config: Config,
  policy: TopicPolicy,
  { outgoing, user }: { outgoing: OutgoingRecord; user: string | undefined },
): Promise<void> {
  const bytes = (part: OutgoingRecord['key']): Buffer | null => (part === null ? null : Buffer.from(part));
  const record: SourceRecord = {
    offset: 0,
    timestamp: Date.now(),
    key: bytes(outgoing.key),
    value: bytes(outgoing.value),
    headers: outgoing.headers ?? {},
  };
  const verdict = await withDecoding(config, policy, (decoding) => decoding.decode(record, 0));
  if (verdict.kind === 'skipped') note("the topic's when wants no message of it: nobody will get a frame");
  const whose = user === undefined ? '' : notForUser(user, policy, explain(verdict));
  if (verdict.kind !== 'dead_letter' && whose === '') return;
  const reason =
    verdict.kind === 'dead_letter' ? `it would be a dead letter: ${verdict.error}: ${verdict.message}` : '';
  throw badUsage(`${[reason, whose].filter(Boolean).join('; ')}; --force writes it all the same`);
}

/** Where the topic's map finds somebody else than the user, or nobody: what to do. '' when all is well. */
function notForUser(user: string, { map }: TopicPolicy, explanation: Explanation): string {
  const isFound = 'audience' in explanation && explanation.audience === `user:${user}`;
  const isElsewhere =
    !('audience' in explanation) && !('reason' in explanation && explanation.reason === 'no_audience');
  const member = audienceMembers.find((name) => map[name] !== undefined);
  if (isFound || isElsewhere || member === undefined) return '';
  const place = `map.${member} (${map[member]!.join(', ')})`;
  return `--user is but the record key here, and ${place} says who gets it: put the user there, or add --header ws-audience=user:${user}`;
}

async function writeRecords(
  config: Config,
  topic: string,
  { records, create }: { records: readonly OutgoingRecord[]; create: boolean },
): Promise<WrittenRecord[]> {
  const kafka = await import('@ws-gateway/kafka-source');
  const producer = new kafka.RecordProducer(await toolConnection(config));
  try {
    if (create) await producer.createTopic(topic);
    return await writeTo(producer, topic, records);
  } catch (error) {
    const hint = error instanceof kafka.KafkaError && error.code === 'unknown_topic' ? '; --create makes it' : '';
    throw failure(`Kafka at ${config.kafka.brokers.join(',')}: ${reasonOf(error)}${hint}`, error);
  } finally {
    await producer.close();
  }
}

async function writeTo(
  producer: RecordProducer,
  topic: string,
  records: readonly OutgoingRecord[],
): Promise<WrittenRecord[]> {
  await producer.requireTopic(topic);
  return producer.write(topic, records);
}

/** `partition 0 offset 5` or `partition 0 offsets 5-9`, for each partition. */
function placesOf(written: readonly WrittenRecord[]): string {
  const places = Map.groupBy(written, ({ partition }) => partition);
  return [...places]
    .sort(([a], [b]) => a - b)
    .map(([partition, records]) => {
      const [first, last] = [records[0]!.offset, records.at(-1)!.offset];
      return `partition ${partition} ${first === last ? `offset ${first}` : `offsets ${first}-${last}`}`;
    })
    .join(', ');
}

function recordOf(policy: TopicPolicy | undefined, flags: ProduceFlags, index: number): OutgoingRecord {
  const id = flags.id !== undefined && flags.count > 1 ? `${flags.id}-${index + 1}` : flags.id;
  return {
    key: flags.key ?? flags.user ?? null,
    value: valueOf(policy, flags, id),
    ...(flags.header === undefined ? {} : { headers: flags.header }),
  };
}

function valueOf(policy: TopicPolicy | undefined, flags: ProduceFlags, id: string | undefined): string {
  switch (policy?.format) {
    case 'wss':
      return `{"type":${JSON.stringify(flags.type ?? 'update_subscription')},"document":${flags.payload}}`;
    case undefined:
    case 'envelope':
      return envelope({ id, type: flags.type, user_id: flags.user }, flags.payload);
    default:
      return flags.payload;
  }
}

/** A record of format `envelope` (docs/records.md). The payload is put in as it was written: nothing re-formats its numbers. */
export function envelope(members: Readonly<Record<string, string | undefined>>, payload: string): string {
  const head = JSON.stringify({ ...members, timestamp: new Date().toISOString() });
  return `${head.slice(0, -1)},"payload":${payload}}`;
}

function jsonPayload(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw badUsage(`--payload: It must be JSON: ${reasonOf(error)}`);
  }
}

export function jsonOption(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError(`It must be JSON: ${reasonOf(error)}.`);
  }
}

export function headerOption(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be name=value.');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}
