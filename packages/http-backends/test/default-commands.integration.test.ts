import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BackendRequestStats } from '@ws-gateway/core';
import { defaultCommands } from '../src/default-commands.js';
import { createCommandTable, type CommandTable } from '../src/index.js';
import { BackendServer, clientRequest, codeOf } from './backend-server.js';
import { scheduleCommands } from './schedule-commands.js';

let backend: BackendServer;
let table: CommandTable;

beforeEach(async () => {
  backend = await new BackendServer().start();
  const http = (path: string) => ({ url: backend.url + path, timeoutMs: 5_000 });
  const options = {
    ...{ requestPoolSize: 10, requestQueueSize: 10 },
    http: {
      user: http('/api/me'),
      notification: http('/api/notifications'),
      scheduleMobile: http('/api/schedules?version=2'),
      tournamentMobile: http('/api/tournaments/'),
    },
  };
  table = createCommandTable({ ...defaultCommands, ...scheduleCommands }, options, new BackendRequestStats());
});

afterEach(async () => {
  await table.close();
  await backend.stop();
});

/** Runs one command and says what the backend was asked. */
async function asked(name: string, options: object | string): Promise<string> {
  const outcome = await table.execute(name, clientRequest(options));
  if (outcome.status !== 'ok') throw new Error(JSON.stringify(outcome));
  return `${backend.last?.method} ${backend.last?.url} ${backend.last?.body}`.trim();
}

describe('commands by default, and those of a product,', () => {
  it('getMyNotifications asks with limit, skip, sort and a type for each', async () => {
    const options = { params: { limit: 10, skip: 5, sort: '-createdAt' }, where: { types: ['a', 'b,c', 'd&e'] } };
    expect(await asked('getMyNotifications', options)).toBe(
      'GET /api/notifications?limit=10&skip=5&sort=-createdAt&type=a&type=b%2Cc&type=d%26e',
    );
    expect(await asked('getMyNotifications', { where: { types: [] } })).toBe('GET /api/notifications');
  });

  it('getMyNotificationsCount asks with types and status and answers the total only', async () => {
    backend.answer = (response) => response.end('{"total":7,"took":3}');
    const request = clientRequest({ where: { types: ['a'] }, status: 'unread' });
    expect(await table.execute('getMyNotificationsCount', request)).toEqual({ status: 'ok', payload: { total: 7 } });
    expect(backend.last?.url).toBe('/api/notifications?type=a&status=unread');
    backend.answer = (response) => response.end('7');
    expect(codeOf(await table.execute('getMyNotificationsCount', request))).toBe('backend_error');
  });

  it('updateNotifications puts ids and status', async () => {
    backend.answer = (response) => response.writeHead(204).end();
    expect(await asked('updateNotifications', { where: { notifications: ['n1', 'n2'] }, status: 'read' })).toBe(
      'PUT /api/notifications {"ids":["n1","n2"],"status":"read"}',
    );
    expect(backend.last?.headers['content-type']).toBe('application/json');
  });

  it('pass numbers on as the client wrote them', async () => {
    // As doubles they would be 12345678901234567000 and Infinity, which become another resource and no JSON at all.
    const where = '{"where":{"id":12345678901234567890}}';
    expect(await asked('getTournament', where)).toBe('GET /api/tournaments/12345678901234567890');
    const update = '{"where":{"notifications":[12345678901234567890]},"status":"read"}';
    expect(await asked('updateNotifications', update)).toMatch(/\{"ids":\[12345678901234567890\],"status":"read"\}$/);
    const schedules = '{"where":{"from":9007199254740993,"to":1.50,"timezone":"UTC"}}';
    expect(await asked('getSchedules', schedules)).toMatch(/from=9007199254740993&to=1.50&tz=UTC/);
    const small = '{"where":{"from":1.0,"to":1e2,"timezone":"UTC"}}';
    expect(await asked('getSchedules', small)).toMatch(/from=1.0&to=1e2&tz=UTC/);
  });

  it('getSchedules translates its names and repeats a parameter per item', async () => {
    const where = {
      ...{ from: 1700000000, to: 1800000000, timezone: 'Europe/Berlin', gameIds: ['g1', 'g2'] },
      ...{ substage: { tiers: [1, 2] }, tournament: { ids: ['t1'] } },
    };
    expect(await asked('getSchedules', { where })).toBe(
      'GET /api/schedules?version=2&from=1700000000&to=1800000000&tz=Europe%2FBerlin' +
        '&game_id=g1&game_id=g2&substage.tier=1&substage.tier=2&tournament.id=t1',
    );
  });

  it('getTournament adds the id to the URL as one segment', async () => {
    expect(await asked('getTournament', { where: { id: 't1' } })).toBe('GET /api/tournaments/t1');
    expect(await asked('getTournament', { where: { id: 42 } })).toBe('GET /api/tournaments/42');
    expect(await asked('getTournament', { where: { id: 'a/../b?c#d é%2e' } })).toBe(
      'GET /api/tournaments/a%2F..%2Fb%3Fc%23d%20%C3%A9%252e',
    );
    for (const id of ['.', '..', '', '\ud800', null, {}, ['t1'], true])
      expect(codeOf(await table.execute('getTournament', clientRequest({ where: { id } })))).toBe('bad_request');
  });

  it('authentication sends the token as it is, and is there only while its backend is configured', async () => {
    backend.answer = (response) => response.end('{"id":"u1"}');
    await asked('authentication', { authToken: 'raw.token.value', update: true });
    expect(backend.last).toMatchObject({ url: '/api/me', headers: { authorization: 'raw.token.value' } });
    await asked('authentication', { authToken: 'Bearer x' });
    expect(backend.last?.headers.authorization).toBe('Bearer x');
    for (const authToken of ['', 'a\r\nx: y', 'ä', 7])
      expect(codeOf(await table.execute('authentication', clientRequest({ authToken })))).toBe('bad_request');
    const without = createCommandTable(
      defaultCommands,
      { requestPoolSize: 1, requestQueueSize: 1, http: {} },
      new BackendRequestStats(),
    );
    expect(without.has('authentication', '/web')).toBe(false);
    expect(without.has('getMyNotifications', '/web')).toBe(true);
    await without.close();
  });

  it('forward Authorization as the client gave it, and none for a guest', async () => {
    const request = clientRequest({ where: { id: 't' } }, { authorization: 'Custom s3cret==' });
    await table.execute('getTournament', request);
    expect(backend.last?.headers.authorization).toBe('Custom s3cret==');
    await table.execute('getTournament', { ...request, authorization: '', user: null });
    expect(backend.last?.headers.authorization).toBeUndefined();
  });

  it('refuse options that lack something or have a wrong type, by the path of it, without asking anybody', async () => {
    const cases: [string, object, string][] = [
      ['getMyNotifications', {}, 'options.where.types is missing'],
      ['getMyNotifications', { where: {} }, 'options.where.types is missing'],
      ['getMyNotifications', { where: { types: 'a' } }, 'options.where.types must be a list'],
      ['getMyNotifications', { where: { types: [1] } }, 'options.where.types must be a list of at most 1000 texts'],
      ['getMyNotifications', { where: { types: [] }, params: { limit: -1 } }, 'options.params.limit must be a whole'],
      ['getMyNotificationsCount', { where: { types: [] }, status: 'x' }, 'options.status must be one of unseen|unread'],
      ['updateNotifications', { status: 'read' }, 'options.where.notifications is missing'],
      ['getSchedules', { where: { from: 1, to: 2 } }, 'options.where.timezone is missing'],
      ['getTournament', { where: [] }, 'options.where.id is missing'],
    ];
    for (const [name, options, message] of cases) {
      const outcome = await table.execute(name, clientRequest(options));
      const payload = { code: 'bad_request', message: expect.stringContaining(message) };
      expect(outcome).toEqual({ status: 'error', payload, mistake: payload.message });
      expect(table.subscriptionOf(name, clientRequest(options))).toBeNull();
    }
    expect(backend.seen).toHaveLength(0);
  });

  it('exist where the table says, and nowhere by what objects inherit', async () => {
    for (const name of ['getSchedules', 'getTournament']) {
      expect(table.has(name, '/mobile')).toBe(true);
      expect(table.has(name, '/web')).toBe(false);
      const request = clientRequest({ where: { id: 't' } }, { endpoint: '/web' });
      expect(codeOf(await table.execute(name, request))).toBe('unknown_command');
    }
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', '', 'getmynotifications']) {
      expect(table.has(name, '/web')).toBe(false);
      expect(table.subscriptionOf(name, clientRequest({}))).toBeNull();
      expect(codeOf(await table.execute(name, clientRequest({})))).toBe('unknown_command');
      expect(table.has('getMyNotifications', name)).toBe(false);
    }
    for (const options of ['{"where":{"__proto__":{"id":"t"}}}', '{"__proto__":{"where":{"id":"t"}}}'])
      expect(codeOf(await table.execute('getTournament', clientRequest(options)))).toBe('bad_request');
  });
});
