import type { LoadTestOptions, LoadTestResult, Percentiles } from '@ws-gateway/load-generator';
import type { Command } from 'commander';
import type { Config } from '../config/config.js';
import { configOption, configured, flag, type ConfigFlags } from './configured.js';
import { badUsage, CliError, exitCodes, failure, reasonOf } from './exit.js';
import { brokersOption, toolConnection } from './kafka.js';
import { urlArgument } from './listen.js';
import { note, print, printJson, styled } from './output.js';
import { ProgressBar } from './progress-bar.js';
import { aligned } from './table.js';
import { signToken } from './token.js';
import { numberOption } from './topics.js';

interface LoadTestFlags extends ConfigFlags {
  readonly topic: string;
  readonly users: number;
  readonly rate: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly workers: number;
  readonly brokers?: string;
  readonly json?: true;
}

const EXAMPLES = `
It signs tokens of users load-000000, load-000001, … with the configured secret, and speaks ws:// only. Processes of
its own hold the sockets; give it another machine than the gateway's when the figures matter.

Examples:
  $ JWT_SECRET=… ws-gateway loadtest -c config.yaml
  $ ws-gateway loadtest ws://edge-1:8080 ws://edge-2:8080 --users 5000 --rate 5000 --seconds 60 --json`;

export function registerLoadtest(program: Command): void {
  program
    .command('loadtest')
    .description('open sockets, produce records, count what was lost, doubled or out of order (then exit code 1)')
    .argument('[urls...]', 'nodes to spread the sockets over (default: this machine, with server.port)')
    .option('--topic <name>', 'the topic to use; one that keeps each message', 'notifications')
    .option('--users <number>', 'users, a socket each', numberOption, 100)
    .option('--rate <number>', 'records a second, over all users', numberOption, 100)
    .option('--seconds <number>', 'for so long', numberOption, 10)
    .option('--bytes <number>', 'size of a record', numberOption, 512)
    .option('--workers <number>', 'processes that hold the sockets', numberOption, 1)
    .option(...brokersOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"records","received","lost","duplicates","out_of_order","misdelivered",…}')
    .addHelpText('after', EXAMPLES)
    .action(loadtest);
}

async function loadtest(urls: readonly string[], flags: LoadTestFlags): Promise<void> {
  const config = configured(flags, 'tool', { 'kafka.bootstrapServers': flag('brokers', flags.brokers) });
  const targets = (urls.length > 0 ? urls : [`ws://localhost:${config.server.port}`]).map(target);
  const options = { ...(await loadOptions(config, flags)), targets };
  const { isFaultless, runLoadTest } = await import('@ws-gateway/load-generator');
  const bar = new ProgressBar(process.stderr);
  const result = await runLoadTest(options, (progress) => bar.show(progress))
    .catch((error: unknown) => {
      throw failure(reasonOf(error), error);
    })
    .finally(() => bar.end());
  report(result, flags);
  if (!isFaultless(result.verdict)) throw new CliError(exitCodes.failure, 'not every record arrived once and in order');
}

function target(text: string): { host: string; port: number } {
  const url = urlArgument(text);
  if (url.protocol !== 'ws:' || url.pathname !== '/ws') throw badUsage(`${text}: only ws:// and the endpoint /ws`);
  return { host: url.hostname, port: Number(url.port || 80) };
}

async function loadOptions(config: Config, flags: LoadTestFlags): Promise<Omit<LoadTestOptions, 'targets'>> {
  const { topic, users, rate, seconds, bytes, workers } = flags;
  const policy = config.topics.get(topic);
  if (policy === undefined || policy.format !== 'envelope' || policy.blocks || policy.retention?.mode === 'latest') {
    throw badUsage(`--topic: ${topic} is not a topic of the configuration that delivers each of its messages`);
  }
  const tokens = new Map<string, string>();
  const { userName } = await import('@ws-gateway/load-generator');
  // Tokens live longer than the run, so that none ends in it.
  const ttlMs = seconds * 2000 + 3_600_000;
  for (let n = 0; n < users; n++) {
    const user = userName(n);
    tokens.set(user, (await signToken(config.auth, { user, ttlMs })).token);
  }
  return {
    ...{ topic, users, rate, seconds, workers, recordBytes: bytes, kafkaTopic: policy.kafkaTopic },
    ...(await kafkaAccess(config, policy.kafkaTopic)),
    tokenOf: (user) => tokens.get(user)!,
  };
}

async function kafkaAccess(
  config: Config,
  kafkaTopic: string,
): Promise<Pick<LoadTestOptions, 'brokers' | 'tls' | 'sasl' | 'partitions'>> {
  const { checkTopics, saslOptions } = await import('@ws-gateway/kafka-source');
  const connection = await toolConnection(config);
  const { brokers, tls, sasl } = connection;
  const [found] = await checkTopics(connection, [kafkaTopic]).catch((error: unknown) => {
    throw failure(`Kafka at ${brokers.join(',')}: ${reasonOf(error)}`, error);
  });
  if (found?.exists !== true) throw failure(`Kafka has no topic ${kafkaTopic}; see: ws-gateway topics create`);
  return {
    brokers: brokers.join(','),
    partitions: found.partitions,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl) }),
  };
}

function report(
  { records, verdict, ended, reasons, acknowledged, delivered }: LoadTestResult,
  flags: LoadTestFlags,
): void {
  const { received, lost, duplicates, outOfOrder: out_of_order, misdelivered } = verdict;
  const counts = { records, received, lost, duplicates, out_of_order, misdelivered, ended };
  for (const reason of reasons) note(`ended: ${reason}`);
  if (flags.json) {
    const latency_ms = { acknowledged: rounded(acknowledged), delivered: rounded(delivered) };
    return printJson({ ...counts, users: flags.users, rate: flags.rate, seconds: flags.seconds, latency_ms });
  }
  const isNumber = (column: number): boolean => column > 0;
  const names = Object.keys(counts).map((name) => name.replaceAll('_', ' '));
  printTable(aligned([names, Object.values(counts).map(String)], () => true));
  print('');
  const rows = Object.entries({ 'acknowledged by Kafka': acknowledged, 'frame at the client': delivered });
  const cells = rows.map(([name, values]) => [
    name,
    ...Object.values(rounded(values)).map((value) => value.toFixed(1)),
  ]);
  printTable(aligned([['ms', ...Object.keys(rounded(delivered))], ...cells], isNumber));
}

function printTable([head, ...rows]: readonly string[]): void {
  print(styled('bold', head!));
  for (const row of rows) print(row);
}

function rounded({ p50, p90, p99, p999, max }: Percentiles): Readonly<Record<string, number>> {
  const values = Object.entries({ p50, p90, p99, p999, max });
  return Object.fromEntries(values.map(([name, value]) => [name, Math.round(value * 100) / 100]));
}
