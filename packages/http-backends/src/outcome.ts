import type { BackendOutcome } from '@ws-gateway/core';
import type { BackendAnswer } from './backend-caller.js';
import type { CommandEntry } from './command-entry.js';
import { isNestedDeeper, parseExact, scalarText } from './json-text.js';
import { valueAt } from './sources.js';

/** Codes of answers that are the gateway's own; a backend's own code passes through. */
export const outcomeCodes = [
  'unknown_command',
  'bad_request',
  'unavailable',
  'busy',
  'backend_timeout',
  'backend_error',
  'unauthorized',
  'forbidden',
] as const;

type OutcomeCode = (typeof outcomeCodes)[number];

export function refused(code: OutcomeCode, message: string): BackendOutcome {
  return { status: 'error', payload: { code, message } };
}

/** Makes the outcome of the client's mistake. */
export function mistaken(message: string): BackendOutcome {
  return { ...refused('bad_request', message), mistake: message };
}

/**
 * Levels of lists and objects within each other in an answer. Code that walks through a value by recursion relies on
 * this bound.
 */
const NESTING_MAX = 100;

/** 2xx is ok, 401 unauthorized, 403 forbidden, and everything else an error. */
export function outcomeOf(entry: CommandEntry, answer: BackendAnswer): BackendOutcome {
  const { status } = answer;
  const isOk = status >= 200 && status < 300;
  const isTooDeep = isNestedDeeper(answer.text, NESTING_MAX);
  if (isOk && isTooDeep)
    return refused('backend_error', `the answer of the backend is nested deeper than ${NESTING_MAX} levels`);
  const body = isTooDeep ? undefined : parsed(answer.text);
  if (isOk) {
    if (body === undefined) return refused('backend_error', 'the answer of the backend is not JSON');
    const outcome = hasMembers(entry.answer) ? selected(entry.answer, body) : { status: 'ok' as const, payload: body };
    const user = entry.user.map((path) => scalarText(valueAt(body, path))).find((id) => id !== null);
    return user === undefined ? outcome : { ...outcome, user };
  }
  const own = isErrorBody(body) ? body : null;
  const message = `the backend answered ${status}`;
  if (status === 401) return { status: 'unauthorized', payload: own ?? { code: 'unauthorized', message } };
  if (status === 403) return { status: 'forbidden', payload: own ?? { code: 'forbidden', message } };
  // A redirect is not followed and not an answer either, whatever its body says.
  return own !== null && status >= 400 ? { status: 'error', payload: own } : refused('backend_error', message);
}

function hasMembers(value: Readonly<Record<string, string>>): boolean {
  return Object.keys(value).length > 0;
}

/** Parses an answer; undefined: not JSON. No body at all is a null. */
function parsed(text: string): unknown {
  if (text.trim() === '') return null;
  try {
    return parseExact(text);
  } catch {
    return undefined;
  }
}

function isErrorBody(body: unknown): body is object {
  return valueAt(body, 'code') !== undefined && valueAt(body, 'message') !== undefined && !Array.isArray(body);
}

function selected(members: Readonly<Record<string, string>>, body: unknown): BackendOutcome {
  const payload: Record<string, unknown> = {};
  for (const [name, path] of Object.entries(members)) {
    const value = valueAt(body, path);
    if (value === undefined) return refused('backend_error', `the answer of the backend has no ${path}`);
    payload[name] = value;
  }
  return { status: 'ok', payload };
}
