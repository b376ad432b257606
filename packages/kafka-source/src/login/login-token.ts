import { CodedError } from '@ws-gateway/core';

/** What a broker takes in place of a password (SASL mechanism OAUTHBEARER). */
export interface LoginToken {
  readonly value: string;
  /** Time in ms that the token is good for, counted from when it was asked for. */
  readonly livesMs: number;
}

/** Where tokens come from. */
export interface LoginTokenIssuer {
  /** Address that log lines name. */
  readonly address: string;
  /** Rejects with LoginTokenError. */
  issue(): Promise<LoginToken>;
}

/** Why there is no token. */
export type LoginTokenErrorCode =
  /** The issuer says no: identity, secret or scope are wrong. */
  | 'login_token_refused'
  /** The issuer does not answer, or with something that is no token. */
  | 'login_token_unavailable';

export class LoginTokenError extends CodedError<LoginTokenErrorCode> {
  override readonly name = 'LoginTokenError';

  override get retryable(): boolean {
    return true;
  }

  /** kafkajs' spelling. It tries again then; otherwise an issuer that is away for a moment would end the consumer. */
  get retriable(): boolean {
    return this.retryable;
  }
}
