import { fileURLToPath } from 'node:url';
import {
  freePort,
  signToken,
  startGateway,
  TEST_SECRET,
  testRedisUrl,
  uniqueName,
  type GatewayProcess,
} from '@ws-gateway/testkit';

const FOLDER = fileURLToPath(new URL('../../../../examples/', import.meta.url));

export type Env = Readonly<Record<string, string>>;

export function exampleFile(name: string): string {
  return `${FOLDER}${name}/config.yaml`;
}

/** Starts a node from an example's own file. The environment only adds what keeps one test from the other. */
export async function startExample(name: string, env: Env = {}): Promise<GatewayProcess> {
  const port = await freePort();
  return startGateway({
    file: exampleFile(name),
    port,
    env: {
      HTTP_PORT: String(port),
      JWT_SECRET: TEST_SECRET,
      WSGATEWAY_SERVER_HOST: '127.0.0.1',
      WSGATEWAY_SERVER_DRAIN_DURATION: '300ms',
      ...env,
    },
  });
}

/** Environment that makes several nodes one cluster. */
export function oneCluster(): Env {
  return {
    WSGATEWAY_ENGINE: 'redis',
    REDIS_URL: testRedisUrl(),
    WSGATEWAY_REDIS_KEY_PREFIX: uniqueName('example'),
  };
}

/** Environment with a Kafka that nothing listens for: a node that starts all the same needs none. */
export const NO_KAFKA: Env = { KAFKA_BROKERS: '127.0.0.1:1' };

export function token(user: string, claims: Readonly<Record<string, unknown>> = {}): string {
  return signToken({ sub: user, ...claims }, TEST_SECRET);
}

export async function stopAll(...nodes: GatewayProcess[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.stop()));
}

export async function metricsOf(node: GatewayProcess, path = '/metrics'): Promise<string> {
  return (await fetch(`${node.httpUrl}${path}`)).text();
}
