import type { Logger } from '@ws-gateway/core';
import { LoginTokenError, type LoginTokenIssuer } from './login-token.js';

/** Time in ms before the end of a session when a connection logs in again. */
export const LOGIN_AHEAD_MS = 5_000;

/**
 * Brokers refuse two logins of a connection in a second (ILLEGAL_SASL_STATE): a token has to be good for a session that
 * lasts longer than that before the next login is due.
 */
const LEFT_MS_MIN = LOGIN_AHEAD_MS + 1_500;

/** A token that lives shorter would be renewed all the time. */
const LIFE_MS_MIN = 2 * LOGIN_AHEAD_MS;
/** Share of its life after which a token is renewed: the other half is for an issuer that does not answer. */
const RENEWAL_SHARE = 0.5;
const RETRY_MS = 1_000;
/** Age in ms from which a token that the broker refused is thrown away; a younger one would be followed by its like. */
const REFUSED_AGE_MS_MIN = 10_000;

interface HeldToken {
  readonly value: string;
  /** Readings of the monotonic clock, ms. */
  readonly bornAt: number;
  readonly endsAt: number;
}

/**
 * The login token of a process: all its connections use the same one, so that there is one fetch for all of them. It is
 * renewed in the background when half of its life is over, and on while connections ask for it, so that a connection
 * whose session ends always finds a token with most of its life ahead. An issuer that does not answer costs nothing as
 * long as the last token is good.
 */
export class SharedLoginToken {
  readonly #issuer: LoginTokenIssuer;
  readonly #logger: Logger;
  #held: HeldToken | null = null;
  #pending: Promise<HeldToken> | null = null;
  #failure: { readonly error: LoginTokenError; readonly at: number } | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Somebody asked since the last renewal. */
  #isUsed = false;

  constructor(issuer: LoginTokenIssuer, logger: Logger) {
    this.#issuer = issuer;
    this.#logger = logger;
  }

  /** Rejects with LoginTokenError. */
  async get(): Promise<string> {
    this.#isUsed = true;
    const held = this.#held;
    if (held !== null && held.endsAt - performance.now() > LEFT_MS_MIN) return held.value;
    // Each connection that waits asks at its own pace; the issuer hears one question a second.
    if (this.#failure !== null && performance.now() - this.#failure.at < RETRY_MS) throw this.#failure.error;
    return (await this.#renew()).value;
  }

  /** The broker did not take this token. */
  refused(value: string): void {
    const held = this.#held;
    if (held?.value === value && performance.now() - held.bornAt >= REFUSED_AGE_MS_MIN) this.#held = null;
  }

  #renew(): Promise<HeldToken> {
    this.#pending ??= this.#fetch().finally(() => (this.#pending = null));
    return this.#pending;
  }

  async #fetch(): Promise<HeldToken> {
    const bornAt = performance.now();
    try {
      const { value, livesMs } = await this.#issuer.issue();
      if (!(livesMs >= LIFE_MS_MIN)) {
        const message = `${this.#issuer.address}: the token must live ${LIFE_MS_MIN} ms or longer, not ${livesMs}`;
        throw new LoginTokenError('login_token_unavailable', message);
      }
      const held = { value, bornAt, endsAt: bornAt + livesMs };
      this.#held = held;
      this.#succeeded();
      this.#renewLater(livesMs * RENEWAL_SHARE);
      return held;
    } catch (error) {
      const failure = toLoginTokenError(this.#issuer.address, error);
      this.#failed(failure);
      this.#renewLater(RETRY_MS);
      throw failure;
    }
  }

  /** The timer keeps no process alive, and ends by itself when nobody uses the token any more. */
  #renewLater(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#isUsed && this.#failure === null) return;
      this.#isUsed = false;
      // A failure is logged where it comes up, and tried again.
      this.#renew().catch(() => undefined);
    }, ms).unref();
  }

  #succeeded(): void {
    if (this.#failure !== null)
      this.#logger.info('kafka login token can be fetched again', { url: this.#issuer.address });
    this.#failure = null;
  }

  /** An outage is one line at its beginning and one at its end. */
  #failed(error: LoginTokenError): void {
    const isFirst = this.#failure === null;
    this.#failure = { error, at: performance.now() };
    if (!isFirst) return;
    const leftMs = Math.max(0, Math.round((this.#held?.endsAt ?? 0) - performance.now()));
    const fields = { url: this.#issuer.address, code: error.code, cause: error.message, lastTokenGoodForMs: leftMs };
    this.#logger.error('kafka login token cannot be fetched, trying on', fields);
  }
}

function toLoginTokenError(address: string, error: unknown): LoginTokenError {
  if (error instanceof LoginTokenError) return error;
  return new LoginTokenError('login_token_unavailable', `${address}: ${String(error)}`);
}
