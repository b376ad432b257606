import { isObject, own } from '../../json.js';
import type { Position } from '../../streams.js';
import { RefusalError } from '../refusals.js';

/** A request of a client, as far as it could be read. */
export interface ClientRequest {
  /** Request id; null: a bare frame (`{"action":"enter",…}`), which is answered only when it fails. */
  readonly rid: number | null;
  readonly command: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export type ParsedRequest =
  | { readonly ok: true; readonly request: ClientRequest }
  | { readonly ok: false; readonly rid: number; readonly event: string; readonly message: string };

/** Levels of lists and objects within each other. Code that walks through a value by recursion relies on this bound. */
const NESTING_MAX = 100;

const TOO_DEEP = `at most ${NESTING_MAX} levels of nesting`;

const BARE_ACTIONS: ReadonlySet<unknown> = new Set(['enter', 'leave']);

/** Bytes of a surplus frame that are looked at. */
export const GLANCE_BYTES = 256;

const BEGINNING = /^\s*\{\s*"rid"\s*:\s*([1-9]\d{0,14})\s*,\s*"command"\s*:\s*"([A-Za-z0-9._-]{1,128})"/;

/** Number and command of a request that begins with them, without a look at the rest. */
export function glanceAt(beginning: string): { readonly rid: number | null; readonly command: string } {
  const match = BEGINNING.exec(beginning);
  return match === null ? { rid: null, command: '' } : { rid: Number(match[1]), command: match[2]! };
}

/** Parses a frame; never throws. When no usable rid can be read the answer goes to rid -1, event `error`. */
export function parseRequest(text: string): ParsedRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse(-1, 'error', 'the frame is not JSON');
  }
  if (!isObject(value)) return refuse(-1, 'error', 'a request is a JSON object');
  const action = own(value, 'action');
  // No shorter text can be deeper.
  const isTooDeep = text.length > 2 * NESTING_MAX && isDeeper(value, NESTING_MAX);
  if (BARE_ACTIONS.has(action) && own(value, 'rid') === undefined) {
    if (isTooDeep) return refuse(-1, 'error', TOO_DEEP);
    return { ok: true, request: { rid: null, command: action as string, options: value, text } };
  }
  const rid = own(value, 'rid');
  if (typeof rid !== 'number' || !Number.isSafeInteger(rid) || rid < 1) {
    return refuse(-1, 'error', 'rid: an integer from 1 to 2^53-1 is needed');
  }
  const command = own(value, 'command');
  if (typeof command !== 'string' || command === '') return refuse(rid, 'error', 'command: a text is needed');
  const options = own(value, 'options') ?? {};
  if (!isObject(options)) return refuse(rid, command, 'options: an object is needed');
  if (isTooDeep) return refuse(rid, command, TOO_DEEP);
  return { ok: true, request: { rid, command, options, text } };
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1));
}

function refuse(rid: number, event: string, message: string): ParsedRequest {
  return { ok: false, rid, event, message };
}

/**
 * Reads the members `epoch` and `offset` of a client's request; null when there is neither. Throws RefusalError
 * `bad_request`.
 */
export function positionOf(options: Readonly<Record<string, unknown>>): Position | null {
  const epoch = own(options, 'epoch');
  const offset = own(options, 'offset');
  if (epoch === undefined && offset === undefined) return null;
  if (typeof epoch !== 'string' || !/^[A-Za-z0-9]{1,32}$/.test(epoch)) {
    throw new RefusalError('bad_request', 'epoch: a text as the gateway gave it');
  }
  if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < 0) {
    throw new RefusalError('bad_request', 'offset: an integer from 0');
  }
  return { epoch, offset };
}
