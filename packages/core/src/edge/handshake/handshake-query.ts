import { isName, isUserId } from '../../names.js';
import type { Position } from '../../streams.js';
import { RefusalError } from '../refusals.js';

/** Content of a handshake's query. An empty parameter counts as absent. */
export interface HandshakeQuery {
  readonly token: string | null;
  /** Names of topics without repetitions, in the order given. */
  readonly topics: readonly string[];
  /** Keys by topic, of those topics only: at least one, each once. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
  /** Positions by stream name, or by bare topic name for the user's own stream of it. */
  readonly recover: ReadonlyMap<string, Position>;
}

/**
 * Matches the shortest text that is followed by `:<epoch>:<offset>` and a comma or the end: user ids in stream names
 * may hold colons and commas themselves.
 */
const POSITION = /([\s\S]+?):([A-Za-z0-9]{1,32}):(\d{1,16})(?:,|$)/gy;

export function parseHandshakeQuery(query: string, tokenParameters: readonly string[]): HandshakeQuery {
  const parameters = decode(query);
  let token: string | null = null;
  for (const name of tokenParameters) token ??= parameters.get(name)?.[0] ?? null;
  const list = (name: string): string => parameters.get(name)?.join(',') ?? '';
  const topics = parseTopics(list('topics'));
  return { token, topics, keys: parseKeys(parameters, topics), recover: parseRecover(list('recover')) };
}

/**
 * Decodes the non-empty values of each name. Unlike URLSearchParams it refuses a broken percent-encoding instead of
 * guessing.
 */
function decode(query: string): Map<string, string[]> {
  const parameters = new Map<string, string[]>();
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodePart(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decodePart(pair.slice(equals + 1));
    if (value === '') continue;
    const values = parameters.get(name);
    if (values === undefined) parameters.set(name, [value]);
    else values.push(value);
  }
  return parameters;
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new RefusalError('bad_request', 'the query is not valid percent-encoding');
  }
}

function parseTopics(list: string): string[] {
  const topics = new Set<string>();
  for (const part of list.split(',')) {
    const name = part.trim();
    if (name === '') continue;
    if (!isName(name)) {
      throw new RefusalError('bad_request', 'topics: a name is 1 to 128 characters of A-Z a-z 0-9 . _ -');
    }
    topics.add(name);
  }
  return [...topics];
}

/**
 * Reads `keys.<topic>`, whose commas part keys however they are encoded, and `key.<topic>`, which is one key, commas and
 * all.
 */
function parseKeys(parameters: ReadonlyMap<string, readonly string[]>, topics: readonly string[]) {
  const keys = new Map<string, readonly string[]>();
  for (const [name, values] of parameters) {
    const [, form, topic = ''] = /^(keys?)\.(.*)$/s.exec(name) ?? [];
    if (form === undefined) continue;
    if (!topics.includes(topic)) throw new RefusalError('bad_request', `${form}.<topic>: the topic is not in topics`);
    const named = form === 'key' ? values : values.flatMap((value) => value.split(',').filter((key) => key !== ''));
    if (!named.every(isUserId)) throw new RefusalError('bad_request', 'keys: a key is 1 to 128 characters of text');
    const known = keys.get(topic) ?? [];
    if (known.length + named.length > 0) keys.set(topic, [...new Set([...known, ...named])]);
  }
  return keys;
}

function parseRecover(list: string): Map<string, Position> {
  const positions = new Map<string, Position>();
  POSITION.lastIndex = 0;
  while (POSITION.lastIndex < list.length) {
    const match = POSITION.exec(list);
    if (match === null) throw badRecover();
    const offset = Number(match[3]);
    if (!Number.isSafeInteger(offset)) throw badRecover();
    positions.set(match[1]!, { epoch: match[2]!, offset });
  }
  return positions;
}

function badRecover(): RefusalError {
  return new RefusalError('bad_request', 'recover: expected <stream>:<epoch>:<offset>[,…]');
}
