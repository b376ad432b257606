import { audienceMembers, formats, parseSelector, type Format } from '@ws-gateway/core';
import type { Finding } from '../language/finding.js';
import type { SchemaValues } from '../schema/schema.js';
import { when, type Rule } from './rule.js';

type Topic = SchemaValues['topics'][string];

/** Rules of what topics say about their records. */
export const recordRules: readonly Rule[] = [
  {
    doc: 'A topic of a format with a map has exactly one of `map.user`, `users`, `room`, `hub`, `keyed`, `audience`; `envelope` and `wss` have no map.',
    reads: ['topics'],
    check: ({ topics }) => Object.entries(topics).flatMap(([name, topic]) => audienceFindings(name, topic)),
  },
  {
    doc: '`keyAccess` is for topics with `map.keyed`, `ack` and `deliveries` are for those without.',
    reads: ['topics'],
    check: ({ topics }) => Object.entries(topics).flatMap(([name, topic]) => keyFindings(name, topic)),
  },
  {
    doc: "Selectors in `map` and `when` are of the language of the topic's format.",
    reads: ['topics'],
    check: ({ topics }) =>
      Object.entries(topics).flatMap(([name, topic]) => [
        ...Object.entries(topic.map).flatMap(([member, selectors]) =>
          (selectors.length === 0 ? [''] : selectors).flatMap((selector) =>
            selectorFinding(`topics.${name}.map.${member}`, { member, selector }, topic),
          ),
        ),
        ...topic.when.flatMap(({ field }, index) =>
          selectorFinding(`topics.${name}.when[${index}].field`, { member: 'field', selector: field }, topic),
        ),
      ]),
  },
  {
    doc: 'A condition of `when` has at least one of `in`, `notIn`, `exists`.',
    reads: ['topics'],
    check: ({ topics }) =>
      Object.entries(topics).flatMap(([name, topic]) =>
        topic.when.flatMap((condition, index) =>
          when(
            condition.in.length === 0 && condition.notIn.length === 0 && condition.exists === null,
            `topics.${name}.when[${index}]`,
            'must have one of in, notIn, exists',
          ),
        ),
      ),
  },
  {
    doc: 'Formats `avro`, `protobuf` and `json-schema` need `schemaRegistry.url`, and are not for `user-blocks`, which is read again without one.',
    reads: ['topics', 'schemaRegistry.url'],
    check: ({ topics, schemaRegistry }) =>
      Object.entries(topics).flatMap(([name, topic]) => {
        if (!formatOf(topic).needsRegistry) return [];
        const path = `topics.${name}.format`;
        return [
          ...when(schemaRegistry.url === '', path, `${topic.format} needs schemaRegistry.url`),
          ...when(name === 'user-blocks', path, `cannot be ${topic.format} for user-blocks`),
        ];
      }),
  },
  {
    doc: '`audience.fromKey` is for format `envelope`: a map says where the user is.',
    reads: ['topics'],
    check: ({ topics }) =>
      Object.entries(topics).flatMap(([name, topic]) =>
        when(
          topic.audience.fromKey && topic.format !== 'envelope',
          `topics.${name}.audience.fromKey`,
          `is for format envelope; ${topic.format === 'wss' ? 'wss names subscriptions' : 'with a map say map.user: key'}`,
        ),
      ),
  },
  {
    doc: '`schemaRegistry.username` and `password` come together; with `token`, or with a login in the URL, there are none.',
    reads: ['schemaRegistry'],
    check: ({ schemaRegistry: { url, username, password, token } }) => [
      ...when(password !== '' && username === '', 'schemaRegistry.username', 'missing: there is a password'),
      ...when(token !== '' && username !== '', 'schemaRegistry.username', 'cannot be used beside token'),
      ...when(
        /^[a-z]+:\/\/[^/]*@/.test(url),
        'schemaRegistry.url',
        'must hold no login: use schemaRegistry.username and password, which are never shown',
      ),
    ],
  },
  {
    doc: '`tombstone: delete` needs mode `latest` and a history.',
    reads: ['topics'],
    check: ({ topics }) =>
      Object.entries(topics).flatMap(([name, { tombstone, mode, history }]) =>
        when(
          tombstone === 'delete' && (mode !== 'latest' || history.size === 0),
          `topics.${name}.tombstone`,
          mode === 'latest' ? 'delete needs a history' : 'delete needs mode latest',
        ),
      ),
  },
];

/** Keys are of topics that have some, and acknowledgements of users' own streams. */
function keyFindings(name: string, { map, keyAccess, ack, deliveries }: Topic): Finding[] {
  const path = `topics.${name}`;
  const isKeyed = Object.hasOwn(map, 'keyed');
  return [
    ...when(!isKeyed && keyAccess !== null, `${path}.keyAccess`, 'needs map.keyed'),
    ...when(
      isKeyed && ack,
      `${path}.ack`,
      "cannot be used with map.keyed: acknowledgements are of a user's own stream",
    ),
    ...when(
      isKeyed && deliveries,
      `${path}.deliveries`,
      'cannot be used with map.keyed: what became of messages is told of those for users',
    ),
  ];
}

function audienceFindings(name: string, topic: Topic): Finding[] {
  const path = `topics.${name}.map`;
  const members = audienceMembers.filter((member) => Object.hasOwn(topic.map, member));
  if (formatOf(topic).map === null) {
    return when(
      Object.keys(topic.map).length > 0,
      path,
      `format ${topic.format} has members of fixed names, and no map`,
    );
  }
  const choices = audienceMembers.map((member) => `map.${member}`);
  const [first, second] = members;
  if (first === undefined) return [{ path, message: `format ${topic.format} needs one of ${choices.join(', ')}` }];
  if (second !== undefined) return [{ path: `${path}.${second}`, message: `cannot be used beside map.${first}` }];
  const blocks = name === 'user-blocks' && first !== 'user' && first !== 'users';
  return when(blocks, `${path}.${first}`, 'must be map.user or map.users: records of user-blocks are about users');
}

function selectorFinding(
  path: string,
  { member, selector }: { member: string; selector: string },
  topic: Topic,
): Finding[] {
  if (selector === '') return [{ path, message: 'missing' }];
  if (member === 'audience' && (selector === 'topic' || selector === 'all')) return [];
  const parsed = parseSelector(selector, formatOf(topic).vocabulary);
  if (typeof parsed === 'string') return [{ path, message: `${JSON.stringify(selector)} ${parsed}` }];
  const findsNothing =
    topic.format === 'text' && parsed.from === 'part' && parsed.scope === 'value' && parsed.pointer !== '';
  return when(findsNothing, path, `${JSON.stringify(selector)} finds nothing: a record of format text has no parts`);
}

function formatOf(topic: Topic): Format {
  return formats[topic.format];
}
