import type { Command } from 'commander';
import { configOption, configured, flag, type ConfigFlags } from './configured.js';
import { failure, reasonOf } from './exit.js';
import { print, printJson } from './output.js';

interface ForgetFlags extends ConfigFlags {
  readonly json?: boolean;
  readonly redis?: string;
}

const GROUP_EXAMPLES = `
Example:
  $ ws-gateway redis forget-layout -c config.yaml`;

const EXAMPLES = `
Example:
  $ ws-gateway redis forget-layout -c config.yaml
All nodes must be down. Needed when redis.partitions or redis.partitioner changes, or when a release says that it writes its keys differently. Nodes that start then
begin with empty histories and no presence; clients are told (recovered: false). Blocks and revocations are kept.
The Redis user needs SCAN for it, which the gateway does not.`;

export function registerRedis(program: Command): void {
  const group = program.command('redis').description('work on the keys in Redis').addHelpText('after', GROUP_EXAMPLES);
  group
    .command('forget-layout')
    .description('delete the keys of an installation that is down, so that nodes with another layout can start')
    .option(...configOption)
    .option('--redis <address>', 'address of Redis, host:port')
    .option('--json', 'as JSON: {"deleted","kept"}')
    .addHelpText('after', EXAMPLES)
    .action(forget);
}

async function forget(flags: ForgetFlags): Promise<void> {
  const config = configured(flags, 'tool', { 'redis.addr': flag('redis', flags.redis) });
  const [{ forgetLayout }, { redisServer }] = await Promise.all([
    import('@ws-gateway/redis-engine'),
    import('../node/engines.js'),
  ]);
  const { keyPrefix, partitions, partitioner } = config.redis;
  const options = { server: redisServer(config.redis), keyPrefix, partitioning: { partitions, partitioner } };
  const result = await forgetLayout(options).catch((error: unknown) => {
    throw failure(`redis: ${reasonOf(error)}`, error);
  });
  if ('running' in result) throw failure(`stop these nodes first: ${result.running.join(', ')}`);
  if (flags.json) printJson(result);
  else print(`${result.deleted} keys deleted, ${result.kept} blocks and revocations kept`);
}
