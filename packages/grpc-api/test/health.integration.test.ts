import { on, once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { status, type ClientReadableStream } from '@grpc/grpc-js';
import { TestApi } from './support/api.js';
import { type Answer } from './support/clients.js';
import { hello } from './support/messages.js';

const SERVICE = 'notificationspb.NotificationService';

let api: TestApi;

afterEach(() => api.close());

describe('health', () => {
  it.each(['', SERVICE])('of "%s" is SERVING', async (service) => {
    api = await TestApi.start();
    expect(await api.health().call('Check', { service })).toMatchObject({ code: 0, response: { status: 'SERVING' } });
  });

  it('of an unknown service is NOT_FOUND', async () => {
    api = await TestApi.start();
    expect((await api.health().call('Check', { service: 'shop.Orders' })).code).toBe(status.NOT_FOUND);
  });

  it('lists all services', async () => {
    api = await TestApi.start();
    const serving = { status: 'SERVING' };
    const { response } = await api.health().call('List', {});
    expect(response).toEqual({ statuses: { '': serving, [SERVICE]: serving } });
  });

  it('is NOT_SERVING after a drain, while calls are still served', async () => {
    api = await TestApi.start();
    const health = api.health();
    api.api.drain();
    expect(await health.call('Check', { service: '' })).toMatchObject({ response: { status: 'NOT_SERVING' } });
    expect((await api.notifications().call('Broadcast', { message: hello })).code).toBe(status.OK);
  });

  it('tells watchers of the stop, and then ends the watch', async () => {
    api = await TestApi.start();
    const watch = api.health().serverStream('Watch', { service: SERVICE });
    const statuses = seen(watch);
    await once(watch, 'data');
    await api.api.stop(20_000);
    expect(await statuses).toEqual(['SERVING', 'NOT_SERVING']);
  });

  it('keeps the watch of an unknown service open', async () => {
    api = await TestApi.start();
    const watch = api.health().serverStream('Watch', { service: 'shop.Orders' });
    const statuses = seen(watch);
    await once(watch, 'data');
    api.api.drain();
    // The answer to a later call on the same connection is the barrier: the watch is still open and has said nothing
    // more.
    await api.health().call('Check', { service: '' });
    expect(watch.readableEnded).toBe(false);
    await api.api.stop(20_000);
    expect(await statuses).toEqual(['SERVICE_UNKNOWN']);
  });

  it('can be watched by so many and no more, and a watch that ends makes room', async () => {
    api = await TestApi.start();
    // A connection carries 1000 calls.
    const [many, more] = [api.health(), api.health()];
    const watches = Array.from({ length: 1000 }, () => many.serverStream('Watch', { service: '' }));
    await Promise.all(watches.map((watch) => once(watch, 'data')));
    const surplus = await once(more.serverStream('Watch', { service: '' }), 'error');
    expect(surplus[0]).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    watches.forEach((watch) => watch.on('error', () => watch.destroy()).cancel());
    expect(await firstServing(() => more.serverStream('Watch', { service: '' }))).toBe(true);
  });
});

async function seen(watch: ClientReadableStream<Answer>): Promise<unknown[]> {
  const statuses: unknown[] = [];
  for await (const answer of watch) statuses.push((answer as Answer).status);
  return statuses;
}

/** Tries until the server has noticed the cancellations. */
async function firstServing(open: () => ClientReadableStream<Answer>): Promise<boolean> {
  for (;;) {
    const watch = open();
    const refused = once(watch, 'error').then(() => false);
    const serving = (async () => {
      for await (const [answer] of on(watch, 'data')) return (answer as Answer).status === 'SERVING';
      return false;
    })().catch(() => false);
    if (await Promise.race([refused, serving])) {
      await serving;
      watch.cancel();
      return true;
    }
  }
}
