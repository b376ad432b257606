import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalServersError } from './errors.js';
import { findJava, type Java } from './java.js';
import { kafkaJars } from './kafka-jars.js';
import { LOOPBACK, withFreePort, type LocalServer, type LocalServerOptions } from './local-server.js';
import { freePort } from './ports.js';
import { runCommand, startProgram, type CommandResult } from './program.js';

export interface KafkaServerOptions extends LocalServerOptions {
  /** Port that clients are told, by default the server's own. Another one leads them through a proxy. */
  readonly advertisedPort?: number;
  /** Listeners beside the plain one. */
  readonly listeners?: readonly KafkaListener[];
  /** More lines for server.properties. */
  readonly settings?: readonly string[];
  /** SCRAM users that are there from the beginning, as Kafka's format tool takes them. */
  readonly scramUsers?: readonly string[];
  /** System properties of the JVM. */
  readonly properties?: Readonly<Record<string, string>>;
}

export interface KafkaListener {
  /** Name in upper case. */
  readonly name: string;
  readonly port: number;
  /** Port that clients are told, by default the listener's own. Another one leads them through a proxy. */
  readonly advertisedPort?: number;
  readonly protocol: 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT';
}

const TOOL_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 60_000;
const GRACE_SECONDS = 15;

/**
 * These flags halve the time of a start: a serial collector, and only the first compiler. Nobody measures this broker.
 */
const JVM_FLAGS = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
const LOG_FLAGS = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
];

/** Starts a Kafka of one node (KRaft, broker and controller in one JVM of 512 MB) on the loopback interface. */
export async function startLocalKafka(options: KafkaServerOptions): Promise<LocalServer> {
  const java = await findJava();
  const jars = await kafkaJars(options.cacheDir, options.log);
  return withFreePort(options.port, (port) => {
    const { dataDir, advertisedPort = port, listeners = [], settings = [], scramUsers = [], properties = {} } = options;
    return startOn(port, { java, jars, dataDir, advertisedPort, listeners, settings, scramUsers, properties });
  });
}

/** Runs one of Kafka's own tools, which are classes with a `main`; resolves to what it says. */
export async function runKafkaTool(
  options: Pick<LocalServerOptions, 'cacheDir' | 'log'>,
  mainClass: string,
  args: readonly string[],
): Promise<string> {
  const java = await findJava();
  const jars = await kafkaJars(options.cacheDir, options.log);
  const { ok, output } = await runTool({ java, jars }, mainClass, args);
  if (!ok) throw new LocalServersError('start_failed', `${mainClass} failed: ${output.trim()}`);
  return output;
}

interface Installation extends Pick<KafkaServerOptions, 'dataDir'> {
  readonly java: Java;
  readonly jars: string;
  readonly advertisedPort: number;
  readonly listeners: readonly KafkaListener[];
  readonly settings: readonly string[];
  readonly scramUsers: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
}

async function startOn(port: number, installation: Installation): Promise<LocalServer> {
  const { java, jars, dataDir } = installation;
  const logDir = join(dataDir, 'log');
  const settings = join(dataDir, 'server.properties');
  await mkdir(logDir, { recursive: true });
  await writeFile(settings, properties({ ...installation, port, controllerPort: await freePort(), logDir }));
  if (!existsSync(join(logDir, 'meta.properties'))) await format(installation, settings);
  const archive = await classArchive(java, jars);
  const own = Object.entries(installation.properties).map(([name, value]) => `-D${name}=${value}`);
  const program = await startProgram({
    command: java.command,
    args: [
      ...JVM_FLAGS,
      archive.flag,
      '-Xmx512m',
      ...LOG_FLAGS,
      ...own,
      '-cp',
      join(jars, '*'),
      'kafka.Kafka',
      settings,
    ],
    logFile: join(dataDir, 'kafka.log'),
    ready: /Kafka Server started/,
    readyTimeoutMs: READY_TIMEOUT_MS,
    graceSeconds: GRACE_SECONDS,
  });
  return {
    port,
    get running() {
      return program.running;
    },
    kill: () => program.kill(),
    async stop() {
      await program.stop();
      await archive.keep();
    },
  };
}

async function format(installation: Installation, settings: string): Promise<void> {
  // The tool takes any text, but would take a leading hyphen for a flag.
  const clusterId = randomUUID().replaceAll('-', '').slice(0, 22);
  const args = ['format', '--ignore-formatted', '-t', clusterId, '-c', settings];
  for (const user of installation.scramUsers) args.push('--add-scram', user);
  const { ok, output } = await runTool(installation, 'kafka.tools.StorageTool', args);
  if (!ok) throw new LocalServersError('start_failed', `Kafka could not format its folder: ${output.trim()}`);
}

function runTool(
  { java, jars }: Pick<Installation, 'java' | 'jars'>,
  mainClass: string,
  args: readonly string[],
): Promise<CommandResult> {
  const all = [...JVM_FLAGS, ...LOG_FLAGS, '-cp', join(jars, '*'), mainClass, ...args];
  return runCommand(java.command, all, { timeoutMs: TOOL_TIMEOUT_MS });
}

interface ClassArchive {
  readonly flag: string;
  keep(): Promise<void>;
}

/**
 * Finds the class archive. The JVM can write its loaded classes to a file when it ends and map that file the next time:
 * a start then takes 1.1 s instead of 2.1 s. The first run pays 2.4 s at its end. The file fits one version of the JVM
 * only, so its name has the version (a JVM ignores one that does not fit).
 */
async function classArchive(java: Java, jars: string): Promise<ClassArchive> {
  const archive = join(jars, `classes-${java.version}.jsa`);
  if (existsSync(archive)) return { flag: `-XX:SharedArchiveFile=${archive}`, keep: async () => undefined };
  const unfinished = `${archive}.${randomUUID()}`;
  return {
    flag: `-XX:ArchiveClassesAtExit=${unfinished}`,
    async keep() {
      if (existsSync(unfinished) && !existsSync(archive)) await rename(unfinished, archive);
      await rm(unfinished, { force: true });
    },
  };
}

interface Settings extends Pick<Installation, 'advertisedPort' | 'listeners' | 'settings'> {
  readonly port: number;
  readonly controllerPort: number;
  readonly logDir: string;
}

/**
 * Writes server.properties. After a crash the controller keeps the broker out until its old session has run out: 9 s by
 * default, 3 s here. With a shorter session a busy machine would lose its broker for a moment.
 */
function properties({ port, advertisedPort, controllerPort, logDir, listeners, settings }: Settings): string {
  const own = listeners.map(({ name, port }) => `,${name}://${LOOPBACK}:${port}`).join('');
  const told = listeners
    .map(({ name, port, advertisedPort = port }) => `,${name}://${LOOPBACK}:${advertisedPort}`)
    .join('');
  const protocols = listeners.map(({ name, protocol }) => `,${name}:${protocol}`).join('');
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@${LOOPBACK}:${controllerPort}
listeners=PLAINTEXT://${LOOPBACK}:${port},CONTROLLER://${LOOPBACK}:${controllerPort}${own}
advertised.listeners=PLAINTEXT://${LOOPBACK}:${advertisedPort}${told}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=${logDir}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
${settings.join('\n')}
`;
}
