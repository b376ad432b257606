import { choice, duration, names, text, url, whole, words } from '../language/formats.js';
import { durationKey, flagKey, section, key, secret, sizeKey } from '../language/schema-node.js';

const ALGORITHMS = ['HS', 'RS', 'PS', 'ES'].flatMap((family) => [256, 384, 512].map((bits) => `${family}${bits}`));

/** Who may connect, and how much. */
export const accessKeys = {
  auth: section('How tokens are checked.', {
    secret: secret('Shared secret of the HS algorithms. No default: `serve` does not start without it.'),
    algorithms: key(words(...ALGORITHMS, 'EdDSA'), ['HS256'], 'The only signatures that are accepted.'),
    publicKeyFile: key(text, '', 'Public key of the other algorithms, PEM.'),
    jwksUrl: key(url('http', 'https'), '', 'Address of a JSON Web Key Set with the public keys.'),
    issuer: key(text, '', 'What `iss` must be. Empty: not checked.'),
    audience: key(text, '', 'What `aud` must contain. Empty: not checked.'),
    userClaim: key(text, 'sub', 'The claim that names the user.'),
    queryParams: key(names, ['token', 't'], 'Query parameters that may carry the token.'),
    requireExp: flagKey(false, 'Refuse tokens that never expire.'),
  }),
  limits: section('What one client may take. 0: no limit.', {
    maxPayloadBytes: sizeKey('64kb', 'Size of a frame from a client; above it the close is 1009.'),
    maxRecordBytes: sizeKey('256kb', 'Size of a record from Kafka; above it is a dead letter.'),
    topicsPerConnection: key(whole(0), 64, 'Topics a connection may subscribe to.'),
    subscriptionsPerConnection: key(whole(0), 64, 'Subscription ids (of commands) a connection may hold.'),
    roomsPerConnection: key(whole(0), 64, 'Rooms a connection may be in.'),
    connectionsPerUser: key(whole(0), 0, 'Connections of one user on one node.'),
    connectionsPerAddress: key(whole(0), 0, 'Connections from one address on one node.'),
    handshakesPerSecond: key(whole(0), 0, 'New connections a second on one node.'),
    requestsPerSecond: key(whole(0), 50, 'Requests a second from one connection.'),
    badRequests: key(whole(0), 20, 'Unusable requests of one connection until it is closed with 4502.'),
    maxLifetime: durationKey(0, 'How long a connection may live (varied by a tenth), then 4002.', duration()),
  }),
  sessions: section('Connections of one user in the whole cluster.', {
    max: key(whole(0), 0, 'How many. 0: no limit.'),
    policy: key(choice('reject', 'replace'), 'reject', 'One too many: refuse it, or close the oldest with 4501.'),
  }),
};
