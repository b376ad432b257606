import { Command, CommanderError } from 'commander';
import { registerBlock } from './block.js';
import { registerCompletion } from './completion.js';
import { registerConfig } from './config.js';
import { registerDev } from './dev.js';
import { registerDisconnect } from './disconnect.js';
import { registerDlq } from './dlq.js';
import { registerDoctor } from './doctor.js';
import { registerDrain } from './drain.js';
import { CliError, exitCodes } from './exit.js';
import { registerExplain } from './explain.js';
import { registerHealth } from './health.js';
import { registerListen } from './listen.js';
import { registerLoadtest } from './loadtest.js';
import { complain, endQuietlyWithoutReader, print } from './output.js';
import { registerProduce } from './produce.js';
import { registerPublish } from './publish.js';
import { registerRedis } from './redis.js';
import { registerRevoke } from './revoke.js';
import { registerServe } from './serve.js';
import { registerStatus } from './status.js';
import { registerToken } from './token.js';
import { registerTopics } from './topics.js';
import { registerTrace } from './trace.js';
import { registerUnblock } from './unblock.js';
import { versionText } from './version.js';
import { registerWorker } from './worker.js';

const EXAMPLES = `
Examples:
  $ ws-gateway dev
  $ JWT_SECRET=… ws-gateway serve -c config.yaml
  $ ws-gateway help topics`;

/** Runs one command and gives the exit code. A command that serves returns when it has stopped. */
export async function runCli(args: readonly string[]): Promise<number> {
  endQuietlyWithoutReader();
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    return report(error);
  }
}

export function createProgram(): Command {
  const root = new Command('ws-gateway')
    .description('Gateway from Kafka to WebSockets')
    .option('-V, --version', 'output the version and the commit')
    .on('option:version', () => {
      print(versionText());
      throw new CliError(exitCodes.ok, '');
    })
    // The commands that are made below inherit this.
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)')
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .addHelpText('after', EXAMPLES);
  for (const register of [
    registerServe,
    registerDev,
    registerToken,
    registerListen,
    registerProduce,
    registerPublish,
    registerExplain,
    registerDlq,
    registerTopics,
    registerStatus,
    registerTrace,
    registerBlock,
    registerUnblock,
    registerDisconnect,
    registerRevoke,
    registerDrain,
    registerRedis,
    registerLoadtest,
    registerConfig,
    registerDoctor,
    registerHealth,
    registerCompletion,
    registerWorker,
  ]) {
    register(root);
  }
  return root;
}

function report(error: unknown): number {
  // commander has said everything already, and says 1 where bad usage is 2.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof CliError) {
    if (error.message !== '') complain(error.message);
    return error.exitCode;
  }
  complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return exitCodes.failure;
}
