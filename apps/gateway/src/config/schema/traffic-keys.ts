import { recordFormats, slowPolicies, slowPolicyNames } from '@ws-gateway/core';
import { choice, duration, kafkaTopic, name, port, size, text, whole } from '../language/formats.js';
import { keyAccess, mapMember, optionalFlag, scalars, selector, selectors } from '../language/selector-formats.js';
import { durationKey, flagKey, live, section, key, list, map, sizeKey } from '../language/schema-node.js';

/** Default of `topics.<name>.ackTimeout`. */
export const ACK_TIMEOUT = '30s';

const slow = choice(...slowPolicyNames);
const SLOW_DOC = `What happens to a client that reads too slowly: ${slowPolicyNames
  .map((name) => `\`${name}\` (${slowPolicies[name].summary})`)
  .join(', ')}.`;

/** Keys of one topic. The defaults here are those of `notifications` and of every name that has no kind of its own. */
const topic = section('', {
  kafkaTopic: key(kafkaTopic, '', 'Kafka topic that feeds it. Empty: the same name.'),
  type: key(text, '', 'Type of a message that brings none. Empty: that of the kind, else the name of the topic.'),
  format: key(choice(...recordFormats), 'envelope', 'What a record looks like: see docs/records.md.'),
  map: map(
    'Where a record says what a message needs. Not for `envelope` and `wss`, which have members of fixed names; `cloudevents`, `debezium` and payloads have a map of their own, which this one changes member by member.',
    key(
      selectors,
      '',
      'Where to look: `key`, `key:<pointer>`, `header:<name>`, `value:<pointer>`, `topic`, `=text`, or a list of them, of which the first that finds something counts.',
    ),
    { entryName: mapMember },
  ),
  when: list(
    'Only records that meet all of these become messages. The others are counted and nothing else.',
    section('', {
      field: key(selector, '', 'What to look at, as in `map`.'),
      in: key(scalars, [], 'It is one of these. `"1"` is not 1.'),
      notIn: key(scalars, [], 'It is none of these. What is absent is none.'),
      exists: key(optionalFlag, '', 'It is there, or is not. null is not there.'),
    }),
    [],
  ),
  tombstone: key(
    choice('dead-letter', 'skip', 'delete'),
    'dead-letter',
    'What a record without a value is. `delete` (mode `latest`): the newest value of its stream is gone, and clients are told.',
  ),
  mode: key(choice('ordered', 'latest'), 'ordered', '`ordered`: all messages count. `latest`: only the newest does.'),
  history: section('What is kept for clients that come back.', {
    size: key(whole(0, 100_000), 100, 'Messages kept for each user. 0: no history, no positions.'),
    ttl: durationKey('1h', 'How long they are kept.'),
    maxBytes: sizeKey(
      '0',
      'Bytes of messages kept for each user: the oldest go first, the newest one stays whatever its size. 0: only `size` counts.',
      size(0),
    ),
  }),
  slow: live(key(slow, 'queue', SLOW_DOC)),
  queueBytes: live(sizeKey('256kb', 'What may wait for one slow client.')),
  ttl: live(durationKey(0, 'Records older than this on arrival are not delivered. 0: no limit.')),
  ack: flagKey(false, 'Clients acknowledge; one that comes back without a position gets all after its last ack.'),
  ackTimeout: durationKey(
    ACK_TIMEOUT,
    'With `ack` and `deliveries`: a message that is not acknowledged for this long is `unacked`.',
    duration(100),
  ),
  deliveries: flagKey(false, 'What becomes of each message to a user is written to Kafka: see `deliveries`.'),
  snapshot: flagKey(false, 'Mode `latest`: a client that subscribes gets the newest message at once.'),
  guests: flagKey(false, 'Clients without a token may subscribe to its public messages.'),
  clientVisible: flagKey(true, 'Clients may subscribe. Otherwise the name is unknown to them.'),
  keysPerConnection: key(whole(1, 100_000), 200, 'With `map.keyed`: keys that a connection may subscribe to.'),
  keyAccess: key(
    keyAccess,
    'any',
    'With `map.keyed`: who may have which keys. `claim:<name>`: those that this claim of the token lists.',
  ),
  audience: section('Who gets a record.', {
    fromKey: flagKey(false, 'The record key is the user when nothing else in the record says who.'),
  }),
});

export const trafficKeys = {
  topics: map('The topics, by name. They are consumed beside those of `kafka.topics`.', topic, {
    entryName: name,
    namesFrom: ['kafka', 'topics'],
    presets: {
      'balance-updates': { type: 'balance_update', mode: 'latest', snapshot: true, slow: 'conflate' },
      notifications: { type: 'notification' },
      'user-blocks': { type: 'user_block', history: { size: 0 } },
      wss: { type: 'update_subscription', format: 'wss', history: { size: 0 } },
    },
  }),
  rooms: section('Messages to rooms.', {
    history: section('What is kept for clients that come back.', {
      size: key(whole(0, 100_000), 0, 'Messages kept for each room. 0: no history, no positions.'),
      ttl: durationKey('1m', 'How long they are kept.'),
      maxBytes: sizeKey('0', 'Bytes of messages kept for each room, as for topics. 0: only `size` counts.', size(0)),
    }),
    slow: key(slow, 'queue', SLOW_DOC),
    queueBytes: sizeKey('256kb', 'What may wait for one slow client.'),
  }),
  hubs: list(
    'Hubs at /websocket/{hub}, where users talk to each other.',
    section('', {
      name: key(name, '', 'Name in the path.'),
      grpcPort: key(port, 0, 'gRPC port of the hub. 0: 50051 and its place in the list.'),
    }),
    [{ name: 'main', grpcPort: 50051 }],
  ),
};
