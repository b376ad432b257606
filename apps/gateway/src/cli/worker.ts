import { endByDefect } from '@ws-gateway/core';
import type { Command } from 'commander';
import { LiveConfig } from '../node/live-config.js';
import type { RunningGateway } from '../node/serve.js';
import { SupervisorLink } from '../workers/supervisor-link.js';
import { badUsage, exitCodes, reasonOf } from './exit.js';
import { complain, serveWithoutReader } from './output.js';
import { exitOnDefects, startGateway, stopped } from './serve.js';

/**
 * Registers the command of one process of `server.workers`. It is not for people: `serve` starts it and gives it its
 * configuration.
 */
export function registerWorker(program: Command): void {
  program.command('worker', { hidden: true }).action(worker);
}

async function worker(): Promise<void> {
  if (process.send === undefined) throw badUsage('worker is started by serve; set server.workers instead');
  const stopAsked = Promise.withResolvers<string>();
  const running = Promise.withResolvers<RunningGateway>();
  const link = new SupervisorLink({
    onStop: (reason) => stopAsked.resolve(reason),
    onReload: (tree) => {
      running.promise.then((gateway) => gateway.reload({ tree, findings: [] })).catch(endByDefect);
    },
    onError: (message, error) => complain(`${message}: ${reasonOf(error)}`),
  });
  // A terminal and systemd send them to all processes of the group, so the supervisor's word comes as well: no second
  // signal means impatience here. Sent to a worker alone it drains just this one.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) process.on(signal, () => stopAsked.resolve(signal));
  // It is for the supervisor, which tells all workers.
  process.on('SIGHUP', () => undefined);
  const { config, tree } = await link.started;
  await exitOnDefects(config);
  serveWithoutReader();
  const starting = startGateway(new LiveConfig(config, tree), (member) => link.join(member));
  // A start or stop that fails is reported by whoever waits for the gateway.
  void stopAsked.promise.then(async (reason) => (await starting).stop(reason)).catch(() => undefined);
  const gateway = await starting;
  running.resolve(gateway);
  link.listening();
  await stopped(gateway);
  process.exit(exitCodes.ok);
}
