import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { GuessLimiter, type HttpRequest, type Logger } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import type { Operator } from './operators.js';

const BEARER = /^bearer +([^ ]+) *$/i;

export interface TokenGuardDeps {
  readonly logger: Logger;
  /** The caller's address: the peer's, or what a trusted proxy says. */
  readonly clientAddress: (request: HttpRequest) => string;
  /** Processes that share the port. */
  readonly workers: number;
}

/** Lets only those in who bring a token. Wrong ones are logged and slowed down, address by address. */
export class TokenGuard {
  readonly #deps: TokenGuardDeps;
  readonly #operators: () => readonly Operator[];
  readonly #guesses: GuessLimiter;

  /** The operators are asked for each time: their tokens may be new ones. None: there is no API. */
  constructor(deps: TokenGuardDeps, operators: () => readonly Operator[]) {
    this.#deps = deps;
    this.#guesses = new GuessLimiter({ processes: deps.workers });
    this.#operators = operators;
  }

  /** Resolves to who it is. Rejects with AdminError. */
  async requireOperator(request: HttpRequest): Promise<Operator> {
    const operators = this.#operators();
    if (operators.length === 0)
      throw new AdminError('unknown_endpoint', 'there is no admin API: no token of admin is set');
    const header = request.header('authorization');
    if (header === '') throw new AdminError('token_missing', 'Authorization: Bearer <token of admin> is needed');
    const address = this.#deps.clientAddress(request);
    await this.#waitTurn(address);
    const given = digest(BEARER.exec(header)?.[1] ?? '');
    // All are looked at, whoever it is: the time taken says nothing about the names.
    const [found] = operators.filter(({ token }) => timingSafeEqual(given, digest(token)));
    if (found === undefined) return this.#refuse(request, address);
    if (!found.readOnly || request.method === 'GET') return found;
    this.#deps.logger.warn('change refused to a read-only token', {
      actor: found.actor,
      address,
      ...requested(request),
    });
    throw new AdminError('read_only', 'this token may only look (GET)');
  }

  async #refuse(request: HttpRequest, address: string): Promise<never> {
    const attempts = this.#guesses.wrong(address);
    if (attempts > 0) {
      this.#deps.logger.warn('wrong token for the admin api', { address, attempts, ...requested(request) });
    }
    await pause(this.#guesses.pauseMs);
    throw new AdminError('token_invalid', 'this is no token of the admin API');
  }

  async #waitTurn(address: string): Promise<void> {
    const waitMs = this.#guesses.waitMs(address);
    if (waitMs === null)
      throw new AdminError('unavailable', 'too many wrong tokens from this address; come back later');
    if (waitMs > 0) await pause(waitMs);
  }
}

function requested({ method, path }: HttpRequest): { method: string; path: string } {
  return { method, path };
}

/** Digests have one length, so the time taken says nothing about the token. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
