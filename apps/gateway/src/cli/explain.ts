import { readFileSync } from 'node:fs';
import type { SourceRecord } from '@ws-gateway/core';
import type { Command } from 'commander';
import type { Config } from '../config/config.js';
import { explain, explanationJson, type Explanation, type RecordPlace } from '../records/explanation.js';
import { lastRecords, type PlacedRecord } from '../records/last-records.js';
import { topicOf, withDecoding, type TopicDecoding } from '../records/topic-decoding.js';
import { configOption, configured, flag, type ConfigFlags } from './configured.js';
import { badUsage, CliError, exitCodes, failure, reasonOf } from './exit.js';
import { brokersOption, toolConnection } from './kafka.js';
import { print, styled } from './output.js';
import { headerOption } from './produce.js';
import { numberOption } from './topics.js';

interface ExplainFlags extends ConfigFlags {
  readonly value?: string;
  readonly file?: string;
  readonly last?: number;
  readonly tombstone?: true;
  readonly key?: string;
  readonly header?: Readonly<Record<string, string>>;
  readonly brokers?: string;
  readonly json?: true;
}

const EXAMPLES = `
Nothing is sent, and no gateway need run. Exit code 1 when a record would be a dead letter.

Examples:
  $ ws-gateway explain payments --value '{"account":{"id":"u1"}}' --header event-id=e-1 -c config.yaml
  $ ws-gateway explain payments --last 100 -c config.yaml`;

export function registerExplain(program: Command): void {
  program
    .command('explain')
    .description('say what records of a topic would become: who gets which frame, or why it would be a dead letter')
    .argument('<topic>', 'a topic of the configuration, or the Kafka topic that feeds one')
    .option('--value <text>', 'the value of the record')
    .option('--file <file>', 'a file that holds the value; - is standard input')
    .option('--last <number>', 'the newest records of the topic in Kafka, read without joining a group', numberOption)
    .option('--tombstone', 'a record without a value')
    .option('--key <text>', 'the key of the record')
    .option('--header <name=value>', 'a header of the record; may be repeated', headerOption)
    .option(...brokersOption)
    .option(...configOption)
    .option('--json', 'as JSON, a line for each record')
    .addHelpText('after', EXAMPLES)
    .action(explainRecords);
}

async function explainRecords(topic: string, flags: ExplainFlags): Promise<void> {
  const config = configured(flags, 'tool', { 'kafka.bootstrapServers': flag('brokers', flags.brokers) });
  const policy = topicOf(config, topic);
  if (policy === undefined) {
    throw badUsage(`${topic}: no topic of the configuration; there are: ${[...config.topics.keys()].join(', ')}`);
  }
  const records = await recordsOf(config, policy.kafkaTopic, flags);
  const letters = await withDecoding(config, policy, (decoding) => explainAll(decoding, records, flags));
  if (letters > 0) {
    throw new CliError(exitCodes.failure, flags.json ? '' : `${letters} of ${records.length} would be dead letters`);
  }
}

/** Returns how many would be dead letters. */
async function explainAll(
  decoding: TopicDecoding,
  records: readonly PlacedRecord[],
  flags: ExplainFlags,
): Promise<number> {
  let letters = 0;
  for (const { partition, record } of records) {
    const verdict = await decoding.decode(record, partition);
    if (verdict.kind === 'dead_letter') letters++;
    const place = { topic: decoding.policy.kafkaTopic, partition, offset: record.offset };
    report(place, explain(verdict), flags);
  }
  return letters;
}

async function recordsOf(config: Config, topic: string, flags: ExplainFlags): Promise<PlacedRecord[]> {
  const given = [flags.value, flags.file, flags.last, flags.tombstone].filter((one) => one !== undefined);
  const choices = 'one of --value, --file, --last, --tombstone';
  if (given.length > 1) throw badUsage(`only ${choices} can be given`);
  if (given.length === 0) throw badUsage(`${choices} is needed`);
  if (flags.last === undefined) return [{ partition: 0, record: givenRecord(flags) }];
  if (flags.key !== undefined || flags.header !== undefined) {
    throw badUsage('--key and --header are of a record that is given, not of those in Kafka (--last)');
  }
  const { TopicReader } = await import('@ws-gateway/kafka-source');
  const reader = new TopicReader(await toolConnection(config));
  try {
    const records = await lastRecords(reader, topic, flags.last);
    if (records !== null) return records;
  } catch (error) {
    throw failure(`Kafka at ${config.kafka.brokers.join(',')}: ${reasonOf(error)}`, error);
  } finally {
    await reader.close();
  }
  throw failure(`Kafka at ${config.kafka.brokers.join(',')} has no topic ${topic}`);
}

function givenRecord({ value, file, key, header }: ExplainFlags): SourceRecord {
  return {
    offset: 0,
    timestamp: Date.now(),
    key: key === undefined ? null : Buffer.from(key),
    value: file === undefined ? (value === undefined ? null : Buffer.from(value)) : contentOf(file),
    headers: header ?? {},
  };
}

function contentOf(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? process.stdin.fd : file);
  } catch (error) {
    throw badUsage(`--file: ${reasonOf(error)}`);
  }
}

function report(place: RecordPlace, explanation: Explanation, flags: ExplainFlags): void {
  if (flags.json) return print(explanationJson(place, explanation));
  const where = styled('dim', `${place.topic}/${place.partition}@${place.offset}`);
  if ('frame' in explanation) {
    print(`${where}  ${styled('green', explanation.audience)}  ${explanation.streams.join(' ')}`);
    print(`  ${explanation.frame}`);
  } else if ('reason' in explanation) {
    print(`${where}  ${styled('red', `dead letter ${explanation.reason}`)}: ${explanation.message}`);
  } else if ('skipped' in explanation) {
    print(`${where}  ${styled('yellow', 'skipped')}: when or tombstone of the topic want no message of it`);
  } else {
    print(`${where}  ${styled('yellow', 'expired')}: older than its ttl`);
  }
}
