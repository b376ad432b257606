import {
  addresses,
  choice,
  duration,
  kafkaTopic,
  names,
  optionalAddresses,
  pattern,
  text,
  url,
  whole,
} from '../language/formats.js';
import { durationKey, flagKey, section, key, secret } from '../language/schema-node.js';

export const kafka = section('Where records come from.', {
  bootstrapServers: key(addresses, 'localhost:9092', 'Brokers to begin with.'),
  groupId: key(
    pattern('group', /^[A-Za-z0-9._-]{1,249}$/, 'a group id: A-Z a-z 0-9 . _ -'),
    'ws-gateway',
    'Consumer group.',
  ),
  topics: key(
    names,
    ['balance-updates', 'user-blocks', 'notifications', 'wss'],
    'Topics to consume, beside those of `topics`. A name that is only here has the defaults of its kind.',
  ),
  createTopics: flagKey(false, 'Create missing topics when the node starts. Otherwise they are waited for.'),
  fromBeginning: flagKey(
    false,
    'Read what is already in a topic that exists when the group first sees it. Topics made later begin at their first record.',
  ),
  deadLetterTopic: key(kafkaTopic, '', 'Where unusable records go. Empty: `<groupId>-dlq`.'),
  tls: section('TLS towards the brokers.', {
    enabled: flagKey(false, 'Use TLS.'),
    caFile: key(text, '', 'Authorities to trust, PEM. Empty: those of the system.'),
    certFile: key(text, '', 'Own certificate, PEM; together with `keyFile`.'),
    keyFile: key(text, '', 'Own private key, PEM.'),
    verify: flagKey(true, 'Check the certificate of the broker.'),
  }),
  sasl: section('Login at the brokers.', {
    mechanism: key(
      choice('', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'aws-msk-iam'),
      '',
      'Empty: no login.',
    ),
    username: key(text, '', 'User name, for `plain` and `scram-…`.'),
    password: secret('Password, for `plain` and `scram-…`.'),
    oauth: section('For `oauthbearer`: client credentials (RFC 6749, 4.4). The token is renewed before it expires.', {
      tokenUrl: key(url('http', 'https'), '', 'Where tokens are asked for.'),
      clientId: key(text, '', 'Name of this client.'),
      clientSecret: secret('Its secret.'),
      scope: key(text, '', 'Scopes to ask for, separated by spaces. Empty: those the server gives by itself.'),
    }),
    awsMskIam: section('For `aws-msk-iam`, by the AWS identity of the process (docs/operations-redis-kafka.md).', {
      region: key(
        pattern('AWS region', /^([a-z]{2}(-[a-z]+)+-[0-9]+)?$/, 'a region, such as eu-central-1'),
        '',
        'Region of the cluster, such as `eu-central-1`.',
      ),
      roleArn: key(
        pattern(
          'role',
          /^(arn:[a-z-]+:iam::[0-9]{12}:role\/.+)?$/,
          'the ARN of a role, arn:aws:iam::123456789012:role/name',
        ),
        '',
        'Role to take on first. Empty: the identity as it is.',
      ),
    }),
  }),
});

export const schemaRegistry = section('Where the schemas of formats `avro`, `protobuf` and `json-schema` are.', {
  url: key(url('http', 'https'), '', 'Its address, such as https://registry:8081. Empty: none.'),
  username: key(text, '', 'User name. Empty: no login.'),
  password: secret('Password.'),
  token: secret('Bearer token; it takes the place of user name and password.'),
  tls: section('For https.', {
    caFile: key(text, '', 'Authorities to trust, PEM. Empty: those of the system.'),
    certFile: key(text, '', 'Own certificate, PEM; together with `keyFile`.'),
    keyFile: key(text, '', 'Own private key, PEM.'),
    verify: flagKey(true, 'Check the certificate of the registry.'),
  }),
  timeout: durationKey(
    '5s',
    'How long an answer may take. Without one the topics that need a schema wait.',
    duration(100),
  ),
});

export const redis = section('The server that nodes share.', {
  addr: key(addresses, 'localhost:6379', 'Server; in mode `cluster` several of its nodes.'),
  username: key(text, '', 'User name (ACL). Empty: the default user.'),
  password: secret('Password.'),
  db: key(whole(0, 16_383), 0, 'Number of the database.'),
  keyPrefix: key(
    pattern('prefix', /^[A-Za-z0-9._:-]{1,64}$/, '1 to 64 characters of A-Z a-z 0-9 . _ : -'),
    'wsg',
    'What all keys begin with. Gateways with the same prefix on one server are one cluster.',
  ),
  mode: key(choice('standalone', 'sentinel', 'cluster'), 'standalone', 'How the server is set up.'),
  sentinel: section('For mode `sentinel`.', {
    name: key(text, '', 'Name of the master group.'),
    nodes: key(optionalAddresses, [], 'The sentinels. `redis.addr` is not used.'),
    username: key(text, '', 'User name at the sentinels.'),
    password: secret('Password at the sentinels.'),
  }),
  partitions: key(
    whole(1, 1024),
    1,
    'Parts the keys are divided into: 1 for one server, 16 or more for a cluster. The same on all nodes; a change is a new, empty cluster.',
  ),
  partitioner: key(
    choice('crc32', 'murmur2'),
    'crc32',
    'What divides the keys: take the one that your producers choose Kafka partitions with, `murmur2` (Java, kafkajs, franz-go) or `crc32` (librdkafka), and calls stay large. The same on all nodes; a change is a new, empty cluster.',
  ),
  tls: flagKey(false, 'Use TLS, in mode `sentinel` towards the sentinels, too.'),
  tlsFiles: section('For `tls`.', {
    caFile: key(text, '', 'Authorities to trust, PEM. Empty: those of the system.'),
    certFile: key(text, '', 'Own certificate, PEM; together with `keyFile`.'),
    keyFile: key(text, '', 'Own private key, PEM.'),
    verify: flagKey(true, 'Check the certificate of the server.'),
  }),
});
