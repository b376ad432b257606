import { ClientError } from './errors.js';
import { isRecord } from './frames.js';
import { atMost } from './time.js';

/** Asked for a token at the start, before the one it gave expires, and when the gateway refuses it. '' is a guest. */
export type TokenCallback = () => string | Promise<string>;

/**
 * Time in ms until a token is renewed that has expired by our clock as soon as it was given: one of the two clocks is
 * wrong.
 */
const WRONG_CLOCK_RENEW_MS = 30_000;
const RENEW_MS_MIN = 5_000;
/** A timer cannot be set for longer than 2^31 - 1 ms. */
const RENEW_MS_MAX = 86_400_000;
/** Matches what no token has, as no header could carry it as a subprotocol (RFC 9110, token). Every JWT is without. */
const UNUSABLE = /[^A-Za-z0-9!#$%&'*+.^_`|~-]/;

/** The token and when to renew it. Never verifies: that is the gateway's part. */
export class TokenSource {
  readonly #ask: TokenCallback | null;
  readonly #timeoutMs: number;
  #token: string | null = null;
  #asking: Promise<string> | null = null;

  /** Throws ClientError `bad_token`. */
  constructor(source: string | TokenCallback, options: { readonly timeoutMs: number }) {
    this.#ask = typeof source === 'function' ? source : null;
    this.#timeoutMs = options.timeoutMs;
    if (typeof source === 'string') this.#token = this.#usable(source);
  }

  /** False when there is just one token. */
  get renewable(): boolean {
    return this.#ask !== null;
  }

  /** The token in hand; null: none, or a distrusted one. */
  get current(): string | null {
    return this.#token;
  }

  /** The token in hand unless it has expired. Rejects with ClientError `token_failed`, `bad_token` or `timeout`. */
  async get(): Promise<string> {
    const expired = this.renewable && (remainingMs(this.#token) ?? 1) <= 0;
    if (this.#token !== null && !expired) return this.#token;
    return this.renew();
  }

  /** A new one from the callback; calls at the same time share one. */
  renew(): Promise<string> {
    this.#asking ??= this.#askOnce().finally(() => (this.#asking = null));
    return this.#asking;
  }

  /** The gateway did not like it, as far as can be told: the next `get` asks. */
  distrust(): void {
    if (this.renewable) this.#token = null;
  }

  /** Time in ms that the token in hand will do; null: for ever, or there is no other. */
  renewInMs(leadMs: number): number | null {
    const remaining = this.renewable ? remainingMs(this.#token) : null;
    if (remaining === null) return null;
    const wait = remaining <= 0 ? WRONG_CLOCK_RENEW_MS : Math.max(remaining - leadMs, remaining / 2);
    return Math.min(Math.max(wait, RENEW_MS_MIN), RENEW_MS_MAX);
  }

  async #askOnce(): Promise<string> {
    try {
      const asked = Promise.resolve(this.#ask?.() ?? this.#token ?? '');
      const token = await atMost(this.#timeoutMs, asked, 'token callback');
      return (this.#token = this.#usable(token));
    } catch (error) {
      if (error instanceof ClientError) throw error;
      throw new ClientError('token_failed', 'the token callback failed', error);
    }
  }

  /** A text that cannot be a token is sent nowhere: it may be a page of a login service, with all that is in it. */
  #usable(token: string): string {
    const [character] = UNUSABLE.exec(token) ?? [];
    if (typeof token === 'string' && character === undefined) return token;
    throw new ClientError('bad_token', `a token must be a text without ${JSON.stringify(character)}`);
  }
}

/** Time in ms until the token's `exp`; null when it has none, or is no JWT. */
function remainingMs(token: string | null): number | null {
  const claims = token?.split('.')[1];
  if (claims === undefined) return null;
  try {
    const value: unknown = JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/')));
    const exp = isRecord(value) ? value['exp'] : undefined;
    return typeof exp === 'number' ? exp * 1000 - Date.now() : null;
  } catch {
    // Not for us to read; the gateway will say when it has expired.
    return null;
  }
}
