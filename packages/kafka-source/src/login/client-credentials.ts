import { objectIn } from '@ws-gateway/core';
import { LoginTokenError, type LoginToken, type LoginTokenIssuer } from './login-token.js';
import { askIssuer } from './token-request.js';

export interface ClientCredentialsOptions {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** '' or names of scopes, separated by spaces. */
  readonly scope: string;
}

/** Tokens of an OAuth 2.0 server by client id and secret (RFC 6749, 4.4), as Kafka's own clients get them. */
export class ClientCredentials implements LoginTokenIssuer {
  readonly #options: ClientCredentialsOptions;
  readonly #url: URL;

  constructor(options: ClientCredentialsOptions) {
    this.#options = options;
    this.#url = new URL(options.tokenUrl);
  }

  get address(): string {
    return this.#url.origin + this.#url.pathname;
  }

  async issue(): Promise<LoginToken> {
    const { clientId, clientSecret, scope } = this.#options;
    const credentials = Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64');
    const text = await askIssuer(this.#url, {
      method: 'POST',
      headers: {
        accept: 'application/json',
        authorization: `Basic ${credentials}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope === '' ? {} : { scope }) }).toString(),
    });
    return this.#read(text);
  }

  #read(text: string): LoginToken {
    const answer = objectIn(text);
    const value = answer?.['access_token'];
    // The token becomes part of a text whose fields end with control characters.
    if (answer === null || typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
      throw this.#useless('access_token must be a text without white space');
    }
    const livesMs = lifeOf(answer, value);
    if (livesMs === null) throw this.#useless('expires_in must be a number of seconds, and the token says no exp');
    return { value, livesMs };
  }

  #useless(message: string): LoginTokenError {
    return new LoginTokenError('login_token_unavailable', `${this.address}: no token in the answer: ${message}`);
  }
}

/** Id and secret are encoded as forms are before they become user name and password (RFC 6749, 2.3.1). */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

/** `expires_in` is only recommended; without it the token itself may say how long it lives. */
function lifeOf({ expires_in }: Readonly<Record<string, unknown>>, token: string): number | null {
  // Some servers write it as text.
  const seconds = Number(typeof expires_in === 'string' ? expires_in.trim() || NaN : (expires_in ?? NaN));
  if (Number.isFinite(seconds)) return seconds * 1000;
  const claims = objectIn(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  if (claims === null) return null;
  const { exp, iat } = claims;
  return typeof exp === 'number' && typeof iat === 'number' ? (exp - iat) * 1000 : null;
}
