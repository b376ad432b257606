import { afterEach, describe, expect, it } from '@jest/globals';
import type { PublishItem, StreamMessage } from '@ws-gateway/core';
import { startRedis, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { createHarness, serverAt } from './harness.js';
import { OpenSocket, retention } from './open-socket.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

class Sockets extends RecordingInbox {
  readonly sockets = Array.from({ length: 40 }, (_, i) => new OpenSocket(`u${i}`));

  override deliver(message: StreamMessage): void {
    super.deliver(message);
    for (const socket of this.sockets) socket.deliver(message);
  }
}

function items(text: string): PublishItem[] {
  return Array.from({ length: 40 }, (_, i) => {
    const head = `{"text":"${text}","stream":"t/u/u${i}","epoch":"`;
    return { kind: 'user', topic: 't', user: `u${i}`, retention, head, sourceOffset: -1, recordTimeMs: 1 };
  });
}

describe('registering again after Redis came back empty', () => {
  // Messages go on while rows are written again: some are before a row, some come with it, some after it.
  it('brings what was published since to each open socket once and in order', async () => {
    const first = await startRedis();
    const server = serverAt(`redis://${first.address}`);
    const harness = await createHarness({ server });
    const inbox = new Sockets();
    const [edge, router] = [harness.createEngine('edge'), harness.createEngine('router', { role: 'router' })];
    await edge.start(inbox);
    await router.start(new RecordingInbox());
    cleanups.push(
      () => edge.stop(),
      () => router.stop(),
    );
    for (const socket of inbox.sockets) await socket.register(edge);
    await router.publish({ source: null, items: items('before') });
    await inbox.waitForTexts(inbox.sockets.length);

    await first.kill();
    const second = await startRedis({ port: first.port });
    cleanups.unshift(() => second.stop());
    await waitFor(() => router.healthy, { what: 'the router to be healthy' });
    const published = ['before'];
    let done = false;
    const publishing = (async () => {
      while (!done) {
        const text = `after ${published.length}`;
        await router.publish({ source: null, items: items(text) });
        published.push(text);
      }
    })();
    await inbox.waitFor(() => inbox.rebuilds === 1, 'a rebuild');
    for (const socket of inbox.sockets) await socket.registerAgain(edge);
    const count = published.length;
    await waitFor(() => published.length > count + 5, { what: 'some more' });
    done = true;
    await publishing;
    await inbox.waitFor(() => inbox.sockets.every(({ texts }) => texts.length >= published.length), 'all of it');
    for (const { texts } of inbox.sockets) expect(texts).toEqual(published);
    expect(published.length).toBeGreaterThan(10);
    expect(inbox.holesOf('u1')).toEqual([]);
  });
});
