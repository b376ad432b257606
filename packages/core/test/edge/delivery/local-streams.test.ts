import { describe, expect, it } from '@jest/globals';
import { ChannelTable } from '../../../src/edge/delivery/local-streams.js';
import { publicStream, userStream } from '../../../src/streams.js';

describe('the table of channels', () => {
  it('tells those that are shared, as long as they are there', () => {
    const table = new ChannelTable();
    const crowd = table.obtain(publicStream('news'), true);
    table.obtain(userStream('news', 'u1'), false);
    table.obtain(publicStream('news'), true);
    expect([...table.shared()]).toEqual([crowd]);

    expect(table.dropIfEmpty(crowd)).toBe(true);
    expect([...table.shared()]).toEqual([]);
    expect(table.get(crowd.stream)).toBeUndefined();
  });
});
