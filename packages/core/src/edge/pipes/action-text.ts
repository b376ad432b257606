import { cutReason, type CloseReason } from '../../close-codes.js';
import { objectIn, own } from '../../json.js';
import { isUserId } from '../../names.js';
import { memberText } from '../../records/json/member-text.js';

/** Action that a backend asked for, as far as it could be read. */
export type PipeAction =
  | { readonly action: 'send'; readonly user: string; readonly frame: string }
  | { readonly action: 'close'; readonly user: string; readonly close: CloseReason }
  | BadAction;

export interface BadAction {
  readonly action: 'bad';
  readonly problem: string;
}

/** Error codes that a backend is told over its link. */
export const pipeErrorCodes = ['unknown_user', 'bad_action', 'unavailable'] as const;

export type PipeErrorCode = (typeof pipeErrorCodes)[number];

/** Parses an action; never throws. */
export function parsePipeAction(text: string, bytesMax: number): PipeAction {
  if (Buffer.byteLength(text) > bytesMax) return bad(`longer than ${bytesMax} bytes`);
  const value = objectIn(text);
  if (value === null) return bad('not a JSON object');
  const user = own(value, 'user');
  if (typeof user !== 'string' || !isUserId(user)) return bad('user: a user id is needed');
  const action = own(value, 'action');
  if (action === 'send') return readSend(text, user, own(value, 'message'));
  if (action === 'close') return readClose(user, own(value, 'code') ?? 1000, own(value, 'reason') ?? '');
  return bad('action: send or close');
}

/**
 * Text that tells the backend of an action that was not carried out: its own members as it wrote them, if they are
 * short.
 */
export function pipeErrorText(text: string, code: PipeErrorCode, message: string): string {
  const given = text.length <= ECHOED_LENGTH_MAX && objectIn(text) !== null ? text : '{}';
  const [user, action] = [memberText(given, 'user') ?? 'null', memberText(given, 'action') ?? 'null'];
  return `{"user":${user},"event":"error","action":${action},"code":"${code}","message":${JSON.stringify(message)}}`;
}

/** Length up to which an action is echoed in the error; every good action of the default size is. */
const ECHOED_LENGTH_MAX = 256 * 1024;

/** Text goes as text, anything else as the JSON that the backend wrote, byte for byte. */
function readSend(text: string, user: string, message: unknown): PipeAction {
  if (message === undefined) return bad('message: is missing');
  return { action: 'send', user, frame: typeof message === 'string' ? message : memberText(text, 'message')! };
}

function readClose(user: string, code: unknown, reason: unknown): PipeAction {
  if (!isCloseCode(code)) return bad('code: 1000 or 3000 to 4999');
  if (typeof reason !== 'string') return bad('reason: a text');
  return { action: 'close', user, close: { code, reason: cutReason(reason) } };
}

/** The others are the protocol's own, and some of them may not be sent at all. */
function isCloseCode(code: unknown): code is number {
  if (typeof code !== 'number' || !Number.isInteger(code)) return false;
  return code === 1000 || (code >= 3000 && code <= 4999);
}

function bad(problem: string): BadAction {
  return { action: 'bad', problem };
}
