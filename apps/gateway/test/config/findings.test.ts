import { describe, expect, test } from '@jest/globals';
import { findingsText } from '../../src/config/language/finding.js';
import { findingsOf, load, loadWithSecret } from './loading.js';

describe('wrong values', () => {
  test.each([
    ['server: {port: eighty}', 'server.port: must be a whole number from 0 to 65535, not "eighty"'],
    ['server: {port: "8080"}', 'server.port: must be a whole number from 0 to 65535, not "8080"'],
    ['server: {port: 65536}', 'server.port: must be a whole number from 0 to 65535, not 65536'],
    ['server: {port: {a: {b: 1}}}', 'server.port: must be a value (whole number from 0 to 65535), not a map'],
    ['server: 8080', 'server: must be a map of keys'],
    ['server: {workers: 0}', 'server.workers: must be a whole number from 1 to 256'],
    ['server: {heartbeat: 5s}', 'server.heartbeat: must be from 8s to 15m, not "5s"'],
    ['server: {heartbeat: 1h}', 'server.heartbeat: must be from 8s to 15m, not "1h"'],
    ['server: {proxyProtocol: "yes"}', 'server.proxyProtocol: must be true or false, not "yes"'],
    [
      'server: {allowedOrigins: [app.example.com]}',
      'server.allowedOrigins: must be a list of origins such as https://app.example.com, not "app.example.com"',
    ],
    [
      'server: {trustProxy: [10.0.0.0/33]}',
      'server.trustProxy: must be a list of addresses or networks such as 10.0.0.0/8, not "10.0.0.0/33"',
    ],
    [
      'kafka: {bootstrapServers: localhost}',
      'kafka.bootstrapServers: must be host:port, or several of them separated by commas, not "localhost"',
    ],
    ['kafka: {topics: ["a b", ok, ""]}', 'A-Z a-z 0-9 . _ -), not "a b", ""'],
    ['kafka: {bootstrapServers: ["a:1", b, 3]}', 'separated by commas, not "b", 3'],
    ['auth: {algorithms: [none, HS256, foo]}', 'EdDSA, not "none", "foo"'],
    [
      'kafka: {topics: ["a b"]}',
      'kafka.topics: must be a list of names (each 1 to 128 characters of A-Z a-z 0-9 . _ -), not "a b"',
    ],
    ['kafka: {topics: notifications}', 'kafka.topics: must be a list of names, not "notifications"'],
    ['kafka: {driver: kafkajs}', 'kafka.driver: unknown key'],
    ['kafka: {groupId: ""}', 'kafka.groupId: must be a group id'],
    ['redis: {keyPrefix: "a{b}"}', 'redis.keyPrefix: must be 1 to 64 characters'],
    ['redis: {password: 12345}', 'redis.password: must be text (put it in quotes)'],
    ['engine: nats', 'engine: must be one of redis, memory, not "nats"'],
    ['role: leader', 'role: must be one of all, edge, router, not "leader"'],
    ['auth: {algorithms: [none]}', 'auth.algorithms: must be a list of words out of HS256'],
    ['auth: {jwksUrl: "ftp://x/y"}', 'auth.jwksUrl: must be a URL that begins with http:// or https://'],
    ['topics: {"a b": {}}', 'topics.a b: the name must be a name: 1 to 128 characters'],
    ['topics: {orders: {slow: drop}}', 'topics.orders.slow: must be one of queue, conflate, drop-oldest, not "drop"'],
    ['topics: {orders: {queueBytes: lots}}', 'topics.orders.queueBytes: must be a size in bytes or with a unit'],
    ['topics: {orders: 1}', 'topics.orders: must be a map of keys'],
    ['topics: {orders: {format: xml}}', 'topics.orders.format: must be one of envelope, wss, json, text, '],
    ['topics: {orders: {map: {usr: key}}}', 'topics.orders.map.usr: the name must be one of user, users, room'],
    ['topics: {orders: {map: {user: 1}}}', 'topics.orders.map.user: must be a selector such as value:/id or key'],
    [
      'topics: {orders: {when: [{field: key, in: [[1]]}]}}',
      'topics.orders.when[0].in: must be a list of texts, numbers',
    ],
    ['topics: {orders: {tombstone: drop}}', 'topics.orders.tombstone: must be one of dead-letter, skip, delete'],
    ['topics: [orders]', 'topics: must be a map'],
    ['admin: {tokens: {alice: ""}}', 'admin.tokens.alice: must not be empty'],
    ['admin: {token: t, tokens: {alice: t}}', 'admin.tokens.alice: must differ from admin.token: it is the same token'],
    [
      'admin: {tokens: {alice: t}, readOnlyTokens: {bob: t}}',
      'admin.readOnlyTokens.bob: must differ from admin.tokens.alice: it is the same token',
    ],
    ['admin: {tokens: {admin: t}}', 'admin.tokens.admin: must be called something else'],
    ['admin: {tokens: {a: t}, readOnlyTokens: {a: u}}', 'admin.readOnlyTokens.a: must not be in admin.tokens, too'],
    ['admin: {tokens: {"a b": t}}', 'admin.tokens.a b: the name must be a name: letters, digits'],
    ['admin: {tokens: {alice: "t "}}', 'admin.tokens.alice: must not begin or end with white space'],
    ['hubs: [{grpcPort: 1}]', 'hubs[0].name: must be a name'],
    ['hubs: {main: 1}', 'hubs: must be a list of maps'],
    ['hubs: [main]', 'hubs[0]: must be a map of keys'],
    ['sessions: {policy: oldest}', 'sessions.policy: must be one of reject, replace, not "oldest"'],
    ['limits: {badRequests: -1}', 'limits.badRequests: must be a whole number from 0, not -1'],
    ['logger: {level: verbose}', 'logger.level: must be one of error, warn, info, debug'],
    ['logger: {loki: {labels: {env: 1}}}', 'logger.loki.labels.env: must be text'],
    ['metrics: {path: metrics}', 'metrics.path: must be a path such as /metrics'],
  ])('%s', (yaml, finding) => {
    expect(findingsOf(loadWithSecret(yaml))).toEqual([expect.stringContaining(finding)]);
  });
});

describe('unknown keys', () => {
  test.each([
    ['sever: {}', 'sever: unknown key; did you mean server?'],
    ['server: {Port: 1}', 'server.Port: unknown key; did you mean port?'],
    ['server: {drain: {durations: 1s}}', 'server.drain.durations: unknown key; did you mean duration?'],
    ['topics: {orders: {kafka_topic: a}}', 'topics.orders.kafka_topic: unknown key; did you mean kafkaTopic?'],
    ['hubs: [{name: main, port: 1}]', 'hubs[0].port: unknown key'],
    ['__proto__: {a: 1}', '__proto__: unknown key'],
    ['constructor: {prototype: {a: 1}}', 'constructor: unknown key'],
  ])('%s', (yaml, finding) => {
    expect(findingsOf(loadWithSecret(yaml))).toEqual([finding]);
  });
});

describe('impossible combinations', () => {
  test.each([
    ['engine: memory\nrole: edge', ['role: edge needs engine redis: memory is not shared by nodes']],
    [
      'engine: memory\nserver: {workers: 2}',
      ['server.workers: more than one needs engine redis: memory is not shared by processes'],
    ],
    [
      'server: {drain: {duration: 1m, deadline: 30s}}',
      ['server.drain.duration: must not be longer than server.drain.deadline'],
    ],
    [
      'server: {proxyProtocol: true, tls: {certFile: package.json, keyFile: package.json}}',
      [
        'server.tls: cannot use package.json with package.json: error:0480006C:PEM routines::no start line',
        'server.proxyProtocol: cannot be used together with server.tls: let the proxy end TLS',
      ],
    ],
    ['server: {port: 0, workers: 2}', ['server.port: must be given when workers share it']],
    ['auth: {algorithms: []}', ['auth.algorithms: must name at least one algorithm']],
    ['auth: {algorithms: [RS256]}', ['auth.algorithms: RS256 needs auth.publicKeyFile or auth.jwksUrl']],
    ['auth: {algorithms: [HS256, EdDSA]}', ['auth.algorithms: EdDSA needs auth.publicKeyFile or auth.jwksUrl']],
    ['auth: {jwksUrl: "https://a/b"}', ['auth.algorithms: none of them uses the public key that is configured']],
    ['auth: {algorithms: [ES256], publicKeyFile: /none.pem}', ['auth.publicKeyFile: cannot read /none.pem: ENOENT']],
    [
      'auth: {algorithms: [ES256], publicKeyFile: /dev/null, jwksUrl: "https://a/b"}',
      ['auth.jwksUrl: cannot be used together with auth.publicKeyFile'],
    ],
    ['auth: {queryParams: []}', ['auth.queryParams: must name at least one parameter']],
    ['auth: {queryParams: [token, topics]}', ['auth.queryParams: topics is a parameter of its own']],
    ['auth: {userClaim: ""}', ['auth.userClaim: must name a claim']],
    ['sessions: {policy: replace}', ['sessions.policy: replace needs sessions.max of 1 or more']],
    ['server: {tls: {certFile: /dev/null}}', ['server.tls.keyFile: missing: certFile needs its key']],
    ['grpc: {tls: {keyFile: /dev/null}}', ['grpc.tls.certFile: missing: keyFile needs its certificate']],
    [
      'subscriptions: {enabled: true, kafkaTopic: wss}',
      ['subscriptions.kafkaTopic: wss is consumed as well: its records would go round in circles'],
    ],
    ['grpc: {descriptorFiles: [/none.binpb]}', ['grpc.descriptorFiles[0]: cannot read /none.binpb: ENOENT']],
    ['grpc: {tls: {clientCaFile: /dev/null}}', ['grpc.tls.certFile: missing: clientCaFile needs TLS']],
    ['kafka: {tls: {caFile: /none.pem}}', ['kafka.tls.caFile: cannot read /none.pem: ENOENT']],
    [
      'redis: {tlsFiles: {caFile: package.json}}',
      [
        'redis.tlsFiles.caFile: must hold the certificate of an authority, not what is in package.json: error:0480006C:PEM routines::no start line',
      ],
    ],
    ['redis: {tlsFiles: {certFile: /dev/null}}', ['redis.tlsFiles.keyFile: missing: certFile needs its key']],
    [
      'kafka: {sasl: {username: u, password: p}}',
      ['kafka.sasl.mechanism: must be plain or scram-… where kafka.sasl.username is set'],
    ],
    [
      'kafka: {sasl: {mechanism: PLAIN}}',
      [
        'kafka.sasl.username: missing: kafka.sasl.mechanism plain needs username, password',
        'kafka.sasl.password: missing: kafka.sasl.mechanism plain needs username, password',
      ],
    ],
    [
      'kafka: {sasl: {mechanism: oauthbearer, oauth: {tokenUrl: "https://idp/token", clientId: me}}}',
      [
        'kafka.sasl.oauth.clientSecret: missing: kafka.sasl.mechanism oauthbearer needs oauth.tokenUrl, oauth.clientId, oauth.clientSecret',
      ],
    ],
    [
      'kafka: {sasl: {mechanism: aws-msk-iam, username: u}}',
      [
        'kafka.sasl.mechanism: must be plain or scram-… where kafka.sasl.username is set',
        'kafka.sasl.awsMskIam.region: missing: kafka.sasl.mechanism aws-msk-iam needs awsMskIam.region',
      ],
    ],
    [
      'kafka: {sasl: {mechanism: aws-msk-iam, awsMskIam: {region: Frankfurt}}}',
      ['kafka.sasl.awsMskIam.region: must be a region, such as eu-central-1, not "Frankfurt"'],
    ],
    ['redis: {addr: "a:1,b:2"}', ['redis.addr: must be one address in mode standalone']],
    [
      'redis: {mode: sentinel}',
      [
        'redis.sentinel.name: missing: needed in mode sentinel',
        'redis.sentinel.nodes: missing: needed in mode sentinel',
      ],
    ],
    ['redis: {mode: cluster, db: 1}', ['redis.db: must be 0 in mode cluster']],
    ['role: router\nkafka: {topics: []}', ['kafka.topics: must name at least one topic for a router']],
    ['topics: {notifications: {snapshot: true}}', ['topics.notifications.snapshot: needs mode latest']],
    ['topics: {wss: {ack: true}}', ['topics.wss.ack: needs a history']],
    [
      'topics: {notifications: {ackTimeout: 5s}}',
      ['topics.notifications.ackTimeout: needs ack: clients of this topic do not acknowledge'],
    ],
    [
      'topics: {user-blocks: {deliveries: true}}',
      ['topics.user-blocks.deliveries: cannot be true for user-blocks: its records are commands'],
    ],
    [
      'deliveries: {outcomes: [offline, unacked]}\ntopics: {notifications: {deliveries: true}}',
      ['deliveries.outcomes: unacked needs a topic with deliveries and ack'],
    ],
    [
      'deliveries: {enabled: true, kafkaTopic: notifications}',
      ['deliveries.kafkaTopic: notifications is consumed as well: its records would go round in circles'],
    ],
    ['tracing: {ratio: 2}', ['tracing.ratio: must be a number from 0 to 1, not 2']],
    [
      'topics: {a: {format: json}}',
      ['topics.a.map: format json needs one of map.user, map.users, map.room, map.hub, map.keyed, map.audience'],
    ],
    [
      'topics: {a: {format: debezium}}',
      [expect.stringContaining('topics.a.map: format debezium needs one of map.user')],
    ],
    ['topics: {a: {format: cloudevents}}', []],
    [
      'topics: {a: {format: json, map: {user: key, room: topic}}}',
      ['topics.a.map.room: cannot be used beside map.user'],
    ],
    [
      'topics: {a: {format: json, map: {user: key, keyed: key}}}',
      ['topics.a.map.keyed: cannot be used beside map.user'],
    ],
    ['topics: {a: {format: json, map: {keyed: key}, keyAccess: "claim:desks"}}', []],
    ['topics: {a: {keyAccess: "claim:desks"}}', ['topics.a.keyAccess: needs map.keyed']],
    [
      'topics: {a: {format: json, map: {keyed: key}, ack: true}}',
      ["topics.a.ack: cannot be used with map.keyed: acknowledgements are of a user's own stream"],
    ],
    [
      'topics: {a: {format: json, map: {keyed: key}, deliveries: true}}',
      [expect.stringContaining('topics.a.deliveries: cannot be used with map.keyed')],
    ],
    [
      'topics: {hub: {}}',
      ['topics.hub: no topic can have this name, set kafkaTopic to it and call the topic otherwise'],
    ],
    ['topics: {a: {format: cloudevents, map: {room: key}}}', []],
    ['topics: {a: {format: avro, map: {user: key}}}', ['topics.a.format: avro needs schemaRegistry.url']],
    ['topics: {a: {map: {user: key}}}', ['topics.a.map: format envelope has members of fixed names, and no map']],
    [
      'topics: {a: {format: json, map: {user: [key, value:id]}}}',
      ['topics.a.map.user: "value:id" holds no JSON pointer: "id" must be empty or begin with /, and ~ is written ~0'],
    ],
    [
      'topics: {a: {format: json, map: {user: row:/id, id: "header:"}}}',
      [
        'topics.a.map.user: "row:/id" is no selector: must be key, header:<name>, key:<pointer>, value:<pointer>, topic or =text',
        'topics.a.map.id: "header:" names no header',
      ],
    ],
    ['topics: {a: {format: json, map: {user: ""}}}', ['topics.a.map.user: missing']],
    [
      'topics: {a: {format: text, map: {user: "value:/id"}}}',
      ['topics.a.map.user: "value:/id" finds nothing: a record of format text has no parts'],
    ],
    [
      'topics: {a: {when: [{field: "value:/a"}, {in: [1]}]}}',
      ['topics.a.when[1].field: missing', 'topics.a.when[0]: must have one of in, notIn, exists'],
    ],
    ['topics: {a: {tombstone: delete}}', ['topics.a.tombstone: delete needs mode latest']],
    ['topics: {a: {mode: latest, tombstone: delete}}', []],
    [
      'topics: {user-blocks: {format: json, map: {room: key}}}',
      ['topics.user-blocks.map.room: must be map.user or map.users: records of user-blocks are about users'],
    ],
    [
      'topics: {a: {kafkaTopic: notifications}}',
      ['topics.notifications.kafkaTopic: notifications is the same as topics.a.kafkaTopic'],
    ],
    [
      'kafka: {deadLetterTopic: wss}',
      ['kafka.deadLetterTopic: wss is consumed as well: its records would go round in circles'],
    ],
    [
      'topics: {ws-inbound: {}}\ninbound: {enabled: true}',
      ['inbound.kafkaTopic: ws-inbound is consumed as well: its records would go round in circles'],
    ],
    ['hubs: [{name: a}, {name: a}]', ['hubs[1].name: a is the same as hubs[0].name']],
    ['hubs: [{name: a, grpcPort: 9003}]', ['hubs[0].grpcPort: 9003 is the same as grpc.port']],
    ['grpc: {port: 8080}', ['grpc.port: 8080 is the same as server.port']],
    ['backends: {ws: [{name: ws, url: "ws://b"}]}', ['backends.ws[0].path: /ws is a path of the gateway itself']],
    ['backends: {ws: [{name: a}]}', ['backends.ws[0].url: missing']],
    ['metrics: {path: /ready}', ['metrics.path: /ready is a path of the gateway itself']],
    ['commands: {buy: {backend: shop}}', ['commands.buy.backend: shop is not in backends.http']],
  ])('%s', (yaml, findings) => {
    expect(findingsOf(loadWithSecret(yaml))).toEqual(findings);
  });

  test.each([
    'server: {port: 0}\ngrpc: {port: 0}',
    'grpc: {enabled: false, port: 8080}',
    'role: router\nauth: {algorithms: [RS256]}',
    'engine: memory\nredis: {addr: "a:1,b:2"}',
    'redis: {mode: cluster, addr: ["a:1", "b:2"], partitions: 16}',
    'kafka: {sasl: {mechanism: SCRAM-SHA-512, username: u, password: p}}',
    'server: {allowedOrigins: ["null", "https://a.example:8443"], trustProxy: ["10.0.0.0/8", "::1"]}',
  ])('%s is possible', (yaml) => {
    expect(findingsOf(loadWithSecret(yaml))).toEqual([]);
  });

  test('a router needs no secret: it verifies nobody', () => {
    expect(load('role: router').findings).toEqual([]);
  });
});

describe('all findings come at once', () => {
  const yaml =
    'server: {port: x, tls: 1}\nkafak: {}\ntopics: {a: {mode: b}}\nauth: {algorithms: [RS256]}\nengine: memory\nrole: edge';

  test('wrong types, unknown keys and combinations, file and environment, with their sources', () => {
    const { findings } = load(yaml, { env: { WSGATEWAY_REDIS_DB: 'zero', WSGATEWAY_REDIS_BD: '1', HTTP_PORT: '' } });
    expect(findings.map(({ path, source }) => [path, source?.replace(/.*(config.yaml)/, '$1')])).toEqual([
      ['WSGATEWAY_REDIS_BD', undefined],
      ['kafak', 'config.yaml'],
      ['server.tls', 'config.yaml'],
      ['server.port', 'config.yaml'],
      ['redis.db', 'environment WSGATEWAY_REDIS_DB'],
      ['topics.a.mode', 'config.yaml'],
      ['role', 'config.yaml'],
      ['auth.algorithms', 'config.yaml'],
    ]);
  });

  test('and are said line by line', () => {
    expect(findingsText(load(yaml).findings)).toMatch(
      /^6 problems in the configuration:\n {2}kafak: unknown key; did you mean kafka\? \(.*config\.yaml:2:1\)\n/,
    );
  });

  test.each([
    ['hubs: [{name: main}, {name: main}, {nme: x}]', ['hubs[2].nme', 'hubs[2].name', 'hubs[1].name']],
    ['topics: {b: {snapshot: true}, c: {slow: q}}', ['topics.c.slow', 'topics.b.snapshot']],
    [
      'backends: {http: {user: {url: "ftp://x"}}}\ncommands: {foo: {backend: nope}}',
      ['backends.http.user.url', 'commands.foo.backend'],
    ],
    ['topics: {b: {snapshot: true, slow: q}}', ['topics.b.slow']],
  ])('also combinations beside an entry that is wrong: %s', (yaml, paths) => {
    expect(loadWithSecret(yaml).findings.map(({ path }) => path)).toEqual(paths);
  });

  test('but what follows from another finding alone is left out', () => {
    expect(findingsOf(load('auth: {secret: 5}'))).toEqual(['auth.secret: must be text (put it in quotes)']);
  });
});

describe('a finding names the place in the file', () => {
  const places = (yaml: string): string[] =>
    loadWithSecret(yaml).findings.map(({ path, line, column }) => `${path} ${line}:${column}`);

  test.each([
    ['server:\n  port: 8080\n  prot: 1\n', ['server.prot 3:3']],
    ['hubs:\n  - name: main\n  - { name: other, nme: x }\n', ['hubs[1].nme 3:20']],
    ['# one\r\n\r\ntopics:\r\n  a.b:\r\n    slow: q\r\n', ['topics.a.b.slow 5:5']],
    ['kafka: {topics: [ok, "a b"]}', ['kafka.topics 1:9']],
    ['topics: {a: &a {slow: q}, b: *a}', ['topics.a.slow 1:17', 'topics.b.slow 1:27']],
    ['server:\n  drain: {duration: 1m, deadline: 30s}\n', ['server.drain.duration 2:11']],
  ])('%j', (yaml, expected) => {
    expect(places(yaml)).toEqual(expected);
  });

  test('a value of the environment has a source and no place', () => {
    const [finding] = loadWithSecret('server: {port: 1}', { env: { WSGATEWAY_SERVER_PORT: 'x' } }).findings;
    expect(finding).toEqual({
      path: 'server.port',
      message: 'must be a whole number from 0 to 65535, not "x"',
      source: 'environment WSGATEWAY_SERVER_PORT',
    });
  });
});
