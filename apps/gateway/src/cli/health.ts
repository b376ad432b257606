import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Command } from 'commander';
import { failure } from './exit.js';
import { print } from './output.js';
import { numberOption } from './topics.js';

interface HealthFlags {
  readonly pid: number;
}

const EXAMPLES = `
Examples:
  $ ws-gateway health                 # in a container: asks its main process
  $ ws-gateway health --pid 4711`;

export function registerHealth(program: Command): void {
  program
    .command('health')
    .description(
      'ask a gateway process of this machine for /health, wherever it listens; exit code 1 when it is not well',
    )
    .option('--pid <number>', 'process to ask, with all that it started', numberOption, 1)
    .addHelpText('after', EXAMPLES)
    .action(health);
}

const TIMEOUT_MS = 3000;
const LISTENING = '0A';

interface Listener {
  readonly host: string;
  readonly port: number;
}

/** The kernel knows where the process listens: no configuration has to be read, whichever it was started with. */
async function health({ pid }: HealthFlags): Promise<void> {
  const listeners = listenersOf(pid);
  if (listeners.length === 0) throw failure(`process ${pid}: listens nowhere, or belongs to another user`);
  const answer = await firstGood(listeners);
  if (answer?.status !== 200) {
    throw failure(
      `process ${pid}: ${answer === undefined ? 'no port answers GET /health' : `GET /health is answered ${answer.status}`}`,
    );
  }
  print(answer.body);
}

/**
 * The first answer that is 200, else any. A port that speaks something else, as gRPC's, may never answer, so nobody waits
 * for it once another one has.
 */
async function firstGood(listeners: readonly Listener[]): Promise<Answer | undefined> {
  const enough = new AbortController();
  const signal = AbortSignal.any([enough.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answers: Answer[] = [];
  const asked = listeners.flatMap((listener) => [ask('http', listener, signal), ask('https', listener, signal)]);
  await Promise.allSettled(
    asked.map(async (asking) => {
      const answer = await asking;
      answers.push(answer);
      if (answer.status === 200) enough.abort();
    }),
  );
  return answers.find(({ status }) => status === 200) ?? answers[0];
}

function listenersOf(pid: number): Listener[] {
  const processes = familyOf(pid);
  const sockets = new Set(processes.flatMap(socketsOf));
  const rows = ['tcp', 'tcp6'].flatMap((table) => linesOf(`/proc/${pid}/net/${table}`).slice(1));
  const found = rows.flatMap((row) => {
    const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/);
    return state === LISTENING && sockets.has(inode) ? [listenerAt(local)] : [];
  });
  return [...new Map(found.map((listener) => [`${listener.host} ${listener.port}`, listener])).values()];
}

/** The process and everything it started: workers, or the program behind a small init. */
function familyOf(pid: number): number[] {
  const children = linesOf(`/proc/${pid}/task/${pid}/children`).flatMap((line) => line.split(' ').filter(Boolean));
  return [pid, ...children.flatMap((child) => familyOf(Number(child)))];
}

/** Inodes of the sockets that the process holds. */
function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        // It was closed meanwhile.
        return [];
      }
    });
  } catch {
    // It has ended, or is somebody else's.
    return [];
  }
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

/** `0100007F:1F90`: the bytes of the address are in the machine's order, four at a time. */
function listenerAt(local: string): Listener {
  const [address = '', port = ''] = local.split(':');
  const bytes = address.match(/.{8}/g)!.flatMap((word) => word.match(/../g)!.reverse());
  return { host: /^0+$/.test(address) ? '127.0.0.1' : hostOf(bytes), port: parseInt(port, 16) };
}

function hostOf(bytes: readonly string[]): string {
  if (bytes.length === 4) return bytes.map((byte) => parseInt(byte, 16)).join('.');
  return bytes.join('').match(/.{4}/g)!.join(':');
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Certificates name a host, and this asks by address, so it does not look at them. */
function ask(scheme: 'http' | 'https', { host, port }: Listener, signal: AbortSignal): Promise<Answer> {
  const request = scheme === 'http' ? requestHttp : requestHttps;
  return new Promise((resolve, reject) => {
    const options = { host, port, path: '/health', agent: false, rejectUnauthorized: false, signal };
    const asked = request(options, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => {
        const isOurs = body.includes('"client_count"') || response.statusCode !== 404;
        if (isOurs) resolve({ status: response.statusCode ?? 0, body });
        else reject(new Error('no health here'));
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}
