import { describe, expect, test } from '@jest/globals';
import { loadRecord, readNumber, userName } from '../src/load-record.js';

describe('a record of a run', () => {
  test('is an envelope of exactly the size asked for, to the user its number names', () => {
    const value = loadRecord(12_345, 5_000, 512);
    expect(Buffer.byteLength(value)).toBe(512);
    expect(JSON.parse(value)).toMatchObject({ type: 'notification', user_id: userName(2_345), payload: { n: 12_345 } });
  });

  test('keeps its number readable in the frame that is made of it', () => {
    const payload = JSON.stringify((JSON.parse(loadRecord(70_001, 5_000, 512)) as { payload: unknown }).payload);
    const before = Buffer.from('bytes of the frame before');
    const frame = Buffer.from(`{"rid":-1,"event":"notifications","id":"n-9","payload":${payload},"offset":17}`);
    const bytes = Buffer.concat([before, frame]);
    expect(readNumber(bytes, before.length, bytes.length)).toBe(70_001);
  });

  test('is not found in a frame that holds none, even when the next one does', () => {
    const other = Buffer.from('{"rid":-1,"event":"connected","payload":{}}');
    const bytes = Buffer.concat([other, Buffer.from(loadRecord(1, 5_000, 512))]);
    expect(readNumber(bytes, 0, other.length)).toBe(-1);
  });
});
