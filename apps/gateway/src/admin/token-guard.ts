import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { GuessLimiter, type HttpRequest, type Logger } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';

const BEARER = /^bearer +([^ ]+) *$/i;

export interface TokenGuardDeps {
  readonly logger: Logger;
  /** The caller's address: the peer's, or what a trusted proxy says. */
  readonly clientAddress: (request: HttpRequest) => string;
}

/** Lets only those in who bring the token. Wrong ones are logged and slowed down, address by address. */
export class TokenGuard {
  readonly #deps: TokenGuardDeps;
  readonly #token: () => string;
  readonly #guesses = new GuessLimiter();

  /** The token is asked for each time: it may be a new one. Empty: there is no API. */
  constructor(deps: TokenGuardDeps, token: () => string) {
    this.#deps = deps;
    this.#token = token;
  }

  /** Rejects with AdminError. */
  async requireToken(request: HttpRequest): Promise<void> {
    const token = this.#token();
    // An empty text would be equal to what somebody brings who has none.
    if (token === '') throw new AdminError('unknown_endpoint', 'no such endpoint');
    const header = request.header('authorization');
    if (header === '') throw new AdminError('token_missing', 'Authorization: Bearer <admin.token> is needed');
    const address = this.#deps.clientAddress(request);
    await this.#waitTurn(address);
    const given = BEARER.exec(header)?.[1] ?? '';
    if (timingSafeEqual(digest(given), digest(token))) return;
    const attempts = this.#guesses.wrong(address);
    if (attempts > 0) {
      const { method, path } = request;
      this.#deps.logger.warn('wrong token for the admin api', { address, attempts, method, path });
    }
    throw new AdminError('token_invalid', 'this is not admin.token');
  }

  async #waitTurn(address: string): Promise<void> {
    const waitMs = this.#guesses.waitMs(address);
    if (waitMs === null)
      throw new AdminError('unavailable', 'too many wrong tokens from this address; come back later');
    if (waitMs > 0) await pause(waitMs);
  }
}

/** Digests have one length, so the time taken says nothing about the token. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
