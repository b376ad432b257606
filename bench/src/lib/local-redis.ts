import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startLocalRedis } from '@ws-gateway/local-servers';
import { Redis } from 'ioredis';
import { GATEWAY_CORE, ROOT } from './machine.js';

const run = promisify(execFile);

/** What Redis did with its time since `reset`, by command. */
export interface CommandStat {
  readonly calls: number;
  readonly micros: number;
}

/** A Redis that is what is measured: a fresh one, alone on the core that is else the gateway's. */
export class MeasuredRedis {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly client: Redis;
  readonly #end: () => Promise<void>;

  private constructor(client: Redis, pid: number, end: () => Promise<void>) {
    const { host = '', port = 0 } = client.options;
    this.host = host;
    this.port = port;
    this.pid = pid;
    this.client = client;
    this.#end = end;
  }

  static async start(log: (line: string) => void): Promise<MeasuredRedis> {
    const dataDir = join(ROOT, '.data', `bench-${randomUUID()}`);
    const cacheDir = join(ROOT, '.cache');
    const server = await startLocalRedis({ dataDir, cacheDir, log, persist: false });
    const client = new Redis({ host: '127.0.0.1', port: server.port });
    const pid = Number(/^process_id:(\d+)/m.exec(await client.info('server'))?.[1]);
    await run('taskset', ['-a', '-p', '-c', String(GATEWAY_CORE), String(pid)]);
    return new MeasuredRedis(client, pid, async () => {
      client.disconnect();
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    });
  }

  async version(): Promise<string> {
    const info = await this.client.info('server');
    const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
    return valkey === undefined ? `Redis ${/^redis_version:(\S+)/m.exec(info)?.[1]}` : `Valkey ${valkey}`;
  }

  /** CPU time of the process so far, in µs. /proc counts in steps of 10 ms, this one in µs. */
  async cpuMicros(): Promise<number> {
    const info = await this.client.info('cpu');
    const seconds = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
    return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
  }

  async usedBytes(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await this.client.info('memory'))?.[1]);
  }

  async reset(): Promise<void> {
    await this.client.config('RESETSTAT');
  }

  async commands(): Promise<Map<string, CommandStat>> {
    const lines = (await this.client.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm);
    return new Map([...lines].map(([, name, calls, usec]) => [name!, { calls: Number(calls), micros: Number(usec) }]));
  }

  async stop(): Promise<void> {
    await this.#end();
  }
}
