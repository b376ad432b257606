import { connect, type Socket } from 'node:net';

/** Asks a port what it speaks, with the few bytes that takes, so that no client library has to be loaded for it. */

export interface Address {
  readonly host: string;
  readonly port: number;
}

const PROBE_TIMEOUT_MS = 2_000;

export function parseAddress(text: string, defaultPort: number): Address {
  const match = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(text.trim());
  return { host: match?.[1] || 'localhost', port: Number(match?.[2] ?? defaultPort) };
}

/** Tells whether something accepts connections there. */
export async function accepts(address: Address, timeoutMs = PROBE_TIMEOUT_MS): Promise<boolean> {
  return (await ask(address, { request: null, complete: () => true, timeoutMs })) !== null;
}

const API_VERSIONS = 18;
const CORRELATION_ID = 0x77_73_67_77;

/** Tells whether it answers an ApiVersions request: then it is a broker, whatever authentication it wants later. */
export async function speaksKafka(address: Address, timeoutMs = PROBE_TIMEOUT_MS): Promise<boolean> {
  const clientId = Buffer.from('ws-gateway');
  const body = Buffer.alloc(10);
  body.writeInt16BE(API_VERSIONS, 0);
  body.writeInt16BE(0, 2);
  body.writeInt32BE(CORRELATION_ID, 4);
  body.writeInt16BE(clientId.length, 8);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + clientId.length, 0);
  const answer = await ask(address, {
    request: Buffer.concat([length, body, clientId]),
    complete: (bytes) => bytes.length >= 8,
    timeoutMs,
  });
  return answer !== null && answer.length >= 8 && answer.readInt32BE(4) === CORRELATION_ID;
}

export type RedisAnswer =
  | { readonly status: 'ok'; readonly version: string }
  | { readonly status: 'refuses'; readonly message: string }
  | { readonly status: 'silent' };

export interface RedisCredentials {
  readonly username?: string;
  readonly password?: string;
}

/** Sends PING and INFO, after AUTH when there is a password. */
export async function askRedis(
  address: Address,
  credentials: RedisCredentials = {},
  timeoutMs = PROBE_TIMEOUT_MS,
): Promise<RedisAnswer> {
  const commands = [['PING'], ['INFO', 'server']];
  const { username, password } = credentials;
  if (password) commands.unshift(username ? ['AUTH', username, password] : ['AUTH', password]);
  const request = Buffer.from(commands.map(encodeCommand).join(''));
  const answer = await ask(address, { request, complete: redisAnswered, timeoutMs });
  const text = answer?.toString() ?? '';
  const version = /redis_version:(\S+)/.exec(text)?.[1];
  if (version !== undefined && text.includes('+PONG')) return { status: 'ok', version };
  const refusal = /^-(.*)/m.exec(text)?.[1]?.trim();
  return refusal === undefined ? { status: 'silent' } : { status: 'refuses', message: refusal };
}

function encodeCommand(words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

function redisAnswered(bytes: Buffer): boolean {
  const text = bytes.toString();
  return text.startsWith('-') || /redis_version:\S+\r\n/.test(text) || /\r\n-/.test(text);
}

interface Question {
  readonly request: Buffer | null;
  readonly complete: (answer: Buffer) => boolean;
  readonly timeoutMs: number;
}

/**
 * Sends a question and resolves with the answer; null: no connection. A connection that ends or stays silent gives what
 * came until then.
 */
function ask(address: Address, question: Question): Promise<Buffer | null> {
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    let connected = false;
    const socket: Socket = connect({ ...address, timeout: question.timeoutMs });
    const finish = (): void => {
      clearTimeout(deadline);
      socket.destroy();
      resolve(connected ? answer : null);
    };
    // The timeout of the socket counts idleness only, and a server that drips bytes must not hold us.
    const deadline = setTimeout(finish, question.timeoutMs);
    socket.once('connect', () => {
      connected = true;
      if (question.request === null) finish();
      else socket.write(question.request);
    });
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (question.complete(answer)) finish();
    });
    socket.once('timeout', finish);
    socket.once('error', finish);
    socket.once('close', finish);
  });
}
