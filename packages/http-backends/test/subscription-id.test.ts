import { afterAll, describe, expect, it } from '@jest/globals';
import { BackendRequestStats } from '@ws-gateway/core';
import { defaultCommands } from '../src/default-commands.js';
import { createCommandTable } from '../src/index.js';
import { clientRequest } from './backend-server.js';
import { scheduleCommands } from './schedule-commands.js';

const url = { url: 'http://127.0.0.1:1/', timeoutMs: 1 };
const options = { requestPoolSize: 1, requestQueueSize: 1, http: { notification: url, scheduleMobile: url } };
const table = createCommandTable({ ...defaultCommands, ...scheduleCommands }, options, new BackendRequestStats());
afterAll(() => table.close());

function notificationId(types: readonly string[], user = 'u1'): string | undefined {
  return table.subscriptionOf('getMyNotifications', clientRequest({ where: { types } }, { user }))?.id;
}

function scheduleId(optionsText: string): string | undefined {
  return table.subscriptionOf('getSchedules', clientRequest(optionsText))?.id;
}

/** The digests were computed by Python's hashlib over the bytes that are shown. */
describe('subscription ids', () => {
  it('of notifications are the MD5 of command, resource, hash and where', () => {
    // {"command":"","resource":"notification","hash":"","where":{"userId":"u1","types":["a"]}}
    expect(notificationId(['a'])).toBe('5c957037ff229c24e26668f30e7c3502');
    expect(table.subscriptionOf('getMyNotifications', clientRequest({ where: { types: ['a'] } }))).toEqual({
      id: '5c957037ff229c24e26668f30e7c3502',
      resource: 'notification',
    });
  });

  it('escape what Go escapes, and leave other characters in UTF-8', () => {
    // …"where":{"userId":"u1","types":["a\u003cb\u003e\u0026c","\u2028\u2029","jörg \"q\""]}}
    expect(notificationId(['a<b>&c', '\u2028\u2029', 'jörg "q"'])).toBe('2c7279ff6f8b5e6fb08081f0b876111c');
    // …"where":{"userId":"jörg 😀","types":[]}}
    expect(notificationId([], 'jörg 😀')).toBe('5211f2ec661e80db53b7ea44128fca60');
  });

  it('do not depend on how the client wrote the options of notifications', () => {
    const spaced = ' { "params" : {"limit": 1}, "where" : { "extra" : 1, "types" : [ "\\u0061" ] } } ';
    expect(table.subscriptionOf('getMyNotifications', clientRequest(spaced))?.id).toBe(
      '5c957037ff229c24e26668f30e7c3502',
    );
    expect(notificationId(['a'], 'u2')).not.toBe('5c957037ff229c24e26668f30e7c3502');
  });

  it('of schedules take the bytes of where, in its order, without white space', () => {
    // …"where":{"to":1800000000,"from":1700000000,"timezone":"Europe/Berlin"}}
    const where = '{"to":1800000000,"from":1700000000,"timezone":"Europe/Berlin"}';
    expect(scheduleId(`{"where":${where}}`)).toBe('e7e3f9ee34970dd622011e3bb9a7d8fb');
    expect(scheduleId(`\n{ "x" : [1, {"where": 2}], "where"\t:\r\n${where.replaceAll(/([:,{}])/g, ' $1\n')} }`)).toBe(
      'e7e3f9ee34970dd622011e3bb9a7d8fb',
    );
    expect(scheduleId('{"where":{"from":1700000000,"to":1800000000,"timezone":"Europe/Berlin"}}')).not.toBe(
      'e7e3f9ee34970dd622011e3bb9a7d8fb',
    );
  });

  it('of schedules keep numbers, escapes, spaces in text and members that look like indexes as they came', () => {
    // …"where":{"timezone":"A B","from":1.0,"to":1e3,"gameIds":["g\u0031","a, b : {c}"],"substage":{"tiers":[1,2]},"10":1,"2":2}}
    const where =
      '{"timezone":"A B", "from":1.0, "to": 1e3,"gameIds":["g\\u0031", "a, b : {c}"],"substage":{"tiers": [1,2]},"10":1,"2":2}';
    expect(scheduleId(`{"where":${where}}`)).toBe('16db80926dcc5d150b04b80ba03d8156');
    // …"where":{"from":1,"to":2,"timezone":"\u003c\u0026\u003e"}}
    expect(scheduleId('{"where":{"from":1,"to":2,"timezone":"<&>"}}')).toBe('2bbaa00936cf187eddbcfa44af9e48cf');
  });

  it('of schedules belong to the where that the backend is asked for, whatever text comes along', () => {
    const where = '{"to":1800000000,"from":1700000000,"timezone":"Europe/Berlin"}';
    const other = '{"from":1,"to":2,"timezone":"X"}';
    expect(scheduleId(`{"where":${other},"where":${where}}`)).toBe('e7e3f9ee34970dd622011e3bb9a7d8fb');
    expect(scheduleId(`{"where":${other},"wh\\u0065re":${where}}`)).toBe('e7e3f9ee34970dd622011e3bb9a7d8fb');
    const request = clientRequest(`{"where":${where}}`);
    for (const optionsText of [`{"where":${other},"options":{"where":${where}}}`, '{}', `{"a":{"where":${other}}}`])
      expect(table.subscriptionOf('getSchedules', { ...request, optionsText })?.id).toBe(
        'e7e3f9ee34970dd622011e3bb9a7d8fb',
      );
  });

  it('are not made for guests where the user is part, for other commands or for backends that are not there', () => {
    const options = { where: { types: ['a'] } };
    expect(table.subscriptionOf('getMyNotifications', clientRequest(options, { user: null }))).toBeNull();
    expect(table.subscriptionOf('getMyNotificationsCount', clientRequest({ ...options, status: 'read' }))).toBeNull();
    const schedule = clientRequest('{"where":{"from":1,"to":2,"timezone":"X"}}', { user: null });
    expect(table.subscriptionOf('getSchedules', schedule)).not.toBeNull();
    expect(table.subscriptionOf('getSchedules', { ...schedule, endpoint: '/web' })).toBeNull();
  });
});
