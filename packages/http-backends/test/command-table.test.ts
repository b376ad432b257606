import { describe, expect, it } from '@jest/globals';
import { BackendRequestStats } from '@ws-gateway/core';
import {
  commandSpecsOf,
  CommandTableError,
  createCommandTable,
  defaultCommands,
  type BackendsOptions,
  type CommandEntry,
  type CommandSpec,
} from '../src/index.js';

const spec: CommandSpec = { name: 'a', endpoints: ['/web'], backend: 'one' };

function problemOf(specs: readonly CommandSpec[], http: BackendsOptions['http'] = {}): string {
  try {
    createCommandTable(specs, { requestPoolSize: 1, requestQueueSize: 1, http }, new BackendRequestStats());
  } catch (error) {
    if (error instanceof CommandTableError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('a command table', () => {
  it('refuses what could never work, naming the key', () => {
    expect(problemOf(defaultCommands)).toBe('accepted');
    expect(problemOf([spec, spec])).toMatch(/^duplicate_command commands\.a/);
    expect(problemOf([{ ...spec, endpoints: [] }])).toMatch(/^bad_command commands\.a\.endpoints/);
    expect(problemOf([{ ...spec, backend: '' }])).toMatch(/^bad_command commands\.a\.backend/);
    for (const options of [{ type: 'nonsense' }, { typo: 1 }, { type: 'object', properties: 7 }])
      expect(problemOf([{ ...spec, options }])).toMatch(/^bad_command commands\.a\.options/);
    for (const url of ['nonsense', 'ftp://h/', 'localhost:80'])
      expect(problemOf([spec], { one: { url, timeoutMs: 1 } })).toMatch(/^bad_backend backends\.http\.one\.url/);
  });
});

describe('commands from the configuration', () => {
  const entry: CommandEntry = {
    ...{ endpoints: ['/web'], backend: '', method: 'GET', path: '', required: [], query: {}, body: {}, subscribe: '' },
  };

  it('change a default command and keep what the configuration has no key for', () => {
    const specs = commandSpecsOf({
      getMyNotifications: { ...entry, path: '/mine', query: { type: 'where.types' }, subscribe: 'notification' },
    });
    expect(specs).toHaveLength(defaultCommands.length);
    const base = defaultCommands.find(({ name }) => name === 'getMyNotifications');
    expect(specs.find(({ name }) => name === 'getMyNotifications')).toEqual({
      ...base,
      ...{ endpoints: ['/web'], method: 'GET', path: '/mine', required: [], query: { type: 'where.types' } },
    });
  });

  it('add commands, which may require options and subscribe to what the client asks for', () => {
    const specs = commandSpecsOf({
      getShop: { ...entry, backend: 'shop', required: ['where.id'], body: { id: 'where.id' }, subscribe: 'shop' },
    });
    const shop = specs.find(({ name }) => name === 'getShop');
    expect(shop).toMatchObject({
      backend: 'shop',
      body: { id: 'where.id' },
      subscription: { resource: 'shop', where: 'where' },
    });
    const http = { shop: { url: 'http://127.0.0.1:1/', timeoutMs: 1 } };
    const table = createCommandTable(
      specs,
      { requestPoolSize: 1, requestQueueSize: 1, http },
      new BackendRequestStats(),
    );
    const request = { endpoint: '/web', authorization: '', user: null };
    const where = { options: { where: { id: 1 } }, optionsText: '{"where":{"id":1}}' };
    expect(table.subscriptionOf('getShop', { ...request, ...where })?.resource).toBe('shop');
    expect(table.subscriptionOf('getShop', { ...request, options: {}, optionsText: '{}' })).toBeNull();
  });

  it('can end a subscription', () => {
    const specs = commandSpecsOf({ getMyNotifications: entry });
    expect(specs.find(({ name }) => name === 'getMyNotifications')).not.toHaveProperty('subscription');
  });
});
