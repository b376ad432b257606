import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  fillOnce,
  pipInstall,
  runCommand,
  startLocalPostgres,
  startLocalSchemaRegistry,
} from '@ws-gateway/local-servers';
import { newDataDir } from './servers.js';

const cacheDir = fileURLToPath(new URL('../../../.cache', import.meta.url));

const TIMEOUT_MS = 120_000;

/** Serializers of a schema registry that are not ours. */
const SERIALIZERS = [
  'confluent-kafka[avro,protobuf,json,schemaregistry]==2.16.1',
  'protobuf==7.36.2',
  'grpcio-tools==1.85.1',
];

export interface SchemaRegistry {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a schema registry (Apicurio) that belongs to one test. */
export async function startSchemaRegistry(): Promise<SchemaRegistry> {
  const dataDir = newDataDir();
  const server = await startLocalSchemaRegistry({ dataDir, cacheDir, log: () => undefined });
  return {
    url: server.url,
    async stop() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export interface Postgres {
  /** The user is `postgres`; no password is needed. */
  readonly port: number;
  /** Folder with psql. */
  readonly programs: string;
  stop(): Promise<void>;
}

/** Starts a PostgreSQL that belongs to one test. */
export async function startPostgres(): Promise<Postgres> {
  const dataDir = newDataDir();
  const server = await startLocalPostgres({ dataDir, cacheDir, log: () => undefined });
  return {
    ...{ port: server.port, programs: server.programs },
    async stop() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Folder for programs that tests have to fetch. */
export const testCacheDir = cacheDir;

/** Runs a Python program with the registry's serializers. Rejects with what it says when it fails. */
export async function runPython(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(cacheDir, 'python-serializers-2.16.1');
  await fillOnce(folder, (unfinished) => pipInstall(unfinished, SERIALIZERS, 'pip cannot get the serializers'));
  const variables = Object.entries({ ...env, PYTHONPATH: folder }).map(([name, value]) => `${name}=${value}`);
  const { ok, output } = await runCommand('env', [...variables, 'python3', '-W', 'ignore', ...args], {
    timeoutMs: TIMEOUT_MS,
  });
  if (!ok) throw new Error(`python3 ${args.join(' ')}: ${output}`);
}
