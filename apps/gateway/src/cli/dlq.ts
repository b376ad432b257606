import { parseRfc3339 } from '@ws-gateway/core';
import type { RecordProducer, TopicReader } from '@ws-gateway/kafka-source';
import { InvalidArgumentError, type Command } from 'commander';
import { duration } from '../config/language/formats.js';
import type { Config } from '../config/config.js';
import { deadLetterView, type DeadLetter } from '../records/dead-letter.js';
import { DeadLetterArchive, type DeadLetterFilter } from '../records/dead-letter-archive.js';
import { DeadLetterReplay } from '../records/dead-letter-replay.js';
import { topicOf } from '../records/topic-decoding.js';
import { configOption, configured, flag, type ConfigFlags } from './configured.js';
import { failure, reasonOf } from './exit.js';
import { brokersOption, toolConnection } from './kafka.js';
import { print, printJson, styled } from './output.js';
import { aligned } from './table.js';
import { numberOption } from './topics.js';

interface DlqFlags extends ConfigFlags {
  readonly reason?: string;
  readonly topic?: string;
  readonly since?: number;
  readonly brokers?: string;
  readonly json?: true;
}

interface ShowFlags extends DlqFlags {
  readonly limit: number;
}

interface ReplayFlags extends DlqFlags {
  readonly dryRun?: true;
  readonly again?: true;
}

const reasonOption = ['--reason <reason>', 'only those of this reason, such as bad_member'] as const;
const topicOption = ['--topic <topic>', 'only those of this topic, by the name of the gateway or of Kafka'] as const;
const VALUE_LENGTH_MAX = 2000;

export function registerDlq(program: Command): void {
  const dlq = program
    .command('dlq')
    .description('dead letters: records that could not be used')
    .addHelpText('after', '\nExample:\n  $ ws-gateway dlq list -c config.yaml');
  withKafka(dlq.command('list').description('count them by topic and reason'))
    .addHelpText('after', '\nExample:\n  $ ws-gateway dlq list -c config.yaml --json')
    .action(list);
  withKafka(dlq.command('show').description('print the newest of them'))
    .option(...reasonOption)
    .option(...topicOption)
    .option('--limit <number>', 'how many', numberOption, 20)
    .addHelpText('after', '\nExample:\n  $ ws-gateway dlq show --reason bad_member --limit 5 -c config.yaml')
    .action(show);
  withKafka(dlq.command('replay').description('write them back to their topics; each once'))
    .option(...reasonOption)
    .option(...topicOption)
    .option('--since <time>', 'only those since a time (RFC 3339) or for so long (2h)', sinceOption)
    .option('--dry-run', 'count them only')
    .option('--again', 'also those that were replayed before')
    .addHelpText('after', '\nExample:\n  $ ws-gateway dlq replay --topic payments --since 2h --dry-run -c config.yaml')
    .action(replay);
}

function withKafka(command: Command): Command {
  return command
    .option(...brokersOption)
    .option(...configOption)
    .option('--json', 'as JSON');
}

async function list(flags: DlqFlags): Promise<void> {
  const rows = await withArchive(flags, async ({ archive }) => archive.count(await archive.bounds(), {}));
  if (flags.json) return printJson({ dead_letters: rows });
  if (rows.length === 0) return print('no dead letters');
  const cells = rows.map(({ topic, reason, count, oldest, newest }) => [topic, reason, String(count), oldest, newest]);
  const [head, ...lines] = aligned([['TOPIC', 'REASON', 'COUNT', 'OLDEST', 'NEWEST'], ...cells], (at) => at === 2);
  print(styled('bold', head!));
  for (const line of lines) print(line);
}

async function show(flags: ShowFlags): Promise<void> {
  const letters = await withArchive(flags, async ({ archive, filter }) =>
    archive.newest(await archive.bounds(), filter, flags.limit),
  );
  for (const letter of letters) {
    if (flags.json) printJson(deadLetterView(letter));
    else printLetter(letter);
  }
  if (letters.length === 0 && !flags.json) print('no dead letters');
}

function printLetter(letter: DeadLetter): void {
  const view = deadLetterView(letter);
  const { topic, partition, offset, reason, message, time, headers } = view;
  print(`${styled('bold', `${topic}/${partition}@${offset}`)}  ${time}  ${styled('red', reason)}: ${message}`);
  print(`  key      ${view.key ?? view.key_base64 ?? 'null'}`);
  for (const [name, text] of Object.entries(headers)) print(`  header   ${name}: ${text ?? 'null'}`);
  print(`  value    ${(view.value ?? view.value_base64 ?? 'null').slice(0, VALUE_LENGTH_MAX)}`);
}

async function replay(flags: ReplayFlags): Promise<void> {
  const replayed = await withArchive(flags, async ({ archive, reader, producer, filter, config }) => {
    const options = {
      filter,
      groupId: config.kafka.groupId,
      dryRun: flags.dryRun === true,
      again: flags.again === true,
    };
    return new DeadLetterReplay({ archive, reader, producer }, options).run();
  });
  const total = replayed.reduce((sum, { count }) => sum + count, 0);
  if (flags.json) return printJson({ dry_run: flags.dryRun === true, replayed: total, dead_letters: replayed });
  const verb = flags.dryRun ? 'would be replayed' : 'replayed';
  for (const { topic, reason, count } of replayed) print(`${topic}  ${reason}  ${count}`);
  print(`${total} ${verb}`);
}

interface Archive {
  readonly config: Config;
  readonly archive: DeadLetterArchive;
  readonly reader: TopicReader;
  readonly producer: RecordProducer;
  readonly filter: DeadLetterFilter;
}

async function withArchive<T>(flags: DlqFlags, work: (archive: Archive) => Promise<T>): Promise<T> {
  const config = configured(flags, 'tool', { 'kafka.bootstrapServers': flag('brokers', flags.brokers) });
  const { RecordProducer, TopicReader } = await import('@ws-gateway/kafka-source');
  const connection = await toolConnection(config);
  const [reader, producer] = [new TopicReader(connection), new RecordProducer(connection)];
  const archive = new DeadLetterArchive(reader, config.kafka.deadLetterTopic);
  const { reason, topic, since: sinceMs } = flags;
  const kafkaTopic = topic === undefined ? undefined : (topicOf(config, topic)?.kafkaTopic ?? topic);
  try {
    return await work({ config, archive, reader, producer, filter: { reason, topic: kafkaTopic, sinceMs } });
  } catch (error) {
    throw failure(`Kafka at ${config.kafka.brokers.join(',')}: ${reasonOf(error)}`, error);
  } finally {
    await Promise.all([reader.close(), producer.close()]);
  }
}

/** Reads `--since` as ms since the epoch. */
function sinceOption(text: string): number {
  const time = parseRfc3339(text);
  if (time !== null) return time;
  try {
    return Date.now() - duration().read(text);
  } catch {
    throw new InvalidArgumentError('It must be a time such as 2026-01-31T12:00:00Z, or a duration such as 2h.');
  }
}
