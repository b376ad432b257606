import type { BackendOutcome, BackendRequest } from '../backend-commands.js';
import { memberText } from '../records/member-text.js';
import type { Connection } from './connection.js';
import { RefusalError } from './refusals.js';
import type { ClientRequest } from './request.js';

/** What the command table is told of a client's request. */
export function backendRequest(connection: Connection, request: ClientRequest): BackendRequest {
  return {
    endpoint: connection.endpoint.path,
    options: request.options,
    optionsText: memberText(request.text, 'options') ?? '{}',
    authorization: connection.authorization,
    user: connection.user,
  };
}

/** Throws RefusalError, so that the client's mistake counts among the bad requests of the connection. */
export function requireFlawless(outcome: BackendOutcome): BackendOutcome {
  if (outcome.mistake === undefined) return outcome;
  throw new RefusalError('bad_request', outcome.mistake);
}
