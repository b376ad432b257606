import { describe, expect, it } from '@jest/globals';
import { connectedFrame, errorFrame, pushHead, reconnectFrame, responseFrame } from '../src/index.js';
import { quote, subscriptionHead } from '../src/frame.js';

const fields = {
  event: 'notifications',
  topic: 'notifications',
  id: 'n-1',
  type: 'notification',
  timestamp: '2026-01-01T00:00:00Z',
  payload: '{ "n":1e400,\n"big": 12345678901234567890 }',
};

describe('push frames', () => {
  it('have all members of a push in their fixed order, around the payload as it was written', () => {
    expect(pushHead(fields, 'u1', 'notifications/u/u1') + 'k3f9","offset":17}').toBe(
      '{"rid":-1,"event":"notifications","status":"update","topic":"notifications","id":"n-1","type":"notification",' +
        '"user_id":"u1","timestamp":"2026-01-01T00:00:00Z","payload":{ "n":1e400,\n"big": 12345678901234567890 },' +
        '"stream":"notifications/u/u1","epoch":"k3f9","offset":17}',
    );
  });

  it('are whole without a stream, and name no user when there is none', () => {
    const frame = pushHead({ ...fields, payload: 'null' }, null, null);
    expect(JSON.parse(frame)).toEqual({ rid: -1, status: 'update', ...fields, payload: null });
    expect(frame).not.toContain('user_id');
  });

  it('stay JSON whatever ids hold', () => {
    for (const text of ['"', '\\', 'a\nb', '\ud800', '😀', '\u2028', '</script>', 'ä', '\u007f']) {
      const frame = pushHead({ ...fields, payload: '1', id: text, type: text, timestamp: text }, text, `t/u/${text}`);
      const parsed = JSON.parse(`${frame}e","offset":1}`) as Record<string, unknown>;
      expect(parsed).toMatchObject({ id: text, type: text, timestamp: text, user_id: text, stream: `t/u/${text}` });
      // A lone surrogate must be an escape: UTF-8 has no way to write it.
      expect(Buffer.from(quote(text)).toString('utf8')).toBe(quote(text));
    }
  });

  it('to a subscription id have four members and no more', () => {
    expect(subscriptionHead({ id: 'abc', status: 'update', payload: '[1.0]' }, null)).toBe(
      '{"rid":-1,"event":"abc","status":"update","payload":[1.0]}',
    );
    expect(subscriptionHead({ id: 'abc', status: 'reload', payload: 'null' }, 'sub/abc')).toBe(
      '{"rid":-1,"event":"abc","status":"reload","payload":null,"stream":"sub/abc","epoch":"',
    );
  });
});

describe('other frames', () => {
  it('answer a request by its rid', () => {
    expect(responseFrame(7, 'ping', 'ok', { time: 1 })).toBe(
      '{"rid":7,"event":"ping","status":"ok","payload":{"time":1}}',
    );
    expect(responseFrame(7, 'a"b', 'error', undefined)).toBe(
      '{"rid":7,"event":"a\\"b","status":"error","payload":null}',
    );
  });

  it('tell of errors, reconnects and the connection', () => {
    expect(errorFrame('bad_request', 'no')).toBe(
      '{"rid":-1,"event":"error","status":"error","payload":{"code":"bad_request","message":"no"}}',
    );
    expect(reconnectFrame('drain', 1234)).toBe(
      '{"rid":-1,"event":"reconnect","status":"ok","payload":{"reason":"drain","after_ms":1234}}',
    );
    const connected = {
      connection: 'c',
      node: 'n',
      user: null,
      heartbeat_ms: 25000,
      reconnect_spread_ms: 2000,
      topics: [],
    };
    expect(JSON.parse(connectedFrame(connected))).toEqual({
      rid: -1,
      event: 'connected',
      status: 'ok',
      payload: connected,
    });
  });
});
