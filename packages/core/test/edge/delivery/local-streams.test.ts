import { describe, expect, it } from '@jest/globals';
import { LocalStreamTable } from '../../../src/edge/delivery/local-streams.js';
import { publicStream, userStream } from '../../../src/streams.js';

describe('the table of local streams', () => {
  it('tells those that are shared, as long as they are there', () => {
    const table = new LocalStreamTable();
    const native = table.obtain(publicStream('news'), true);
    table.obtain(userStream('news', 'u1'), false);
    table.obtain(publicStream('news'), true);
    expect([...table.shared()]).toEqual([native]);

    expect(table.dropIfEmpty(native)).toBe(true);
    expect([...table.shared()]).toEqual([]);
    expect(table.get(native.stream)).toBeUndefined();
  });
});
