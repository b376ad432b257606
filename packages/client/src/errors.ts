/** Codes of this client; branch on them. What the gateway says comes as AnswerError or in `cause`. */
export type ClientErrorCode =
  /** A request: there is no connection, or it was lost before the answer. Whether it was carried out is not known. */
  | 'disconnected'
  /** A request or the token callback took too long. */
  | 'timeout'
  /** The client is closed for good. */
  | 'closed'
  /** An option cannot be used; thrown by createClient at once. */
  | 'bad_option'
  /** White space, control characters or anything else that no token has. It is sent nowhere. */
  | 'bad_token'
  /** Server-sent events carry no commands: the client is connected by them because WebSockets do not get through. */
  | 'unsupported'
  /** The token callback failed; asked again with the next attempt. */
  | 'token_failed'
  /** An attempt to connect failed. */
  | 'connect_failed'
  /** The gateway sent what cannot be read, or an `error` frame that answers no request. */
  | 'gateway_error'
  /** A listener of the application threw; the client goes on. */
  | 'listener_failed';

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** `why`: as far as it is of interest, with a colon. */
export function closedError(why = ''): ClientError {
  return new ClientError('closed', `${why}the client is closed`);
}

export function unsupportedError(command: string): ClientError {
  return new ClientError('unsupported', `${command}: server-sent events carry no commands`);
}

export type RefusedStatus = 'error' | 'unauthorized' | 'forbidden';

/** The gateway's answer to a request that it did not carry out. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
  readonly command: string;
  readonly status: RefusedStatus;
  /** Code: one of the gateway's documented codes, or of a back end behind it. */
  readonly code: string;
  readonly payload: unknown;

  constructor(command: string, status: RefusedStatus, payload: unknown) {
    const { code, message } = Object(payload) as { code?: unknown; message?: unknown };
    super(typeof message === 'string' ? message : `${command}: ${status}`);
    this.command = command;
    this.status = status;
    this.code = typeof code === 'string' ? code : status;
    this.payload = payload;
  }
}
