import { afterEach, describe, expect, it } from '@jest/globals';
import { closeOver, closeReason } from '../../../src/close-codes.js';
import type { Connection } from '../../../src/edge/delivery/connection.js';
import { CloseLog } from '../../../src/edge/node/close-log.js';
import type { EdgeOptions, Logger } from '../../../src/index.js';
import { topicPolicy } from '../../policies.js';
import { EdgeUnderTest, turns, unlimited, type ClientUnderTest } from '../edge-under-test.js';

interface Line {
  readonly message: string;
  readonly [field: string]: unknown;
}

function recording(): { logger: Logger; infos: Line[] } {
  const infos: Line[] = [];
  const nothing = (): void => undefined;
  const logger: Logger = {
    error: nothing,
    warn: nothing,
    info: (message, fields) => void infos.push({ message, ...fields }),
    debug: nothing,
    child: () => logger,
  };
  return { logger, infos };
}

let node: EdgeUnderTest | null = null;
afterEach(() => node?.stop());

async function nodeWith(options: Partial<EdgeOptions>): Promise<{ node: EdgeUnderTest; closed: () => Line[] }> {
  const { logger, infos } = recording();
  node = await new EdgeUnderTest({ deps: { logger }, options }).start();
  return { node, closed: () => infos.filter(({ message }) => message === 'connection closed') };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !condition(); tries++) await turns(1);
  expect(condition()).toBe(true);
}

describe('a close that the gateway forced is counted by its code, and a line in the log with user and connection', () => {
  it('when too many requests were of no use (4502)', async () => {
    const { node, closed } = await nodeWith({ limits: { ...unlimited, badRequests: 2 } });
    const client = await node.connect('/ws', 'ann');
    for (let n = 0; n < 3; n++) client.write('{');
    await until(() => closed().length > 0);
    expect(closed()).toEqual([
      { message: 'connection closed', code: 4502, reason: 'too_many_errors', user: 'ann', connection: idOf(client) },
    ]);
    expect(node.stats.closes.values.get('4502')).toBe(1);
  });

  it('when it asks too often (4503)', async () => {
    const { node, closed } = await nodeWith({ limits: { ...unlimited, requestsPerSecond: 1 } });
    const client = await node.connect('/ws', 'ann');
    for (let n = 0; n < 20; n++) client.send('ping');
    await until(() => closed().length > 0);
    expect(closed()).toMatchObject([{ code: 4503, reason: 'rate_limited', user: 'ann', connection: idOf(client) }]);
    expect(node.stats.closes.values.get('4503')).toBe(1);
  });

  // The transport had ended it by itself: no line, and the code counted as one that the client had made up.
  it('when it floods the transport with what no limit of the edge sees (4503)', async () => {
    const { node, closed } = await nodeWith({});
    const client = await node.connect('/ws', 'ann');
    node.edge.abused(client.connection, 4503, 'rate_limited');
    await until(() => closed().length > 0);
    expect(closed()).toMatchObject([{ code: 4503, reason: 'rate_limited', user: 'ann', connection: idOf(client) }]);
    expect([node.stats.closes.values.get('4503'), node.stats.closes.values.get('client')]).toEqual([1, 0]);
  });

  it('and topic, when the continuity of its stream cannot be proved (4003)', async () => {
    const topics = [topicPolicy('notifications'), { ...topicPolicy('news'), retention: null }];
    const { node, closed } = await nodeWith({ topics });
    const lost = await node.connect('/ws', 'ann', 'topics=news');
    const whole = await node.connect('/ws', 'bob', 'topics=notifications');
    await node.edge.rebuild({ reason: 'test', concerns: () => true, missed: () => true });
    await until(() => closed().length > 0);
    expect(closed()).toEqual([
      {
        ...{ message: 'connection closed', code: 4003, reason: 'resync', user: 'ann', connection: idOf(lost) },
        topic: 'news',
      },
    ]);
    expect([whole.ended, node.stats.closes.values.get('4003')]).toEqual([null, 1]);
  });

  it('but not when the client closes with such a code itself', async () => {
    const { node, closed } = await nodeWith({});
    const client = await node.connect('/ws', 'ann');
    client.close(4503);
    expect([closed(), node.stats.closes.values.get('client')]).toEqual([[], 1]);
  });
});

describe('the log of closes', () => {
  it('tells of two hundred in a minute, and then how many more there were', () => {
    let nowMs = 0;
    const { logger, infos } = recording();
    const log = new CloseLog(logger, () => nowMs);
    const close = (code: 'resync' | 'drain'): void => {
      const closing = code === 'drain' ? closeReason(code) : closeOver('news', code);
      log.closed({ user: 'u1', id: 'c1', closing } as Connection, closing.code);
    };
    for (let n = 0; n < 230; n++) close('resync');
    close('drain');
    expect(infos).toHaveLength(200);
    nowMs = 60_000;
    close('resync');
    expect(infos.slice(200)).toEqual([
      { message: 'more connections closed', count: 30 },
      expect.objectContaining({ message: 'connection closed', code: 4003, topic: 'news' }),
    ]);
  });
});

function idOf({ connection }: ClientUnderTest): string {
  return (connection as Connection).id;
}
