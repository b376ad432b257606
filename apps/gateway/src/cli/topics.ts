import { InvalidArgumentError, type Command } from 'commander';
import type { Config } from '../config/config.js';
import { configOption, configured, flag, type ConfigFlags } from './configured.js';
import { CliError, exitCodes, failure, reasonOf } from './exit.js';
import { print, printJson } from './output.js';
import { brokersOption, kafkaTopics, toolConnection } from './kafka.js';

interface TopicsFlags extends ConfigFlags {
  readonly brokers?: string;
  readonly json?: true;
}

interface CreateFlags extends TopicsFlags {
  readonly partitions?: number;
  readonly replication?: number;
}

export function registerTopics(program: Command): void {
  const topics = program
    .command('topics')
    .description('the Kafka topics of the configuration, dead letters included')
    .addHelpText('after', '\nExample:\n  $ ws-gateway topics create -c config.yaml --partitions 6');
  topics
    .command('create')
    .description('create those that are missing')
    .option(...configOption)
    .option(...brokersOption)
    .option('--partitions <number>', 'partitions of each (default: as the broker says)', numberOption)
    .option('--replication <number>', 'copies of each (default: as the broker says)', numberOption)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  $ ws-gateway topics create --brokers localhost:9092 --partitions 6')
    .action(create);
  topics
    .command('check')
    .description('say which exist; exit code 1 if one is missing')
    .option(...configOption)
    .option(...brokersOption)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  $ ws-gateway topics check -c config.yaml')
    .action(check);
}

async function create(flags: CreateFlags): Promise<void> {
  const config = toolConfig(flags);
  const topics = kafkaTopics(config);
  const created = await createKafkaTopics(config, flags);
  const existing = topics.filter((topic) => !created.includes(topic));
  if (flags.json) return printJson({ created, existing });
  for (const topic of topics)
    print(`${topic.padEnd(widest(topics))}  ${created.includes(topic) ? 'created' : 'exists'}`);
}

export async function createKafkaTopics(
  config: Config,
  options: { partitions?: number; replication?: number } = {},
): Promise<string[]> {
  const { createTopics } = await import('@ws-gateway/kafka-source');
  const specs = kafkaTopics(config).map((topic) => ({
    topic,
    ...(options.partitions === undefined ? {} : { partitions: options.partitions }),
    ...(options.replication === undefined ? {} : { replicationFactor: options.replication }),
  }));
  return orFailure(config, createTopics(await toolConnection(config), specs));
}

async function check(flags: TopicsFlags): Promise<void> {
  const config = toolConfig(flags);
  const { checkTopics } = await import('@ws-gateway/kafka-source');
  const topics = kafkaTopics(config);
  const found = await orFailure(config, checkTopics(await toolConnection(config), topics));
  const missing = found.filter(({ exists }) => !exists);
  if (flags.json) printJson({ topics: found, missing: missing.map(({ topic }) => topic) });
  else
    for (const { topic, exists, partitions } of found)
      print(`${topic.padEnd(widest(topics))}  ${stateOf(exists, partitions)}`);
  if (missing.length > 0)
    throw new CliError(exitCodes.failure, `${missing.length} of ${found.length} topics are missing`);
}

function stateOf(exists: boolean, partitions: number): string {
  if (!exists) return 'missing';
  return partitions === 1 ? '1 partition' : `${partitions} partitions`;
}

function toolConfig(flags: TopicsFlags): Config {
  return configured(flags, 'tool', { 'kafka.bootstrapServers': flag('brokers', flags.brokers) });
}

async function orFailure<T>(config: Config, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw failure(`Kafka at ${config.kafka.brokers.join(',')}: ${reasonOf(error)}`, error);
  }
}

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map(({ length }) => length));
}

export function numberOption(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}
