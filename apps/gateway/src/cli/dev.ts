import type { LocalServers } from '@ws-gateway/local-servers';
import type { Command } from 'commander';
import { LiveConfig } from '../node/live-config.js';
import { configOption, checked, flag, type ConfigFlags } from './configured.js';
import type { DevGateway } from './dev-gateway.js';
import { devFolders, devConfig, findOptions } from './dev-setup.js';
import { welcome } from './dev-welcome.js';
import { badUsage, exitCodes, failure, reasonOf } from './exit.js';
import { note, print } from './output.js';
import { exitOnDefects, startStoppable } from './serve.js';
import { signToken, userOption } from './token.js';
import { exampleTopic } from './dev-examples.js';
import { createKafkaTopics } from './topics.js';

interface DevFlags extends ConfigFlags {
  readonly port?: string;
  readonly user: string;
  readonly demo?: true;
}

const TOKEN_TTL_MS = 24 * 3_600_000;

export function registerDev(program: Command): void {
  program
    .command('dev')
    .description('run everything on this machine: Kafka, Redis, topics, a gateway, a token, and what to try')
    .option(...configOption)
    .option('--port <number>', 'port of WebSockets and HTTP')
    .option('--user <id>', 'the user of the ready token', userOption, 'u1')
    .option('--demo', 'send one record through, show it, and stop')
    .addHelpText('after', '\nExamples:\n  $ ws-gateway dev\n  $ ws-gateway dev --demo')
    .action(dev);
}

async function dev(flags: DevFlags): Promise<void> {
  endWithStarter();
  const loaded = checked(flags, 'dev', { 'server.port': flag('port', flags.port) });
  const folders = devFolders();
  const { findOrStartServers } = await import('@ws-gateway/local-servers');
  const find = findOrStartServers({ ...findOptions(loaded), ...folders, log: note });
  const servers = await find.catch((error: unknown) => {
    throw failure(reasonOf(error), error);
  });
  try {
    const live = new LiveConfig(devConfig(loaded, servers, folders), loaded.tree);
    await withServers({ live, file: loaded.file }, servers, flags);
  } finally {
    await servers.stop();
  }
  process.exit(exitCodes.ok);
}

/**
 * `npm start` holds a channel to this process, which the kernel closes however `npm start` ends; a terminal that is closed
 * says SIGHUP. Either is one SIGTERM here: as long as nothing has been started it ends the process, then it stops the
 * gateway.
 */
function endWithStarter(): void {
  let asked = false;
  const terminate = (): void => {
    if (!asked) process.kill(process.pid, 'SIGTERM');
    asked = true;
  };
  process.on('disconnect', terminate);
  process.on('SIGHUP', terminate);
  if (process.send !== undefined && !process.connected) terminate();
}

async function withServers(
  { live, file }: { live: LiveConfig; file: string | null },
  servers: LocalServers,
  flags: DevFlags,
): Promise<void> {
  const { config } = live;
  for (const line of servers.missing) note(`missing: ${line}`);
  const { token } = await signToken(config.auth, { user: flags.user, ttlMs: TOKEN_TTL_MS });
  if (servers.kafka !== null) await createKafkaTopics(config);
  await exitOnDefects(config);
  const gateway = await startStoppable(live);
  const ready = { config, file, servers, gateway, user: flags.user, token, topic: exampleTopic(config) };
  if (flags.demo) await demo(ready);
  else print(welcome(ready));
  await gateway.stopped.catch((error: unknown) => {
    throw failure(reasonOf(error), error);
  });
}

async function demo(ready: DevGateway): Promise<void> {
  const { topic } = ready;
  if (topic?.format !== 'envelope') {
    await ready.gateway.stop('demo');
    throw badUsage('--demo writes records of format envelope, and no topic of the configuration has it');
  }
  const { demonstrate } = await import('./dev-demo.js');
  try {
    await demonstrate({ ...ready, topic });
  } finally {
    await ready.gateway.stop('demo');
  }
}
