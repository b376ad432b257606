import type { OutgoingRecord } from '@ws-gateway/core';
import { InvalidArgumentError, type Command } from 'commander';
import type { Config } from '../config/config.js';
import { brokersOption, toolConnection } from './kafka.js';
import { configOption, configured, flag, type ConfigFlags } from './configured.js';
import { badUsage, failure, reasonOf } from './exit.js';
import { print, printJson } from './output.js';
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
  readonly brokers?: string;
  readonly json?: true;
}

const EXAMPLES = `
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
    .requiredOption('--payload <json>', 'the payload; it reaches clients byte for byte', jsonOption)
    .option('--id <text>', 'id of the message; with --count followed by -1, -2, …')
    .option('--type <text>', 'type of the message (default: that of the topic)')
    .option('--key <text>', 'record key (default: the user)')
    .option('--header <k=v>', 'a record header; may be repeated', headerOption)
    .option('--count <number>', 'how many records', numberOption, 1)
    .option(...brokersOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"topic","kafka_topic","records"}')
    .addHelpText('after', EXAMPLES)
    .action(produce);
}

async function produce(topic: string, flags: ProduceFlags): Promise<void> {
  const config = configured(flags, 'tool', { 'kafka.bootstrapServers': flag('brokers', flags.brokers) });
  const kafkaTopic = config.topics.get(topic)?.kafkaTopic ?? topic;
  if (!/^[A-Za-z0-9._-]{1,249}$/.test(kafkaTopic)) throw badUsage(`${JSON.stringify(topic)} is not a topic name`);
  const records = Array.from({ length: flags.count }, (_, index) => recordOf(config, topic, { flags, index }));
  await writeRecords(config, kafkaTopic, records);
  if (flags.json) printJson({ topic, kafka_topic: kafkaTopic, records: records.length });
  else print(`${records.length === 1 ? '1 record' : `${records.length} records`} written to ${kafkaTopic}`);
}

async function writeRecords(config: Config, topic: string, records: readonly OutgoingRecord[]): Promise<void> {
  const { KafkajsRecordWriter } = await import('@ws-gateway/kafka-source');
  const writer = new KafkajsRecordWriter({ ...(await toolConnection(config)), queueRecordsMax: records.length });
  try {
    await writer.write(topic, records);
  } catch (error) {
    throw failure(`Kafka at ${config.kafka.brokers.join(',')}: ${reasonOf(error)}`, error);
  } finally {
    await writer.stop();
  }
}

function recordOf(config: Config, topic: string, record: { flags: ProduceFlags; index: number }): OutgoingRecord {
  const { flags, index } = record;
  const id = flags.id !== undefined && flags.count > 1 ? `${flags.id}-${index + 1}` : flags.id;
  const value =
    config.topics.get(topic)?.format === 'wss'
      ? `{"type":${JSON.stringify(flags.type ?? 'update_subscription')},"document":${flags.payload}}`
      : envelope({ id, type: flags.type, user_id: flags.user }, flags.payload);
  return {
    key: flags.key ?? flags.user ?? null,
    value,
    ...(flags.header === undefined ? {} : { headers: flags.header }),
  };
}

/** A record of format `envelope` (docs/records.md). The payload is put in as it was written: nothing re-formats its numbers. */
export function envelope(members: Readonly<Record<string, string | undefined>>, payload: string): string {
  const head = JSON.stringify({ ...members, timestamp: new Date().toISOString() });
  return `${head.slice(0, -1)},"payload":${payload}}`;
}

export function jsonOption(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError(`It must be JSON: ${reasonOf(error)}.`);
  }
}

function headerOption(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be name=value.');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}
