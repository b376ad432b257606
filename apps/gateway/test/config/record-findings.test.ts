import { describe, expect, test } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { configFile, run } from '../cli/running.js';
import { findingsOf, loadWithSecret } from './loading.js';

const inTopic = (members: string): string => `topics: {a: {format: json, ${members}}}`;
const LANGUAGE = 'must be key, header:<name>, key:<pointer>, value:<pointer>, topic or =text';

describe('what a topic cannot say about its records', () => {
  test.each<[string, string]>([
    ['topics: {a: {format: protobuf, map: {user: key}}}', 'topics.a.format: protobuf needs schemaRegistry.url'],
    ['topics: {a: {format: json-schema, map: {user: key}}}', 'topics.a.format: json-schema needs schemaRegistry.url'],
    [
      'topics: {user-blocks: {format: protobuf, map: {user: key}}}\nschemaRegistry: {url: "http://r"}',
      'topics.user-blocks.format: cannot be protobuf for user-blocks',
    ],
    ['topics: {a: {format: debezium, map: {user: "row:id"}}}', 'topics.a.map.user: "row:id" holds no JSON pointer'],
    [
      'topics: {a: {format: cloudevents, map: {user: "row:/id"}}}',
      'topics.a.map.user: "row:/id" is no selector: must be key, header:<name>, key:<pointer>, value:<pointer>, data:<pointer>',
    ],
    ['topics: {a: {format: wss, map: {user: key}}}', 'topics.a.map: format wss has members of fixed names, and no map'],
    [inTopic('map: {keyed: key, audience: topic}'), 'topics.a.map.audience: cannot be used beside map.keyed'],
    [inTopic('map: {audience: everybody}'), `topics.a.map.audience: "everybody" is no selector: ${LANGUAGE}`],
    [inTopic('map: {user: Key}'), `topics.a.map.user: "Key" is no selector: ${LANGUAGE}`],
    [inTopic('map: {user: /id}'), `topics.a.map.user: "/id" is no selector: ${LANGUAGE}`],
    [inTopic('map: {user: "value:/a~2"}'), 'topics.a.map.user: "value:/a~2" holds no JSON pointer'],
    [inTopic('map: {user: "="}'), 'topics.a.map.user: "=" has no text behind the ='],
    [inTopic('map: {user: []}'), 'topics.a.map.user: must be a selector such as value:/id or key, or a list of them'],
    [inTopic('map: {user: null}'), 'topics.a.map.user: missing'],
    [inTopic('map: [user]'), 'topics.a.map: must be a map'],
    [inTopic('map: {user: key}, when: {field: key}'), 'topics.a.when: must be a list of maps'],
    [inTopic('map: {user: key}, when: [{field: key}]'), 'topics.a.when[0]: must have one of in, notIn, exists'],
    [inTopic('map: {user: key}, when: [{field: key, in: [null]}]'), 'topics.a.when[0].in: must be a list of texts'],
    [
      inTopic('map: {user: key}, when: [{field: key, exists: maybe}]'),
      'topics.a.when[0].exists: must be true or false',
    ],
    [inTopic('map: {user: key}, when: [{field: key, equals: 5}]'), 'topics.a.when[0].equals: unknown key'],
    [inTopic('map: {user: key}, when: [{field: "value:a", in: [1]}]'), 'topics.a.when[0].field: "value:a" holds no'],
    [
      inTopic('map: {user: key}, audience: {fromKey: true}'),
      'topics.a.audience.fromKey: is for format envelope; with a map say map.user: key',
    ],
    [
      'schemaRegistry: {url: "registry:8081"}',
      'schemaRegistry.url: must be a URL that begins with http:// or https://',
    ],
    ['schemaRegistry: {url: "http://me:pw@r"}', 'schemaRegistry.url: must hold no login'],
    ['schemaRegistry: {password: p}', 'schemaRegistry.username: missing: there is a password'],
    ['schemaRegistry: {username: u, token: t}', 'schemaRegistry.username: cannot be used beside token'],
  ])('%s', (yaml, finding) => {
    expect(findingsOf(loadWithSecret(yaml))).toEqual([expect.stringContaining(finding)]);
  });

  test('all of it is told at once, with places, and ends the program with 2', async () => {
    const topics = {
      a: { format: 'json' },
      b: { format: 'xml', map: { user: 'key' } },
      c: { format: 'json', map: { user: 'id', room: 'key' } },
    };
    const { code, stderr } = await run(['serve', '-c', configFile({ topics })], { env: { JWT_SECRET: TEST_SECRET } });
    expect(code).toBe(2);
    for (const path of ['topics.a.map', 'topics.b.format', 'topics.c.map.room', 'topics.c.map.user']) {
      expect(stderr).toContain(`  ${path}: `);
    }
  });
});

test('the map of a preset is there to be seen, with what the topic changes', () => {
  const yaml = 'topics: {a: {format: debezium, map: {user: "row:/id", type: "=row"}}, b: {format: cloudevents}}';
  expect(loadWithSecret(yaml).tree).toMatchObject({
    topics: {
      a: { map: { type: '=row', timestamp: 'value:/ts_ms', payload: 'row:', user: 'row:/id' } },
      b: {
        map: {
          ...{ user: 'header:ce_subject', id: 'header:ce_id', type: 'header:ce_type', timestamp: 'header:ce_time' },
          payload: ['data:', 'value:/data_base64'],
        },
      },
    },
  });
});

test('config print shows it', async () => {
  const file = configFile({ topics: { a: { format: 'debezium', map: { user: 'row:/id' } } } });
  const printed = await run(['config', 'print', '-c', file], { env: { JWT_SECRET: TEST_SECRET } });
  expect(printed.code).toBe(0);
  expect(printed.stdout.replaceAll(/\s+/g, ' ')).toContain(
    "map: type: op timestamp: value:/ts_ms payload: 'row:' user: row:/id",
  );
});
