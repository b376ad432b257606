import type { CloseName, rejectionCodes, pipeErrorCodes, refusalStatuses, requestErrorCodes } from '@ws-gateway/core';
import type { outcomeCodes } from '@ws-gateway/http-backends';
import type { transportStatuses } from '@ws-gateway/uws-transport';
import type { AdminErrorCode } from '../admin/admin-error.js';
import type { exitCodes } from '../cli/exit.js';

/** What a code means, and what whoever gets it does about it. The compiler asks for one of each code. */
export type Text = readonly [meaning: string, action: string];
type Texts<Code extends string> = Readonly<Record<Code, Text>>;

const REDIS_AWAY = 'Redis does not answer, or the node has to do too much at once.';

export const refusalTexts: Texts<keyof typeof refusalStatuses> = {
  bad_request: [
    'The query or the options cannot be read, or ask for too much.',
    'Change the request as the message says.',
  ],
  unknown_topic: ['There is no such topic for clients.', 'Ask for one of those that the message lists.'],
  too_many_keys: [
    'The connection would be subscribed to more keys of the topic than `keysPerConnection`.',
    'Ask for fewer, or unsubscribe others first. Operator: `topics.<topic>.keysPerConnection`.',
  ],
  token_missing: [
    'No token came, and the endpoint is not for guests.',
    'Send one: header, query parameter or subprotocol.',
  ],
  token_invalid: [
    'Not signed by the configured key, of another issuer or audience, without a usable user, or revoked.',
    'Get a new token; when all are refused, compare `auth` with who issues them.',
  ],
  token_expired: ['The time of the token is over.', 'Get a new token, then connect again.'],
  user_blocked: [
    'The user is blocked until `expires_at` (`reason` says why).',
    'Do not retry before. Operator: `ws-gateway unblock`.',
  ],
  topic_forbidden: [
    'The token does not allow the topic, or the topic is not for guests.',
    'Ask for other topics, or another token.',
  ],
  key_forbidden: [
    'The claim that `keyAccess` of the topic names does not list the key, or the client has no token.',
    'Ask for other keys, or get another token.',
  ],
  room_forbidden: [
    'The token does not allow the room, or the client is a guest.',
    'Enter another room, or get another token.',
  ],
  user_mismatch: [
    '`authentication` with `update` brought a token of another user.',
    'Renew with a token of the same user.',
  ],
  not_allowed: [
    'The command is not for this user or endpoint.',
    'See the message for the claim or setting that would allow it.',
  ],
  origin_forbidden: ['The page is of an origin that is not listed.', 'Operator: add it to `server.allowedOrigins`.'],
  unknown_endpoint: ['There is no such path.', 'Use `/ws`, or what the configuration names.'],
  unknown_hub: ['There is no such hub, or the connection is in another one.', 'Use a name of `hubs`.'],
  already_connected: [
    'The user is connected to this backend endpoint, on whichever node.',
    'Close the other connection, or set `sessionPolicy: replace`.',
  ],
  too_many_connections: [
    'The limit per user, per address, or of the cluster-wide session is reached.',
    'Wait `Retry-After` seconds. Operator: `limits.connectionsPer…`, `sessions.max`.',
  ],
  draining: ['The node is going away.', 'Connect again; the balancer picks another node.'],
  full: [
    'The process holds as many connections as `limits.connections`, or has no file descriptors left.',
    'Wait `Retry-After` seconds; a balancer picks another node. Operator: add nodes.',
  ],
  unavailable: [REDIS_AWAY, 'Wait `Retry-After` seconds and try again. Operator: see `/ready`.'],
};

export const transportTexts: Texts<keyof typeof transportStatuses> = {
  bad_request: ['The handshake or the path is malformed.', 'Use a WebSocket client; check the percent-encoding.'],
  unknown_endpoint: [
    'There is no such path, or the admin API is off.',
    'Check the path; the admin API needs `admin.token`.',
  ],
  method_not_allowed: ['The path does not know the method.', 'Use one of the header `Allow`.'],
  body_too_large: ['The body is longer than the path takes.', 'Send less.'],
  upgrade_required: [
    'A WebSocket endpoint was asked for by plain HTTP, or by another version than 13.',
    'Use a WebSocket client; a proxy may drop `Upgrade`.',
  ],
  internal: ['A defect of the gateway.', 'See its log, and report it.'],
  unavailable: [
    'Too many handshakes at once, or one took longer than `server.readTimeout`.',
    'Wait `Retry-After` seconds and try again.',
  ],
};

export const requestTexts: Texts<(typeof requestErrorCodes)[number]> = {
  unknown_command: [
    'The endpoint has no such command. Counts as a bad request.',
    'Check the name; `/mobile` has more than `/web`.',
  ],
  duplicate_rid: [
    'A request with this rid is still being answered. Counts as a bad request.',
    'Number requests upwards.',
  ],
  rate_limited: [
    'More than `limits.requestsPerSecond`, `requestBytesPerSecond`, `sendsPerSecond` or `surveysPerSecond`, more keys of a topic entered in a second than `keysPerConnection`, too many answers of `history` asked for at once, or too much behind an `authentication`; the request was not carried out.',
    'Send less; going on ends in 4503.',
  ],
  internal_error: ['A defect of the gateway.', 'Try again later; see the log of the node.'],
};

export const outcomeTexts: Texts<(typeof outcomeCodes)[number]> = {
  unknown_command: ['The table has no such command.', 'Check `commands` in the configuration.'],
  bad_request: [
    'An option that the command needs is missing or of a wrong kind.',
    'Change the options as the message says.',
  ],
  unavailable: ['The backend has no `url` in the configuration.', 'Operator: `backends.http.<name>.url`.'],
  busy: [
    'As many calls as `backends.requestPoolSize` (or the part of the backend or of the user) are under way, and the queue or the part of it that one user has is full.',
    'Try again later. Operator: the backend is slow, or the pool too small.',
  ],
  backend_timeout: [
    'The backend took longer than its `timeout`. It may have carried the call out.',
    'Try again if that does no harm.',
  ],
  backend_error: [
    'The backend could not be reached, is left alone for a moment because it did not answer, or its answer could not be used.',
    'Try again later. Operator: see the backend.',
  ],
  unauthorized: ['The backend said 401.', 'Send `authentication` with a new token.'],
  forbidden: ['The backend said 403.', 'Nothing; the user may not.'],
};

export const closeTexts: Texts<CloseName> = {
  drain: ['The node goes away; a `reconnect` frame came before.', 'Reconnect and resume, after its `after_ms`.'],
  slow_consumer: [
    'The queue of the client was full (policy `queue`), or nothing drained for 30 s.',
    'Reconnect and resume; subscribe to less.',
  ],
  lifetime: ['`limits.maxLifetime` is over.', 'Reconnect and resume.'],
  resync: ['The node cannot prove that nothing was missed.', 'Reconnect and resume.'],
  token_expired: [
    'The token ran out while the socket was open.',
    'Reconnect with a new token, or renew in time by `authentication`.',
  ],
  user_blocked: [
    'The user was blocked; the reason is in the close reason.',
    'Stop. Handshakes get 403 until the block ends.',
  ],
  session_replaced: [
    'A newer connection of the user took the place.',
    'Stop: two clients would push each other out for ever.',
  ],
  too_many_errors: ['`limits.badRequests` bad requests on one connection.', 'Stop, and mend the client.'],
  rate_limited: [
    'Far too many requests: ten seconds in a row, or ten times the limit in one.',
    'Stop, and mend the client.',
  ],
  revoked: ['The token was revoked, or an operator closed the connection.', 'Stop; sign in anew.'],
};

/** Codes of RFC 6455 that the gateway uses itself, besides those of `closeCodes`. */
export const wireCloseTexts: Texts<'1003' | '1006' | '1009' | '1012' | '1013'> = {
  1003: ['The client sent a binary frame.', 'Send text.'],
  1006: ['No close frame came: the network, a proxy, or a killed node.', 'Reconnect and resume.'],
  1009: ['A message longer than `limits.maxPayloadBytes`.', 'Send less at once.'],
  1012: ['The backend of this endpoint is gone (`closeOnBackendLoss`).', 'Reconnect.'],
  1013: ['More of the client waits for the backend of this endpoint than may.', 'Reconnect later.'],
};

export const deadLetterTexts: Texts<(typeof rejectionCodes)[number]> = {
  empty: ['The record has no value.', 'Do not write tombstones to this topic, or set `topics.<name>.tombstone`.'],
  not_json: ['The value is not JSON in UTF-8.', 'Mend the producer.'],
  not_object: ['The value is JSON but no object.', 'Wrap it in the envelope.'],
  no_payload: ['The member `payload` (of `wss`: `document` and its data) is missing.', 'Add it.'],
  no_audience: [
    'Nothing says who shall get it. It is never sent to everyone.',
    'Add `user_id`, another audience member, or the header `ws-audience`; of other formats see `map`.',
  ],
  bad_audience: ['The header `ws-audience`, a room or a hub cannot be read.', 'Use the forms of the message.'],
  bad_member: ['A member or header is of a wrong kind.', 'See `dlq-message` for which.'],
  too_large: [
    'Larger than `limits.maxRecordBytes`, or so after being copied for many users.',
    'Write less, or raise the limit.',
  ],
  no_pointer: [
    'What `map.payload` names is not in the record.',
    'Name another part, or several; `ws-gateway explain` shows what it finds.',
  ],
  bad_timestamp: ['What `map.timestamp` finds is no time.', 'It has to be RFC 3339 text, or ms since the epoch.'],
  not_text: ['A record of format `text` is not UTF-8.', 'Mend the producer, or choose another format.'],
  bad_magic: [
    'The value does not begin with byte 0 and a schema id, as what a schema registry serializer writes does.',
    'Use such a serializer, or choose format `json`.',
  ],
  unknown_schema: [
    'The schema registry has no schema of this id, or one of another kind, or one that cannot be used.',
    'Compare `schemaRegistry.url` and the format with what the producer uses.',
  ],
  bad_schema_data: ['The value cannot be read by its schema.', 'Mend the producer; `dlq-message` names the schema.'],
  unknown_type: ['A record of format `wss` is of a type that is not known.', 'Use `update_subscription`.'],
};

export const adminTexts: Texts<AdminErrorCode> = {
  bad_request: [
    'The body or a parameter cannot be used. Of a message, `reason` is what `dlq-error` would be.',
    'Change it as the message says.',
  ],
  unknown_topic: ['There is no such topic.', 'Use one of those that the message lists.'],
  token_missing: ['No token came.', 'Send `Authorization: Bearer <token>`.'],
  token_invalid: ['It is none of `admin.token`, `admin.tokens` and `admin.readOnlyTokens`.', 'Send the right one.'],
  read_only: ['A token of `admin.readOnlyTokens` may only look (GET).', 'Ask somebody whose token may change things.'],
  unknown_endpoint: ['There is no API while `admin` has no token.', 'Set `admin.token`; SIGHUP takes it over.'],
  unknown_node: ['The node has gone, or never was.', 'List them again: `ws-gateway status`.'],
  unknown_connection: ['The connection has gone, or never was.', 'List them again: `GET /api/connections`.'],
  not_blocked: ['The user is not blocked, or not any more.', 'Nothing.'],
  too_many_traces: [
    'Ten traces are on in the cluster, as many as there may be.',
    'End one, or wait: each ends after 10 minutes.',
  ],
  body_too_large: ['The message is larger than `limits.maxRecordBytes`.', 'Send less, or raise the limit.'],
  unavailable: [REDIS_AWAY, 'Wait `Retry-After` seconds. A message may have been sent all the same.'],
};

export const linkTexts: Texts<(typeof pipeErrorCodes)[number]> = {
  unknown_user: ['The user has no connection to this endpoint, on no node.', 'Nothing, or forget the user.'],
  bad_action: [
    'Not an object, or its user, action, message, code or length cannot be used.',
    'Mend the backend; the message says what.',
  ],
  unavailable: ['Redis could not be asked. The action may have been carried out.', 'Repeat it if that does no harm.'],
};

export const exitTexts: Texts<keyof typeof exitCodes> = {
  ok: ['Done; of `serve`: stopped gracefully.', 'Nothing.'],
  failure: [
    'It failed while running: a server is away, the gateway refused, the stop took too long.',
    'See the line on standard error.',
  ],
  usage: ['Bad usage or configuration; nothing was started.', 'Change what the lines on standard error name.'],
};
