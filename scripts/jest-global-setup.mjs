/**
 * Starts one real Kafka and one real Redis for the whole run; the tests find them by WSGATEWAY_TEST_KAFKA and _REDIS.
 */
import './typescript-sources.mjs';

export default async function setUp() {
  const began = Date.now();
  const { startTestServers } = await import('../packages/testkit/src/servers.ts');
  const log = (line) => process.stderr.write(`${line}\n`);
  const servers = await startTestServers(log);
  log(`test servers: ${servers.brokers} ${servers.redisUrl} (${servers.how}, ${Date.now() - began} ms)`);
  globalThis.wsGatewayTestServers = servers;
}
