import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { memberText, type BackendRequest, type BackendSubscription } from '@ws-gateway/core';
import type { CommandEntry } from './command-entry.js';
import { compact, escapeLikeGo } from './json-text.js';
import { needsUser, sourceValue, valueAt } from './sources.js';

/**
 * Returns the subscription of a request, or null for a guest where the user is part of it. Its id is the MD5 of
 * `{"command":"","resource":…,"hash":"","where":…}` as Go's encoding/json writes it: producers compute the same id in
 * their own language, so every byte counts. MD5 protects nothing here; an id is never accepted from a client.
 */
export function subscriptionOf(
  { subscribe: resource, subscribeBy }: CommandEntry,
  request: BackendRequest,
): BackendSubscription | null {
  if (needsUser(subscribeBy) && request.user === null) return null;
  const isWritten = Object.keys(subscribeBy).length === 0;
  const whereJson = isWritten ? writtenWhere('where', request) : builtWhere(subscribeBy, request);
  const json = `{"command":"","resource":${JSON.stringify(resource)},"hash":"","where":${whereJson}}`;
  return { id: hash('md5', escapeLikeGo(json)), resource };
}

function builtWhere(sources: Readonly<Record<string, string>>, request: BackendRequest): string {
  const members = Object.entries(sources).map(([name, source]) => [name, sourceValue(source, request)]);
  return JSON.stringify(Object.fromEntries(members));
}

/**
 * Returns the member as the client wrote it. If the text given is not the text of these options, the options win: a
 * client must not get an id for something else than what its backend was asked.
 */
function writtenWhere(member: string, request: BackendRequest): string {
  const value = valueAt(request.options, member) ?? null;
  const text = memberText(request.optionsText, member);
  if (text === null || !isDeepStrictEqual(JSON.parse(text), value)) return JSON.stringify(value);
  return compact(text);
}
