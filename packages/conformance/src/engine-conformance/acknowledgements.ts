import { expect } from '@jest/globals';
import { ordered, topic, unsourced, userItem, type ConformanceTests, type TestNode } from './fixture.js';

const own = { stream: `${topic}/u/u1`, retention: ordered, user: 'u1' };

async function publish({ engine }: TestNode, count: number, retention = ordered): Promise<string> {
  const items = Array.from({ length: count }, () => userItem('u1', 'x', retention));
  const result = await engine.publish(unsourced(...items));
  return result.items![0]!.position!.epoch;
}

export const acknowledgements: ConformanceTests = {
  'are none at first, and then the last one': async (fixture) => {
    const node = await fixture.node();
    expect(await node.engine.acknowledged(own)).toBeNull();
    const epoch = await publish(node, 3);
    expect(await node.engine.acknowledged(own)).toBeNull();
    expect(await node.engine.acknowledge(own, 2)).toBe(true);
    expect(await node.engine.acknowledged(own)).toEqual({ epoch, offset: 2 });
    expect(await node.engine.acknowledge(own, 3)).toBe(true);
    expect(await node.engine.acknowledged(own)).toEqual({ epoch, offset: 3 });
    const page = await node.engine.read(own, await node.engine.acknowledged(own), 10);
    expect([page.recovered, page.messages]).toEqual([true, []]);
  },

  'never move back': async (fixture) => {
    const node = await fixture.node();
    const epoch = await publish(node, 12);
    await node.engine.acknowledge(own, 10);
    expect(await node.engine.acknowledge(own, 9)).toBe(true);
    expect(await node.engine.acknowledge(own, 0)).toBe(true);
    expect(await node.engine.acknowledged(own)).toEqual({ epoch, offset: 10 });
  },

  'are refused above the top': async (fixture) => {
    const node = await fixture.node();
    expect(await node.engine.acknowledge(own, 1)).toBe(false);
    const epoch = await publish(node, 2);
    await node.engine.acknowledge(own, 1);
    expect(await node.engine.acknowledge(own, 3)).toBe(false);
    expect(await node.engine.acknowledged(own)).toEqual({ epoch, offset: 1 });
  },

  'belong to one stream': async (fixture) => {
    const node = await fixture.node();
    await publish(node, 2);
    await node.engine.acknowledge(own, 2);
    const another = { ...own, stream: `${topic}/u/u2`, user: 'u2' };
    expect(await node.engine.acknowledged(another)).toBeNull();
    expect(await node.engine.acknowledge(another, 2)).toBe(false);
  },
};
