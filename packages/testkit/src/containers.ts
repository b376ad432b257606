import { mkdir, chmod } from 'node:fs/promises';
import { freePort, type LocalServer } from '@ws-gateway/local-servers';

/** Kafka and Redis in containers, for machines where Docker can get the images. */

export interface ContainerOptions {
  readonly port?: number;
  /** Folder of this machine that keeps the data. Without it the data goes with the container. */
  readonly dataDir?: string;
}

/** Images of compose.yaml; the same variables change them. */
const KAFKA_IMAGE = process.env['KAFKA_IMAGE'] ?? 'apache/kafka:4.1.1';
const REDIS_IMAGE = process.env['REDIS_IMAGE'] ?? 'redis:7-bookworm';
const START_TIMEOUT_MS = 180_000;
const DATA = '/data';

// `stop` removes our containers. The library's own reaper would be one more image to fetch from a registry.
process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';

export async function startKafkaContainer(
  options: ContainerOptions & { readonly advertisedPort?: number },
): Promise<LocalServer> {
  const port = options.port ?? (await freePort());
  const environment = {
    CLUSTER_ID: 'MkU3OEVBNTcwNTJENDM2Qg',
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${options.advertisedPort ?? port}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAINTEXT',
    KAFKA_LOG_DIRS: `${DATA}/kafka-logs`,
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '3',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: '1000',
    KAFKA_BROKER_SESSION_TIMEOUT_MS: '3000',
    KAFKA_BROKER_HEARTBEAT_INTERVAL_MS: '500',
  };
  return start({ ...options, port, image: KAFKA_IMAGE, innerPort: 9092, environment, ready: /Kafka Server started/ });
}

export async function startRedisContainer(
  options: ContainerOptions & { readonly settings?: readonly string[] },
): Promise<LocalServer> {
  const port = options.port ?? (await freePort());
  const append = options.dataDir === undefined ? 'no' : 'yes';
  const command = ['redis-server', '--protected-mode', 'no', '--save', '', '--appendonly', append, '--dir', DATA];
  command.push(...(options.settings ?? []));
  return start({
    ...options,
    port,
    image: REDIS_IMAGE,
    innerPort: 6379,
    command,
    ready: /Ready to accept connections/,
  });
}

interface Recipe extends ContainerOptions {
  readonly image: string;
  readonly port: number;
  readonly innerPort: number;
  readonly command?: string[];
  readonly environment?: Record<string, string>;
  readonly ready: RegExp;
}

async function start(recipe: Recipe): Promise<LocalServer> {
  // The library is loaded where it is used: loading takes half a second, and most runs of single tests do without it.
  const { GenericContainer, Wait } = await import('testcontainers');
  // The host port is fixed, because Kafka has to know it before it starts, and because a restart must keep it.
  const container = new GenericContainer(recipe.image)
    .withExposedPorts({ container: recipe.innerPort, host: recipe.port })
    .withTmpFs(recipe.dataDir === undefined ? { [DATA]: 'rw,mode=777' } : {})
    .withEnvironment(recipe.environment ?? {})
    .withStartupTimeout(START_TIMEOUT_MS)
    .withWaitStrategy(Wait.forLogMessage(recipe.ready));
  if (recipe.command !== undefined) container.withCommand(recipe.command);
  if (recipe.dataDir !== undefined) {
    // The user of the image is another one than ours.
    await mkdir(recipe.dataDir, { recursive: true });
    await chmod(recipe.dataDir, 0o777);
    container.withBindMounts([{ source: recipe.dataDir, target: DATA }]);
  }
  const started = await container.start();
  let running = true;
  const end = async (timeout: number): Promise<void> => {
    if (!running) return;
    running = false;
    await started.stop({ timeout });
  };
  return {
    port: recipe.port,
    get running() {
      return running;
    },
    stop: () => end(10_000),
    // Docker sends SIGKILL when the time for SIGTERM is over.
    kill: () => end(0),
  };
}
