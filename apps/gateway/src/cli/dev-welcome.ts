import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HowFound } from '@ws-gateway/local-servers';
import type { DevGateway } from './dev-gateway.js';
import { explainLines, produceLines } from './dev-examples.js';
import { styled } from './output.js';

const HOW: Readonly<Record<HowFound, string>> = {
  configured: 'as configured',
  running: 'was running already',
  docker: 'started in Docker',
  local: 'started here',
};

/** Text that says what to try, ready to be copied. */
export function welcome({ config, file, servers, gateway, user, token, topic }: DevGateway): string {
  const url = gateway.url;
  const program = programName();
  const brokers = config.kafka.brokers.join(',');
  const elsewhere = /^(localhost|127\.0\.0\.1):9092$/.test(brokers) ? '' : ` --brokers ${brokers}`;
  // What a topic is called in Kafka is in the file, so the line needs it to mean the same topic.
  const configured = file === null ? '' : ` -c ${shellWord(file)}`;
  const options = { program, user, brokers, flags: `${configured}${elsewhere}` };
  const listen =
    topic === null
      ? []
      : [
          `${program} listen '${url}' --topics ${topic.name} --token ${token}`,
          `npx wscat -c '${url}?topics=${topic.name}&token=${token}'`,
        ];
  const produce = topic === null || servers.kafka === null ? [] : produceLines(topic, options);
  const { kafka, redis } = servers;
  const lines = [
    '',
    `  ${styled(['bold', 'green'], 'ws-gateway is ready')}`,
    '',
    fact('URL', styled('bold', url)),
    fact(
      'Kafka',
      kafka === null ? styled('yellow', 'none: records cannot arrive') : `${kafka.brokers} (${HOW[kafka.how]})`,
    ),
    fact(
      'Redis',
      redis === null ? styled('yellow', 'none: one node, in memory') : `${new URL(redis.url).host} (${HOW[redis.how]})`,
    ),
    fact('Console', 'to look and to operate; signed in as the user below and as admin:'),
    '',
    styled('cyan', consoleUrl({ config, url, token, topic })),
    '',
    fact('User', `${user}, token valid for 24 h:`),
    '',
    token,
    '',
    ...example('Listen, in another terminal:', listen),
    ...example('Produce, in a third one:', produce),
    ...(kafka === null ? [] : example('See what the records of your topics become:', explainLines(config, options))),
    `  ${styled('dim', 'Ctrl-C stops this and everything that was started here.')}`,
    '',
  ];
  return lines.join('\n');
}

/**
 * Makes the address of the console. Tokens travel in the fragment, which browsers keep to themselves; the page takes
 * them out of the address.
 */
function consoleUrl({
  config,
  url,
  token,
  topic,
}: Pick<DevGateway, 'config' | 'token' | 'topic'> & { url: string }): string {
  const page = new URL('/', url.replace(/^ws/, 'http'));
  page.hash = new URLSearchParams({ token, topics: topic?.name ?? '', admin: config.admin.token }).toString();
  return page.href;
}

/** Commands are not indented: they are copied by whole lines. */
function example(title: string, commands: readonly string[]): string[] {
  if (commands.length === 0) return [];
  return [`  ${styled('bold', title)}`, '', ...commands.map((command) => styled('cyan', command)), ''];
}

function fact(name: string, value: string): string {
  return `  ${name.padEnd(7)} ${value}`;
}

/** Name of the program as it can be called from here. */
function programName(): string {
  const path = fileURLToPath(new URL('../../bin/ws-gateway', import.meta.url));
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near.includes('/') ? near : `./${near}`;
}

function shellWord(text: string): string {
  return /^[A-Za-z0-9._/-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\\''`)}'`;
}
