import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { status } from '@grpc/grpc-js';
import { GrpcApiError } from '../src/index.js';
import { TestApi } from './support/api.js';
import { hello } from './support/messages.js';

let api: TestApi;

afterEach(() => api.close());

/** Makes the notifier hang; `begun` resolves when a call has reached it, `end` lets it go on. */
function holdCalls({ notifier }: TestApi): { begun: Promise<void>; end: () => void } {
  const begun = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  notifier.answer = () => {
    begun.resolve();
    return held.promise;
  };
  return { begun: begun.promise, end: held.resolve };
}

describe('stopping', () => {
  it('lets a call under way end, and refuses new ones', async () => {
    api = await TestApi.start();
    const held = holdCalls(api);
    const under = api.notifications().call('Broadcast', { message: hello });
    await held.begun;
    const stopped = api.api.stop(20_000);
    expect((await api.notifications().call('Broadcast', { message: hello })).code).toBe(status.UNAVAILABLE);
    held.end();
    expect((await under).code).toBe(status.OK);
    await stopped;
  });

  it('cuts what is still under way when the time is over', async () => {
    api = await TestApi.start();
    const held = holdCalls(api);
    const under = api.notifications().call('Broadcast', { message: hello });
    await held.begun;
    await api.api.stop(50);
    expect((await under).code).not.toBe(status.OK);
  });

  it('does not wait for a call that its caller gave up', async () => {
    api = await TestApi.start();
    const held = holdCalls(api);
    const caller = new AbortController();
    const under = api.notifications().call('Broadcast', { message: hello }, { signal: caller.signal });
    await held.begun;
    caller.abort();
    expect((await under).code).toBe(status.CANCELLED);
    await api.api.stop(20_000);
  });

  it('does not wait for open watches and reflection streams', async () => {
    api = await TestApi.start();
    const watch = api.health().serverStream('Watch', { service: '' });
    const reflection = api.client('grpc.reflection.v1.ServerReflection').bidiStream('ServerReflectionInfo');
    reflection.write({ listServices: '' });
    await Promise.all([once(watch, 'data'), once(reflection, 'data')]);
    const ended = Promise.all([once(watch, 'end'), once(reflection, 'end')]);
    watch.resume();
    reflection.resume();
    await api.api.stop(20_000);
    await ended;
  });

  it('does not wait for a peer that says nothing', async () => {
    api = await TestApi.start();
    const silent = connect(api.ports[0] ?? 0, '127.0.0.1');
    await once(silent, 'connect');
    // The settings frame of the server shows that it has seen the connection.
    await once(silent, 'data');
    await api.api.stop(20_000);
    silent.destroy();
  });

  it('before the start, or twice, is fine', async () => {
    api = new TestApi();
    await api.api.stop(0);
    await api.api.stop(0);
    await expect(api.api.start()).rejects.toMatchObject({ code: 'listen_failed' });
  });

  it('while it starts leaves no port open', async () => {
    api = new TestApi();
    const starting = api.api.start();
    await api.api.stop(0);
    const [port = 0] = await starting;
    const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });
});

describe('starting', () => {
  it('on a port that is taken fails by name, and leaves no other port open', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const first = (free.address() as AddressInfo).port;
    free.close();
    await once(free, 'close');
    api = new TestApi({ ports: [first, port].map((each) => ({ port: each, hub: null })) });
    const error = await api.api.start().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GrpcApiError);
    expect(error).toMatchObject({ code: 'listen_failed', message: expect.stringContaining(`127.0.0.1:${port}`) });
    const again = createServer().listen(first, '127.0.0.1');
    await once(again, 'listening');
    again.close();
    taken.close();
  });
});
