import { outcomes, type Outcome } from '@ws-gateway/core';
import {
  choice,
  duration,
  kafkaTopic,
  names,
  networks,
  origins,
  path,
  pattern,
  port,
  share,
  text,
  texts,
  url,
  whole,
  words,
} from '../language/formats.js';
import {
  durationKey,
  flagKey,
  live,
  liveForNewSockets,
  section,
  key,
  map,
  secret,
  sizeKey,
} from '../language/schema-node.js';

const HOUR_MS = 3_600_000;
const actorName = pattern('name', /^[A-Za-z0-9._@-]{1,64}$/, 'a name: letters, digits and . _ @ -, at most 64');

/** Default of `deliveries.outcomes`. */
export const OUTCOMES_TOLD: readonly Outcome[] = outcomes.filter((outcome) => outcome !== 'delivered');

export const server = section('The port that clients connect to.', {
  host: key(text, '::', 'Address to listen on. `::` is all of them, IPv4 and IPv6; without IPv6 it is `0.0.0.0`.'),
  port: key(port, 8080, 'Port of WebSockets, health, metrics and the HTTP API. 0: any free one.'),
  workers: key(
    whole(1, 256),
    1,
    'Gateway processes that share the port. Each of them is a node, so what is said of one node holds for each. /health, /ready and /metrics speak for all of them.',
  ),
  readTimeout: durationKey(
    '10s',
    'How long a handshake may take from the last byte of the request to the answer, then 503. The request itself has 10 s to arrive, which uWebSockets.js does not let change (it looks every 4 s).',
    duration(1, HOUR_MS),
  ),
  writeTimeout: durationKey(
    '10s',
    'How long a client may take to receive an HTTP answer; then it is cut off. With `proxyProtocol`: 10 s without progress.',
    duration(1, HOUR_MS),
  ),
  allowedOrigins: liveForNewSockets(
    key(
      origins,
      [],
      'Values of the `Origin` header that are let in; `null` only if it is listed. Empty: all of them. A request without the header is always let in.',
    ),
  ),
  subprotocols: key(
    names,
    [],
    'Names in `Sec-WebSocket-Protocol` that are accepted and selected besides `wsg.v1` and `bearer`. A list of unknown names only is refused with 400.',
  ),
  trustProxy: key(
    networks,
    [],
    'Addresses or networks of proxies that are believed about the address of the client (`X-Forwarded-For`, PROXY protocol). Empty: no `X-Forwarded-For` is.',
  ),
  proxyProtocol: flagKey(
    false,
    'The proxy in front speaks the PROXY protocol, version 2: its header tells the address of the client. Believed from `trustProxy`, or, when that is empty, from everybody: then nobody but the proxy may reach the port. Without a header a connection counts under its own address.',
  ),
  tls: section('TLS on this port: both files or none.', {
    certFile: key(text, '', 'Certificate chain, PEM.'),
    keyFile: key(text, '', 'Private key, PEM.'),
  }),
  heartbeat: durationKey(
    '25s',
    'Time between two pings. A client that stays silent to them is closed.',
    duration(8_000, 900_000),
  ),
  drain: section('What happens at SIGTERM and by `ws-gateway drain`.', {
    duration: durationKey(
      '30s',
      'The closes of all sockets are spread over this time. At least 50 sockets a second are closed, so few need less.',
      duration(0, HOUR_MS),
    ),
    deadline: durationKey('45s', 'After this time the process ends, whatever is left.', duration(1, HOUR_MS)),
  }),
});

export const sse = section(
  'Server-sent events: for clients to whom WebSockets are cut, and for those that have none.',
  {
    enabled: flagKey(true, 'Serve them.'),
    path: key(path, '/sse', 'Where they are served, on `server.port`.'),
  },
);

/** Keys of what operators and back ends see of the gateway. */
export const operationKeys = {
  ops: section(
    'A port of its own for operators: health, readiness, ping, metrics, the HTTP API and the console, in plain HTTP.',
    {
      host: key(text, '', 'Address to listen on. Empty: `server.host`.'),
      port: key(port, 0, 'Port. 0: all of it is on `server.port`.'),
    },
  ),
  grpc: section('The notification service that backends call.', {
    enabled: flagKey(true, 'Open the gRPC port and one more for each hub.'),
    host: key(
      text,
      '',
      'Address to listen on. Empty: `server.host`. Without `token` and `clientCaFile` everybody who reaches the port may send to all users: then let it be a loopback address.',
    ),
    port: key(port, 9003, 'Port of the service.'),
    token: secret('If set, callers must send `authorization: Bearer <token>`.'),
    maxMessageBytes: sizeKey('256kb', 'Size of a request; a longer one ends RESOURCE_EXHAUSTED.'),
    descriptorFiles: key(
      texts,
      [],
      'FileDescriptorSets (`protoc --include_imports -o`) or .proto files: the types of messages, beside the well-known ones.',
    ),
    tls: section('TLS on the gRPC ports: certificate and key, or none.', {
      certFile: key(text, '', 'Certificate chain, PEM.'),
      keyFile: key(text, '', 'Private key, PEM.'),
      clientCaFile: key(text, '', 'If set, callers need a certificate of this authority, PEM.'),
    }),
  }),
  admin: section('The HTTP API under /api.', {
    token: live(secret('Bearer token of the API, of the actor `admin`. Without any token there is no API (404).')),
    tokens: map(
      'More tokens, by the name of who has them: the log says who changed what.',
      live(secret('Token of this actor.')),
      { entryName: actorName },
    ),
    readOnlyTokens: map(
      'Tokens that may look (GET) and change nothing, by the name of who has them.',
      live(secret('Token of this actor.')),
      { entryName: actorName },
    ),
  }),
  console: section('The console page at /.', { enabled: flagKey(false, 'Serve the page. `dev` turns it on.') }),
  presence: section('Events about connections, written to Kafka.', {
    enabled: flagKey(false, 'Write them.'),
    kafkaTopic: key(
      kafkaTopic,
      'ws-presence',
      'Kafka topic they are written to, under the user as key: `event` (connected, disconnected, expired), `user_id`, `connection_id`, `node`, `since`, `reason`, `timestamp`. `since` is when the connection became its user’s (RFC 3339): the same in all events of that time, later when the command `authentication` makes it the user’s again.',
    ),
  }),
  subscriptions: section('Events about subscription ids, written to Kafka for those who produce `wss` records.', {
    enabled: flagKey(false, 'Write them.'),
    kafkaTopic: key(kafkaTopic, 'ws-subscriptions', 'Kafka topic they are written to.'),
  }),
  inbound: section('Messages from clients, written to Kafka for backends.', {
    enabled: flagKey(false, 'Write them, and allow the command `send` on every endpoint.'),
    kafkaTopic: key(kafkaTopic, 'ws-inbound', 'Kafka topic they are written to.'),
  }),
  deliveries: section('What became of each message to a user, written to Kafka for those who produced it.', {
    enabled: flagKey(false, 'Write it, for topics that have `deliveries`.'),
    kafkaTopic: key(
      kafkaTopic,
      'ws-deliveries',
      'Kafka topic it is written to, under the user as key: see docs/records.md.',
    ),
    outcomes: key(words(...outcomes), OUTCOMES_TOLD, 'Outcomes that are written. Each message has exactly one.'),
    offlineAfter: durationKey(
      '5s',
      'A message that no connection of its user has taken for this long is `offline`, for good.',
      duration(100),
    ),
  }),
  tracing: section('Spans for OpenTelemetry: `consume`, `route` and `deliver` of single records.', {
    otlpUrl: key(
      url('http', 'https'),
      '',
      'Where they are sent by OTLP/HTTP, as JSON: the whole address, such as http://collector:4318/v1/traces. Empty: there are none.',
    ),
    ratio: key(
      share,
      0,
      'Share of the records without a header `traceparent` that get spans, from 0 to 1. Those with one are as it says.',
    ),
    frames: flagKey(
      false,
      'The frames of such records have a member `traceparent`, for what the client does with them.',
    ),
  }),
  logger: section('Logs on standard output.', {
    level: live(key(choice('error', 'warn', 'info', 'debug'), 'info', 'The least important level that is written.')),
    format: key(choice('json', 'pretty'), 'json', '`json`: one object a line. `pretty`: for people.'),
    environment: key(
      text,
      '',
      'Name of the environment, such as dev or prod: field `env` of each line, label `env` at Loki.',
    ),
    loki: section('Lines are also pushed to Loki.', {
      url: key(url('http', 'https'), '', 'Push address, such as http://loki:3100/loki/api/v1/push. Empty: off.'),
      labels: map('Labels of the log stream.', key(text, '', 'Value of the label.'), {
        entryName: pattern('label', /^[A-Za-z_][A-Za-z0-9_]*$/, 'a label name: letters, digits and _'),
      }),
    }),
  }),
  metrics: section('Metrics for Prometheus.', {
    enabled: flagKey(true, 'Serve them.'),
    namespace: key(
      pattern('metric name', /^[A-Za-z_][A-Za-z0-9_]*$/, 'letters, digits and _'),
      'ws_gateway',
      'First part of each name.',
    ),
    path: key(path, '/metrics', 'Where they are served.'),
    perUser: flagKey(false, 'Also count messages by user. The number of series grows with the users.'),
  }),
};
