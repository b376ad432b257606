import type { Socket } from 'node:net';
import type { Config } from '../config/config.js';
import { clientTls } from '../node/client-tls.js';
import { ANSWER_MS, ProbeError, reach } from './reach.js';

export interface RedisFacts {
  readonly version: string;
  /** `maxmemory-policy`; '' where the user may not ask. */
  readonly evictionPolicy: string;
  /** Milliseconds that the server's clock is ahead of ours. */
  readonly clockAheadMs: number;
}

/**
 * Connects to Redis as the engine would, logs in and asks a few things. In mode `sentinel` a Sentinel is asked, in mode
 * `cluster` the first node that answers. Rejects with ProbeError.
 */
export async function probeRedis(redis: Config['redis']): Promise<RedisFacts> {
  const isSentinel = redis.mode === 'sentinel';
  const { username, password } = isSentinel ? redis.sentinel : redis;
  const tls = redis.tls ? clientTls(redis.tlsFiles) : null;
  let failure: unknown;
  for (const address of isSentinel ? redis.sentinel.nodes : redis.addr) {
    try {
      const talk = new RedisTalk(address, await reach(address, tls));
      try {
        if (password !== '') await talk.ask('AUTH', ...(username === '' ? [password] : [username, password]));
        await talk.ask('PING');
        return await factsOf(talk);
      } finally {
        talk.end();
      }
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

async function factsOf(talk: RedisTalk): Promise<RedisFacts> {
  const info = await talk.ask('INFO').catch(() => '');
  const member = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const seconds = await talk.ask('TIME').catch(() => '');
  const [unixSeconds, micros] = seconds.split('\n').map(Number);
  const clockAheadMs = seconds === '' ? 0 : unixSeconds! * 1000 + micros! / 1000 - Date.now();
  return { version: member('redis_version'), evictionPolicy: member('maxmemory_policy'), clockAheadMs };
}

/** Asks one question at a time, in Redis' own protocol. */
class RedisTalk {
  readonly #address: string;
  readonly #socket: Socket;

  constructor(address: string, socket: Socket) {
    this.#address = address;
    this.#socket = socket;
  }

  /** Resolves to the answer as text, the members of a list one a line. Rejects with what the server refused. */
  async ask(...words: readonly string[]): Promise<string> {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    this.#socket.write(`*${words.length}\r\n${parts.join('')}`);
    const text = await this.#answer();
    if (text.startsWith('-')) throw new ProbeError(this.#address, text.slice(1).split('\r\n')[0]!);
    return textOf(text);
  }

  end(): void {
    this.#socket.destroy();
  }

  #answer(): Promise<string> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      const finish = (error: ProbeError | null, text = ''): void => {
        clearTimeout(timer);
        for (const event of ['data', 'close', 'error']) this.#socket.removeAllListeners(event);
        this.#socket.on('error', () => undefined);
        if (error === null) resolve(text);
        else reject(error);
      };
      const failed = (message: string): void => finish(new ProbeError(this.#address, message));
      const timer = setTimeout(() => failed(`no answer within ${ANSWER_MS} ms (ETIMEDOUT)`), ANSWER_MS);
      this.#socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        const text = Buffer.concat(chunks).toString('latin1');
        if (!/^[-+:$*]/.test(text)) failed("the answer is not Redis' protocol; is it a port with TLS?");
        else if (isComplete(text)) finish(null, text);
      });
      this.#socket.on('error', (error) => failed(error.message));
      this.#socket.on('close', () => failed('the server closed the connection; is it a port with TLS?'));
    });
  }
}

/**
 * Tells whether the text is a whole one of the answers that the questions above have: a line, a text, a list of texts.
 */
function isComplete(text: string): boolean {
  const head = text.indexOf('\r\n');
  if (head < 0) return false;
  if (text.startsWith('$')) return text.length >= head + 4 + Number(text.slice(1, head));
  if (text.startsWith('*')) return text.split('\r\n').length > 1 + 2 * Number(text.slice(1, head));
  return true;
}

function textOf(text: string): string {
  const lines = text.split('\r\n');
  if (text.startsWith('$')) return lines.slice(1).join('\n');
  if (text.startsWith('*'))
    return lines
      .slice(1)
      .filter((_, at) => at % 2 === 1)
      .join('\n');
  return lines[0]!.slice(1);
}
