import { EngineError } from '@ws-gateway/core';
import type { Command } from 'commander';
import type { Config } from '../config/config.js';
import type { Loaded } from '../config/load.js';
import type { LiveConfig } from '../node/live-config.js';
import { nodeName } from '../node/node-name.js';
import type { JoinWorkerGroup, RunningGateway } from '../node/serve.js';
import { checked, configOption, flag, read, type ConfigFlags } from './configured.js';
import { CliError, exitCodes, failure, reasonOf } from './exit.js';
import { complain, serveWithoutReader } from './output.js';

interface ServeFlags extends ConfigFlags {
  readonly role?: string;
  readonly engine?: string;
  readonly port?: string;
}

export function registerServe(program: Command): void {
  program
    .command('serve')
    .description(
      'run a gateway node, or as many as server.workers says, until SIGTERM or SIGINT; SIGHUP reads the configuration again',
    )
    .option(...configOption)
    .option('--role <role>', 'all, edge (sockets only) or router (Kafka only)')
    .option('--engine <engine>', 'redis, or memory for one node without Redis')
    .option('--port <number>', 'port of WebSockets and HTTP')
    .addHelpText('after', '\nExample:\n  $ JWT_SECRET=… ws-gateway serve -c config.yaml --port 8080')
    .action(async (flags: ServeFlags) => {
      // A reload that comes while the node starts must not end it.
      const reloads = new HeldReloads();
      const values = {
        role: flag('role', flags.role),
        engine: flag('engine', flags.engine),
        'server.port': flag('port', flags.port),
      };
      const { config, tree } = checked(flags, 'serve', values);
      await exitOnDefects(config);
      serveWithoutReader();
      const { LiveConfig } = await import('../node/live-config.js');
      const live = new LiveConfig(config, tree);
      const readAgain = (): Loaded => read(flags, 'serve', values);
      if (config.server.workers > 1) await supervise(live, { reloads, readAgain });
      else {
        const gateway = await startStoppable(live);
        reloads.release(() => gateway.reload(readAgain()));
        await stopped(gateway);
      }
      // A library's forgotten timer must not keep a node alive that has stopped.
      process.exit(exitCodes.ok);
    });
}

/** Takes SIGHUP from the beginning; what came before there is anything to reload is made up for then, once. */
class HeldReloads {
  #isWanted = false;
  #reload = (): void => void (this.#isWanted = true);

  constructor() {
    process.on('SIGHUP', () => this.#reload());
  }

  release(reload: () => void): void {
    this.#reload = reload;
    if (this.#isWanted) reload();
  }
}

/** Starts a gateway that the first signal stops gracefully, also one that arrives while it is starting. */
export async function startStoppable(live: LiveConfig): Promise<RunningGateway> {
  const starting = startGateway(live);
  // A start or stop that fails is reported by whoever waits for the gateway.
  onSignals((signal) => void starting.then((gateway) => gateway.stop(signal)).catch(() => undefined));
  return starting;
}

/** Starts the workers; this process does nothing else. */
async function supervise(
  live: LiveConfig,
  { reloads, readAgain }: { reloads: HeldReloads; readAgain: () => Loaded },
): Promise<void> {
  const { createLogging } = await import('../node/logging.js');
  const { Supervisor, WorkerStartError } = await import('../workers/supervisor.js');
  const { checkTokenKeys } = await import('../node/identities.js');
  const { logger, loki } = createLogging(live.config, nodeName());
  live.add({ reload: ({ logger: { level } }) => logger.setLevel(level) });
  if (live.config.role !== 'router') live.add({ check: checkTokenKeys, reload: () => undefined });
  const supervisor = new Supervisor(live, logger.child({ part: 'supervisor' }));
  reloads.release(() => supervisor.reload(readAgain()));
  onSignals(
    // Who waits for the end hears of a stop that fails.
    (signal) => void supervisor.stop(signal).catch(() => undefined),
    () => supervisor.kill(),
  );
  try {
    await supervisor.start();
  } catch (error) {
    // The worker has said what is wrong.
    if (error instanceof WorkerStartError) throw new CliError(error.exitCode, '', { cause: error });
    throw failure(`cannot start: ${reasonOf(error)}`, error);
  }
  const clean = await supervisor.stopped;
  await loki?.stop();
  // The worker has said why.
  if (supervisor.refused) throw new CliError(exitCodes.usage, '');
  if (!clean) throw failure('not all workers stopped in order');
}

/** Stops at a signal. Somebody who sends the same signal a second time does not want to wait. */
function onSignals(stop: (signal: NodeJS.Signals) => void, giveUp: () => void = () => undefined): void {
  const received = new Set<NodeJS.Signals>();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (received.has(signal)) {
      giveUp();
      process.exit(exitCodes.failure);
    }
    if (received.size === 0) stop(signal);
    received.add(signal);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) process.on(signal, onSignal);
}

/** Loads the program proper only here: `ws-gateway token` needs neither Kafka's client nor the uWebSockets.js addon. */
export async function startGateway(live: LiveConfig, join?: JoinWorkerGroup): Promise<RunningGateway> {
  const { serve } = await import('../node/serve.js');
  try {
    return await serve(live, join);
  } catch (error) {
    const finding = await configFinding(error);
    if (finding !== null) throw new CliError(exitCodes.usage, finding, { cause: error });
    throw failure(`cannot start: ${reasonOf(error)}`, error);
  }
}

/**
 * Names the key of a file that can be read but not used, which only the part that uses it finds. null: it is not the
 * fault of the configuration.
 */
async function configFinding(error: unknown): Promise<string | null> {
  const [{ AuthConfigError }, { TransportError }, { GrpcApiError }] = await Promise.all([
    import('@ws-gateway/jwt-auth'),
    import('@ws-gateway/uws-transport'),
    import('@ws-gateway/grpc-api'),
  ]);
  if (error instanceof AuthConfigError) return error.message;
  if (error instanceof TransportError && error.code === 'bad_certificate') return `server.tls: ${error.message}`;
  if (error instanceof GrpcApiError && error.code === 'bad_tls') return `grpc.tls: ${error.message}`;
  return null;
}

/**
 * Waits for the stop. Ends the process with 1 when the gateway did not stop in time, with 2 when its configuration is not
 * that of the other nodes: whoever starts it again would find the same.
 */
export async function stopped(gateway: RunningGateway): Promise<void> {
  try {
    await gateway.stopped;
  } catch (error) {
    complain(reasonOf(error));
    const isRefused = error instanceof EngineError && error.code === 'layout_mismatch';
    process.exit(isRefused ? exitCodes.usage : exitCodes.failure);
  }
}

/**
 * Ends the process at an exception that nobody expected: no invariant holds any more, and other nodes take over from
 * one that is gone.
 */
export async function exitOnDefects(config: Config): Promise<void> {
  const { createLogger } = await import('@ws-gateway/telemetry');
  const { level, format } = config.logger;
  const logger = createLogger({ level, format, tokenParams: config.auth.queryParams });
  const { logLibraryLines } = await import('../node/library-lines.js');
  logLibraryLines(logger);
  const die = (message: string) => (error: unknown) => {
    logger.error(message, { error });
    setImmediate(() => process.exit(exitCodes.failure));
  };
  process.on('uncaughtException', die('uncaught exception'));
  process.on('unhandledRejection', die('unhandled rejection'));
}
