import { choice, duration, names, size, text, url, whole, words } from '../language/formats.js';
import {
  durationKey,
  flagKey,
  live,
  liveForNewSockets,
  section,
  key,
  list,
  secret,
  secretList,
  sizeKey,
} from '../language/schema-node.js';

const PUBLIC_ALGORITHMS = ['RS', 'PS', 'ES'].flatMap((family) => [256, 384, 512].map((bits) => `${family}${bits}`));
const algorithms = words('HS256', 'HS384', 'HS512', ...PUBLIC_ALGORITHMS, 'EdDSA');

const issuer = section('', {
  issuer: key(text, '', 'What `iss` is in its tokens.'),
  secret: secret('Shared secret of its HS algorithms.'),
  publicKeyFile: key(text, '', 'Its public key, PEM.'),
  jwksUrl: key(url('http', 'https'), '', 'Address of its JSON Web Key Set.'),
  audience: key(text, '', 'What `aud` must contain. Empty: not checked.'),
  algorithms: key(
    algorithms,
    [],
    'The only signatures that are accepted. Empty: HS256 for a secret, all that fit for a public key or key set.',
  ),
});

/** Who may connect, and how much. */
export const accessKeys = {
  auth: section('How tokens are checked.', {
    secret: liveForNewSockets(
      secret('Shared secret of the HS algorithms. No default: `serve` does not start without a key.'),
    ),
    secrets: liveForNewSockets(
      secretList(
        'More secrets: all of them verify, while one replaces another. Where `auth.secret` is not set the first one signs.',
      ),
    ),
    algorithms: key(algorithms, ['HS256'], 'The only signatures that are accepted.'),
    publicKeyFile: key(text, '', 'Public key of the other algorithms, PEM.'),
    jwksUrl: key(url('http', 'https'), '', 'Address of a JSON Web Key Set with the public keys.'),
    jwksMaxStale: durationKey('24h', 'How long a key set is used on that cannot be read again.', duration()),
    issuer: key(text, '', 'What `iss` must be. Empty: not checked.'),
    audience: key(text, '', 'What `aud` must contain. Empty: not checked.'),
    issuers: liveForNewSockets(
      list(
        'More issuers, told apart by `iss`; one that is not listed is refused. Tokens of `auth.issuer` (empty: those without `iss`) are checked by the keys above, if there are any.',
        issuer,
        [],
      ),
    ),
    clockTolerance: durationKey(
      '30s',
      'How far the clocks of issuers may be off: `exp`, `nbf` and `iat` at the handshake. A socket closes at `exp`; one that came later by the tolerance closes when that ends.',
      duration(0, 300_000),
    ),
    userClaim: key(text, 'sub', 'The claim that names the user.'),
    queryParams: key(names, ['token', 't'], 'Query parameters that may carry the token.'),
    requireExp: flagKey(false, 'Refuse tokens that never expire.'),
    callback: section(
      'Who a client without a token is: the application is asked by `POST` with `{"path","query","headers","address"}` and answers 200 with `{"user","topics"?,"rooms"?,"expires_at"?}`, or refuses by 401 or 403. Anything else, or silence, is 503.',
      {
        url: key(url('http', 'https'), '', 'Where to ask. Empty: nobody is asked.'),
        timeout: durationKey('3s', 'How long the answer may take.', duration(1, 60_000)),
        cache: durationKey(
          '30s',
          'How long an answer that lets in is good for handshakes that are the same to the last letter.',
          duration(0, 3_600_000),
        ),
        headers: key(names, ['authorization', 'cookie'], 'Headers of the handshake that the application is told.'),
      },
    ),
  }),
  limits: section('What one client may take. 0: no limit.', {
    maxPayloadBytes: sizeKey('64kb', 'Size of a frame from a client; above it the close is 1009.'),
    maxRecordBytes: sizeKey('256kb', 'Size of a record from Kafka; above it is a dead letter.'),
    topicsPerConnection: live(key(whole(0), 64, 'Topics a connection may subscribe to.')),
    subscriptionsPerConnection: live(key(whole(0), 64, 'Subscription ids (of commands) a connection may hold.')),
    roomsPerConnection: live(key(whole(0), 64, 'Rooms a connection may be in.')),
    connections: liveForNewSockets(
      key(
        whole(0),
        0,
        'Connections of one process; above it 503 `full`. 0: the hard limit of file descriptors, less a tenth and 64.',
      ),
    ),
    connectionsPerUser: liveForNewSockets(key(whole(0), 0, 'Connections of one user on one node.')),
    connectionsPerAddress: liveForNewSockets(key(whole(0), 0, 'Connections from one address on one node.')),
    handshakesPerSecond: liveForNewSockets(
      key(
        whole(0),
        0,
        'New connections a second: from one address, and of one node. Clients whose token is known have as many of their own.',
      ),
    ),
    requestsPerSecond: live(key(whole(0), 50, 'Requests a second from one connection.')),
    requestBytesPerSecond: live(key(size(0), '256kb', 'Bytes of requests a second from one connection.')),
    sendsPerSecond: live(
      key(
        whole(0),
        20,
        'Messages (`send`) a second from one connection. To a room or hub of many one counts as several.',
      ),
    ),
    surveysPerSecond: live(
      key(whole(0), 2, 'Questions (`presence` of a room) a second from one connection to all nodes.'),
    ),
    historyBytes: live(
      sizeKey(
        '1mb',
        'Size of an answer of `history`; what does not fit is asked for again. One connection gets four such answers a second; others wait.',
        size(4096),
      ),
    ),
    badRequests: live(key(whole(0), 20, 'Unusable requests of one connection until it is closed with 4502.')),
    maxLifetime: live(
      durationKey(
        0,
        'How long a connection may live (varied by a tenth), then 4002. Sockets that are older than a new value end within a tenth of it.',
        duration(),
      ),
    ),
  }),
  sessions: section('Connections of one user in the whole cluster.', {
    max: key(whole(0), 0, 'How many. 0: no limit.'),
    policy: key(choice('reject', 'replace'), 'reject', 'One too many: refuse it, or close the oldest with 4501.'),
  }),
};
