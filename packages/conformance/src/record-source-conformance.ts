import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Fixture, type ConformanceTests, type CreateHarness } from './record-source-conformance/fixture.js';
import { members } from './record-source-conformance/members.js';
import { missingTopics, pausing, positions } from './record-source-conformance/positions.js';
import { askedRecords, records } from './record-source-conformance/records.js';
import { writing } from './record-source-conformance/writer.js';

export type { CreateHarness, RecordSourceHarness, SourceOptions } from './record-source-conformance/fixture.js';
export { GroupSinks, RecordingSink } from './record-source-conformance/recording-sink.js';

/**
 * Checks what the seams `RecordSource` and `RecordWriter` promise, for every driver. After each test it holds what was
 * handed over against the rules of `RecordSink`. The suite has an entry point of its own, because it needs jest's
 * globals, which can be loaded inside a test only.
 */
export function recordSourceConformance(name: string, createHarness: CreateHarness): void {
  describe(`${name} keeps the contract of RecordSource and RecordWriter`, () => {
    let fixture: Fixture;
    beforeEach(async () => {
      fixture = new Fixture(await createHarness());
    });
    afterEach(async () => {
      await fixture.stop();
      expect(fixture.violations).toEqual([]);
    });

    const suite = (subject: string, tests: ConformanceTests): void => {
      describe(subject, () => {
        for (const [sentence, test] of Object.entries(tests)) it(sentence, () => test(fixture));
      });
    };
    suite('records', records);
    suite('records asked for', askedRecords);
    suite('the position of a group', positions);
    suite('pausing', pausing);
    suite('topics that are missing', missingTopics);
    suite('members of a group', members);
    suite('writing', writing);
  });
}
