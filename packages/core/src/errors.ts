/** Base of the error classes: whoever catches one branches on its code, which comes from a closed union, never on text. */
export abstract class CodedError<Code extends string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** True when the same call may succeed later, as it was. */
  get retryable(): boolean {
    return false;
  }
}

/** Why an engine call failed. `retryable` ones may be made again as they were; the others are a defect or a refusal. */
export const engineErrorCodes = [
  /** No connection, or it broke before an answer came: the outcome is unknown. Publishing again is harmless. */
  'unavailable',
  /** The call before this one was not applied: publish again from the first unapplied offset, previousOffset -1. */
  'source_gap',
  /** This node's rows were taken away because its lease had run out. */
  'unknown_node',
  /** The store's rows are laid out for other settings or another release: this node must not run on it. */
  'layout_mismatch',
  'stopped',
  'internal',
] as const;

export type EngineErrorCode = (typeof engineErrorCodes)[number];

export class EngineError extends CodedError<EngineErrorCode> {
  override readonly name = 'EngineError';

  override get retryable(): boolean {
    return this.code === 'unavailable' || this.code === 'source_gap';
  }
}

/** Why a token was not accepted; also the refusal's code. */
export type TokenErrorCode = 'token_invalid' | 'token_expired';

export class TokenError extends CodedError<TokenErrorCode> {
  override readonly name = 'TokenError';
}

/** The verifier itself cannot work now (JWKS URL unreachable): not the client's fault, answered 503. */
export class VerifierUnavailableError extends Error {
  override readonly name = 'VerifierUnavailableError';
}

/** Why the application did not let a client without a token in; also the refusal's code. */
export type AdmissionDeniedCode = 'token_missing' | 'not_allowed';

export class AdmissionDeniedError extends CodedError<AdmissionDeniedCode> {
  override readonly name = 'AdmissionDeniedError';
}
