import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { startGateway, type Gateway, type GatewayOptions } from './gateway.js';
import { assertPinned } from './machine.js';
import { isCorrect, reportJson, reportText, type Report } from './report.js';
import { startServers, type Servers } from './servers.js';

/** Tools of a measurement. Everything that it starts is handed to `ends`, and ended in reverse order. */
export class LocalBench<O extends Readonly<Record<string, number>>> {
  readonly options: O;
  /** Folder for CPU profiles of what is measured. */
  readonly profile: { readonly profileDir?: string };
  readonly #started: { stop(): Promise<void> }[] = [];

  constructor(options: O, profileDir: string | undefined) {
    this.options = options;
    this.profile = profileDir === undefined ? {} : { profileDir };
  }

  log(line: string): void {
    console.error(line);
  }

  /** Ends the part when the measurement is over, however that happens. */
  ends<T extends { stop(): Promise<void> }>(part: T): T {
    this.#started.push(part);
    return part;
  }

  async end(): Promise<void> {
    for (const part of this.#started.splice(0).reverse()) await part.stop();
  }
}

/** A measurement with a Kafka and a Redis. */
export class Bench<O extends Readonly<Record<string, number>>> {
  readonly options: O;
  readonly servers: Servers;
  /** Unique prefix of topics, groups and keys: foreign servers are otherwise left as they were. */
  readonly id = `bench-${randomUUID().slice(0, 8)}`;
  readonly #local: LocalBench<O>;

  constructor(local: LocalBench<O>, servers: Servers) {
    this.options = local.options;
    this.servers = servers;
    this.#local = local;
  }

  log(line: string): void {
    this.#local.log(line);
  }

  /** See LocalBench. */
  ends<T extends { stop(): Promise<void> }>(part: T): T {
    return this.#local.ends(part);
  }

  async gateway(
    options: Pick<GatewayOptions, 'topics' | 'until' | 'engine' | 'history' | 'settings' | 'probe'> & {
      brokers?: string;
    },
  ): Promise<Gateway> {
    const { brokers, redisUrl } = this.servers;
    const own = { groupId: this.id, keyPrefix: this.id, redisUrl, brokers };
    return this.ends(await startGateway({ ...own, ...this.#local.profile, ...options }));
  }
}

/** Runs a measurement by its command line: an option for each of its numbers, `--json`, `--profile <folder>`. */
export async function runBench<O extends Readonly<Record<string, number>>>(
  name: string,
  defaults: O,
  measure: (bench: Bench<O>) => Promise<Report>,
): Promise<void> {
  await runLocalBench(name, defaults, async (local) => {
    local.log('starting Kafka and Redis');
    const servers = local.ends(await startServers((line) => local.log(line)));
    return measure(new Bench(local, servers));
  });
}

/** Runs a measurement that needs neither Kafka nor Redis. */
export async function runLocalBench<O extends Readonly<Record<string, number>>>(
  name: string,
  defaults: O,
  measure: (bench: LocalBench<O>) => Promise<Report>,
): Promise<void> {
  const { options, json, profile } = readOptions(defaults);
  assertPinned();
  const bench = new LocalBench(options, profile);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void bench.end().finally(() => process.exit(1)));
  }
  try {
    const report = await measure(bench);
    console.log((json ? reportJson : reportText)(name, options, report));
    process.exitCode = isCorrect(report) ? 0 : 1;
  } finally {
    await bench.end();
  }
}

function readOptions<O extends Readonly<Record<string, number>>>(
  defaults: O,
): { options: O; json: boolean; profile: string | undefined } {
  const names = Object.keys(defaults);
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
      json: { type: 'boolean' },
      profile: { type: 'string' },
    },
  });
  const given = values as Readonly<Record<string, string | boolean | undefined>>;
  const options = Object.fromEntries(names.map((name) => [name, Number(given[name] ?? defaults[name])])) as O;
  const wrong = names.filter((name) => !Number.isFinite(options[name]));
  if (wrong.length > 0) throw new Error(`not a number: ${wrong.map((name) => `--${name}`).join(', ')}`);
  return { options, json: given['json'] === true, profile: given['profile'] as string | undefined };
}
