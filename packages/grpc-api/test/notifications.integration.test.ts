import { afterEach, describe, expect, it } from '@jest/globals';
import { status } from '@grpc/grpc-js';
import { AnySchema, StringValueSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { create, toBinary } from '@bufbuild/protobuf';
import { EngineError, type EngineErrorCode } from '@ws-gateway/core';
import { TestApi } from './support/api.js';
import { anyOf, hello, helloJson } from './support/messages.js';

let api: TestApi;

afterEach(() => api.close());

describe('a notification', () => {
  it('goes to everybody with type, entity and message', async () => {
    api = await TestApi.start();
    const message = anyOf(StringValueSchema, { value: 'Your order has shipped!' });
    const result = await api.notifications().call('Broadcast', { type: 'TYPE_INFO', entityId: 'order-123', message });
    expect(result).toEqual({ code: status.OK, details: '', response: {} });
    const payload = '{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"Your order has shipped!"}';
    expect(api.notifier.sent).toEqual([
      { to: 'all', hub: null, notification: { type: 'info', entityId: 'order-123', payload } },
    ]);
  });

  it('goes to a room and to one user', async () => {
    api = await TestApi.start();
    const client = api.notifications();
    await client.call('NotifyRoom', { room: 'order-updates', message: hello });
    await client.call('PrivateNotify', { userId: 'ann@example.com', message: hello });
    const notification = { type: 'unspecified', entityId: '', payload: helloJson };
    expect(api.notifier.sent).toEqual([
      { to: 'room order-updates', hub: null, notification },
      { to: 'user ann@example.com', hub: null, notification },
    ]);
  });

  it('stays in the hub of the port it came by', async () => {
    const ports = [null, 'main', 'side'].map((hub) => ({ port: 0, hub }));
    api = await TestApi.start({ ports });
    expect(new Set(api.ports).size).toBe(3);
    for (const place of [0, 1, 2]) {
      const client = api.notifications({ place });
      await client.call('Broadcast', { message: hello });
      await client.call('NotifyRoom', { room: 'r', message: hello });
      await client.call('PrivateNotify', { userId: 'u', message: hello });
    }
    expect(api.notifier.sent.map(({ hub }) => hub)).toEqual([
      ...[null, null, null],
      ...['main', 'main', 'main'],
      ...['side', 'side', 'side'],
    ]);
  });

  it.each([
    ['TYPE_UNSPECIFIED', 'unspecified'],
    ['TYPE_INFO', 'info'],
    ['TYPE_WARNING', 'warning'],
    ['TYPE_ERROR', 'error'],
    ['TYPE_SUCCESS', 'success'],
  ])('of %s says %s', async (type, expected) => {
    api = await TestApi.start();
    await api.notifications().call('Broadcast', { type, message: hello });
    expect(api.notifier.sent[0]?.notification.type).toBe(expected);
  });
});

const badTime = anyOf(TimestampSchema, { seconds: 1n, nanos: -1 });
const unknown = create(AnySchema, { typeUrl: 'type.googleapis.com/shop.Nothing' });
const nested = anyOf(AnySchema, { typeUrl: 'type.googleapis.com/shop.Nothing' });
const garbled = create(AnySchema, { typeUrl: hello.typeUrl, value: Uint8Array.of(10, 200) });

describe('a call is refused with INVALID_ARGUMENT', () => {
  it.each<[string, string, object, string]>([
    ['no message', 'Broadcast', {}, 'message is missing'],
    ['a message without a type', 'Broadcast', { message: {} }, 'message has no type'],
    ['an unknown type', 'Broadcast', { message: unknown }, 'message has the unknown type shop.Nothing'],
    ['an unknown type further in', 'Broadcast', { message: nested }, '"type.googleapis.com/shop.Nothing" is not in'],
    [
      'bytes that are not of the type',
      'Broadcast',
      { message: garbled },
      'message is no usable google.protobuf.StringV',
    ],
    ['a value without JSON', 'Broadcast', { message: badTime }, 'nanos must not be negative'],
    ['a type of another number', 'Broadcast', { type: 17, message: hello }, 'type 17 is unknown'],
    ['no room', 'NotifyRoom', { message: hello }, 'room is missing'],
    ['a room that is no name', 'NotifyRoom', { room: 'a/b', message: hello }, 'room is not valid'],
    ['no user', 'PrivateNotify', { message: hello }, 'userId is missing'],
    ['a user with a control character', 'PrivateNotify', { userId: 'a\nb', message: hello }, 'userId is not valid'],
    ['a user that is too long', 'PrivateNotify', { userId: 'u'.repeat(129), message: hello }, 'userId is not valid'],
  ])('for %s', async (_what, method, request, details) => {
    api = await TestApi.start();
    const result = await api.notifications().call(method, request);
    expect(result).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining(details) });
    expect(api.notifier.sent).toEqual([]);
  });

  it('for Any in Any until the stack is full, and the next call is fine', async () => {
    api = await TestApi.start({ maxMessageBytes: 4_194_304 });
    let message = hello;
    for (let depth = 0; depth < 10_000; depth++) {
      message = create(AnySchema, { typeUrl: 'x/google.protobuf.Any', value: toBinary(AnySchema, message) });
    }
    const client = api.notifications();
    const refused = await client.call('Broadcast', { message });
    expect(refused).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining('call stack') });
    expect((await client.call('Broadcast', { message: hello })).code).toBe(status.OK);
  });

  it('with a text that fits into a header, whatever the caller sent', async () => {
    api = await TestApi.start();
    // The cut falls into the middle of a surrogate pair.
    const typeUrl = `x/${'\u{1F600}'.repeat(10_000)}`;
    const result = await api.notifications().call('Broadcast', { message: { typeUrl, value: Buffer.alloc(0) } });
    expect(result.code).toBe(status.INVALID_ARGUMENT);
    expect(result.details).toContain('\u{1F600}');
    expect(result.details.length).toBeLessThan(400);
  });
});

describe('a call that fails inside', () => {
  it.each<[EngineErrorCode, status]>([
    ['unavailable', status.UNAVAILABLE],
    ['source_gap', status.UNAVAILABLE],
    ['unknown_node', status.UNAVAILABLE],
    ['stopped', status.UNAVAILABLE],
    ['internal', status.INTERNAL],
  ])('because the engine says %s ends with status %d', async (code, expected) => {
    api = await TestApi.start();
    api.notifier.answer = () => Promise.reject(new EngineError(code, 'redis at 10.0.0.1 is away'));
    const result = await api.notifications().call('Broadcast', { message: hello });
    expect(result.code).toBe(expected);
    expect(result.details).not.toContain('10.0.0.1');
  });

  it('is logged when the cause is a defect, and the caller learns no more than that', async () => {
    api = await TestApi.start();
    api.notifier.answer = () => {
      throw new TypeError('secret detail');
    };
    const result = await api.notifications().call('Broadcast', { message: hello });
    expect(result).toMatchObject({ code: status.INTERNAL, details: 'internal error' });
    expect(api.logger.lines).toContain('error grpc call failed');
  });

  it('ends with DEADLINE_EXCEEDED when it takes too long', async () => {
    api = await TestApi.start();
    api.notifier.answer = () => new Promise(() => {});
    const result = await api.notifications().call('Broadcast', { message: hello }, { deadlineMs: 100 });
    expect(result.code).toBe(status.DEADLINE_EXCEEDED);
  });
});

describe('a request over the size limit', () => {
  const long = { message: anyOf(StringValueSchema, { value: 'x'.repeat(70_000) }) };

  it('ends with RESOURCE_EXHAUSTED', async () => {
    api = await TestApi.start({ maxMessageBytes: 65_536 });
    expect((await api.notifications().call('Broadcast', long)).code).toBe(status.RESOURCE_EXHAUSTED);
    expect(api.notifier.sent).toEqual([]);
  });

  it('ends with RESOURCE_EXHAUSTED also when it was small before decompression', async () => {
    api = await TestApi.start({ maxMessageBytes: 65_536 });
    const client = api.notifications({ 'grpc.default_compression_algorithm': 2 });
    expect((await client.call('Broadcast', long)).code).toBe(status.RESOURCE_EXHAUSTED);
    expect((await client.call('Broadcast', { message: hello })).code).toBe(status.OK);
  });
});
