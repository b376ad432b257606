import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { memberText, type BackendRequest, type BackendSubscription } from '@ws-gateway/core';
import type { SubscriptionSpec } from './command-spec.js';
import { compact, escapeLikeGo } from './json-text.js';
import { needsUser, sourceValue, valueAt } from './sources.js';

/**
 * The subscription of a request, or null for a guest where the user is part of it. Its id is the MD5 of
 * `{"command":"","resource":…,"hash":"","where":…}` as Go's encoding/json writes it: producers compute the same id in
 * their own language, so every byte counts. MD5 protects nothing here; an id is never accepted from a client.
 */
export function subscriptionOf(spec: SubscriptionSpec, request: BackendRequest): BackendSubscription | null {
  const { resource, where } = spec;
  if (typeof where !== 'string' && needsUser(where) && request.user === null) return null;
  const whereJson = typeof where === 'string' ? writtenWhere(where, request) : builtWhere(where, request);
  const json = `{"command":"","resource":${JSON.stringify(resource)},"hash":"","where":${whereJson}}`;
  return { id: hash('md5', escapeLikeGo(json)), resource };
}

function builtWhere(sources: Readonly<Record<string, string>>, request: BackendRequest): string {
  const members = Object.entries(sources).map(([name, source]) => [name, sourceValue(source, request)]);
  return JSON.stringify(Object.fromEntries(members));
}

/**
 * The member as the client wrote it. Should the text given not be the text of these options, the options win: a client
 * must not get an id for something else than what its backend was asked.
 */
function writtenWhere(member: string, request: BackendRequest): string {
  const value = valueAt(request.options, member) ?? null;
  const text = memberText(request.optionsText, member);
  if (text === null || !isDeepStrictEqual(JSON.parse(text), value)) return JSON.stringify(value);
  return compact(text);
}
