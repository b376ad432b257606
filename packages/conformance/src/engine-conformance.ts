import { afterEach, beforeEach, describe, it } from '@jest/globals';
import { acknowledgements } from './engine-conformance/acknowledgements.js';
import { Fixture, type ConformanceTests, type CreateHarness } from './engine-conformance/fixture.js';
import { history, latestMode } from './engine-conformance/history.js';
import { operators } from './engine-conformance/operators.js';
import { outcomes } from './engine-conformance/outcomes.js';
import { lostData } from './engine-conformance/lost-data.js';
import { routing, sources } from './engine-conformance/routing.js';
import { blocks, exclusiveEndpoints, sessions } from './engine-conformance/sessions.js';
import { severalNodes } from './engine-conformance/several-nodes.js';

export type { CreateHarness, EngineHarness } from './engine-conformance/fixture.js';
export { RecordingInbox } from './engine-conformance/recording-inbox.js';

/**
 * Checks what the seam `Engine` promises, for every implementation. The suite has an entry point of its own, because it
 * needs jest's globals, which can be loaded inside a test only.
 */
export function engineConformance(
  name: string,
  createHarness: CreateHarness,
  options: { severalNodes: boolean; losesData?: boolean },
): void {
  describe(`${name} keeps the contract of Engine`, () => {
    let fixture: Fixture;
    beforeEach(async () => {
      fixture = new Fixture(await createHarness(), options);
    });
    afterEach(() => fixture.stop());

    const suite = (subject: string, tests: ConformanceTests): void => {
      describe(subject, () => {
        for (const [sentence, test] of Object.entries(tests)) it(sentence, () => test(fixture));
      });
    };
    suite('routing', routing);
    suite('source positions', sources);
    suite('history', history);
    suite('latest mode', latestMode);
    suite('acknowledgements', acknowledgements);
    suite('outcomes', outcomes);
    suite('sessions', sessions);
    suite('endpoints for one connection of a user', exclusiveEndpoints);
    suite('blocks', blocks);
    suite('operators', operators);
    if (options.losesData === true) suite('data that the store lost', lostData);
    if (options.severalNodes) suite('several nodes', severalNodes);
  });
}
