import { describe, expect, it } from '@jest/globals';
import { BackendRequestStats } from '@ws-gateway/core';
import { defaultCommands } from '../src/default-commands.js';
import { CommandTableError, createCommandTable, type BackendsOptions, type CommandEntries } from '../src/index.js';
import { clientRequest, codeOf } from './backend-server.js';

const entry = { endpoints: ['/web'], backend: 'one' };

function tableOf(entries: CommandEntries, http: BackendsOptions['http'] = {}) {
  return createCommandTable(entries, { requestPoolSize: 1, requestQueueSize: 1, http }, new BackendRequestStats());
}

function problemOf(entries: CommandEntries, http: BackendsOptions['http'] = {}): string {
  try {
    tableOf(entries, http);
  } catch (error) {
    if (error instanceof CommandTableError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('a command table', () => {
  it('refuses what could never work, naming the key', () => {
    expect(problemOf(defaultCommands)).toBe('accepted');
    expect(problemOf({ a: { ...entry, endpoints: [] } })).toMatch(/^bad_command commands\.a\.endpoints/);
    expect(problemOf({ a: { ...entry, backend: '' } })).toMatch(/^bad_command commands\.a\.backend/);
    for (const type of ['nonsense', '', '|', 'a|', 'texts?'])
      expect(problemOf({ a: { ...entry, options: { 'where.id': type } } })).toMatch(
        /^bad_command commands\.a\.options\.where\.id: must be a type/,
      );
    for (const url of ['nonsense', 'ftp://h/', 'localhost:80'])
      expect(problemOf({ a: entry }, { one: { url, timeoutMs: 1 } })).toMatch(/^bad_backend backends\.http\.one\.url/);
  });

  it('subscribes to what the client asks for, unless an option that is required is missing', () => {
    const table = tableOf(
      { getShop: { ...entry, required: ['where.id'], body: { id: 'where.id' }, subscribe: 'shop' } },
      { one: { url: 'http://127.0.0.1:1/', timeoutMs: 1 } },
    );
    const request = { endpoint: '/web' };
    expect(table.subscriptionOf('getShop', clientRequest({ where: { id: 1 } }, request))?.resource).toBe('shop');
    expect(table.subscriptionOf('getShop', clientRequest({}, request))).toBeNull();
  });

  it.each<[string, readonly unknown[], readonly unknown[]]>([
    ['text', ['a', 'x'.repeat(256)], ['', 'x'.repeat(257), 1, null, ['a'], {}]],
    ['count', [0, 7], [-1, 1.5, '1', null, true]],
    ['scalar', ['', 'a', 1.5, -1], [null, true, ['a'], {}, 'x'.repeat(257)]],
    ['boolean', [true, false], ['true', 0, null]],
    ['credentials', ['Bearer abc', 'a'], ['', ' a', 'a\r\nb: c', 'ä', 1]],
    ['texts', [[], ['a']], ['a', [1], [''], Array(1001).fill('a')]],
    ['scalars', [[], ['a', 1]], [[null], [['a']], {}, 'a']],
    ['unread|read', ['unread', 'read'], ['', 'unread|read', 'Read', 1, null]],
  ])('takes options of type %s as it says, and refuses others as a bad request', async (type, good, bad) => {
    const table = tableOf({ ask: { ...entry, options: { 'where.x': type } } }, {});
    const outcome = async (x: unknown) => codeOf(await table.execute('ask', clientRequest({ where: { x } }, WEB)));
    // The backend is not configured, which is only looked at when the options are good.
    for (const value of good) expect([value, await outcome(value)]).toEqual([value, 'unavailable']);
    for (const value of bad) expect([value, await outcome(value)]).toEqual([value, 'bad_request']);
    expect(codeOf(await table.execute('ask', clientRequest({}, WEB)))).toBe('unavailable');
  });
});

const WEB = { endpoint: '/web' };
