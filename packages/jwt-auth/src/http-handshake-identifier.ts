import { hash } from 'node:crypto';
import {
  AdmissionDeniedError,
  isName,
  isUserId,
  objectIn,
  parseRfc3339,
  VerifierUnavailableError,
  type HandshakeIdentifier,
  type Identity,
  type Logger,
  type TokenlessHandshake,
} from '@ws-gateway/core';
import { ask, serviceUrl, type HttpAnswer } from './http-json.js';
import { listsOf } from './claims.js';
import { IdentityCache } from './identity-cache.js';

export interface HandshakeIdentifierOptions {
  readonly url: string;
  readonly timeoutMs: number;
  /**
   * Time in ms for which an answer that lets a client in is good for handshakes that are the same to the last letter.
   */
  readonly cacheMs: number;
  /** Headers that the application is told, as far as they came. */
  readonly headers: readonly string[];
  /** Members of the answer that list what the client may have, as claims of a token do. */
  readonly listClaims?: readonly string[];
}

interface HandshakeIdentifierDeps {
  readonly logger: Logger;
  /** Time of day in ms; default: the system's. */
  readonly clock?: () => number;
}

const CACHE_ENTRIES_MAX = 10_000;
const ANSWER_BYTES_MAX = 64 * 1024;

/**
 * HandshakeIdentifier over HTTP: one POST of what is known of the handshake. 200 with a user lets in, 401 and 403 refuse,
 * and whatever else comes, or nothing, says nothing. Handshakes that are the same share a question that is under way; of
 * answers only those that let in are remembered.
 */
export class HttpHandshakeIdentifier implements HandshakeIdentifier {
  readonly #url: URL;
  readonly #timeoutMs: number;
  readonly #headers: readonly string[];
  readonly #listClaims: readonly string[];
  readonly #cache: IdentityCache;
  readonly #clock: () => number;
  readonly #logger: Logger;
  /**
   * Questions under way. The map is not bounded here: each entry is a handshake that waits, and those are bounded where
   * they enter.
   */
  readonly #inFlight = new Map<string, Promise<Identity>>();
  /** True: the last answer could not be used, which is logged once and not for each handshake. */
  #isAway = false;

  /** Throws AuthConfigError. */
  constructor(options: HandshakeIdentifierOptions, { logger, clock = Date.now }: HandshakeIdentifierDeps) {
    this.#url = serviceUrl(options.url, 'auth.callback.url');
    this.#timeoutMs = options.timeoutMs;
    this.#headers = options.headers.map((name) => name.toLowerCase());
    this.#listClaims = options.listClaims ?? [];
    this.#cache = new IdentityCache(CACHE_ENTRIES_MAX, options.cacheMs);
    this.#clock = clock;
    this.#logger = logger;
  }

  async identify({ path, query, header, address }: TokenlessHandshake): Promise<Identity> {
    const given = this.#headers.map((name) => [name, header(name)] as const);
    const headers = Object.fromEntries(given.filter(([, value]) => value !== ''));
    const body = JSON.stringify({ path, query, headers, address });
    const digest = hash('sha256', body, 'base64');
    const known = this.#cache.get(digest, this.#clock());
    if (known !== undefined) return known;
    return this.#inFlight.get(digest) ?? this.#start(digest, body);
  }

  #start(digest: string, body: string): Promise<Identity> {
    const work = this.#ask(digest, body).finally(() => this.#inFlight.delete(digest));
    this.#inFlight.set(digest, work);
    return work;
  }

  async #ask(digest: string, body: string): Promise<Identity> {
    const { status, text } = await this.#answer(body);
    const nowMs = this.#clock();
    const verdict =
      deniedBy(status) ?? (status === 200 ? identityIn(text, nowMs, this.#listClaims) : `its status is ${status}`);
    if (typeof verdict === 'string') throw this.#unusable(new Error(`the answer cannot be used: ${verdict}`));
    if (this.#isAway) this.#logger.info('the application says again who may connect');
    this.#isAway = false;
    if (verdict instanceof AdmissionDeniedError) throw verdict;
    this.#cache.put(digest, verdict, nowMs);
    return verdict;
  }

  async #answer(body: string): Promise<HttpAnswer> {
    try {
      return await ask({ url: this.#url, timeoutMs: this.#timeoutMs, bytesMax: ANSWER_BYTES_MAX, body });
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  #unusable(error: unknown): VerifierUnavailableError {
    const message = 'the application does not say who may connect';
    if (this.#isAway) this.#logger.debug(message, { error });
    else this.#logger.warn(message, { error });
    this.#isAway = true;
    return new VerifierUnavailableError('who this client is cannot be found out right now', { cause: error });
  }
}

function deniedBy(status: number): AdmissionDeniedError | null {
  if (status === 401)
    return new AdmissionDeniedError('token_missing', 'there is no token, and the application does not know the client');
  return status === 403 ? new AdmissionDeniedError('not_allowed', 'the application does not let this client in') : null;
}

/** Reads the answer. A text says what is wrong with it. */
function identityIn(text: string, nowMs: number, listClaims: readonly string[]): Identity | string {
  const answer = objectIn(text);
  if (answer === null) return 'it is no JSON object';
  const { user, topics, rooms, expires_at: expiresAt } = answer;
  if (typeof user !== 'string' || !isUserId(user)) return 'user must be a user id';
  if (!isNamesOrAbsent(topics)) return 'topics must be a list of names';
  if (!isNamesOrAbsent(rooms)) return 'rooms must be a list of names';
  const expiresAtMs = typeof expiresAt === 'string' ? parseRfc3339(expiresAt) : null;
  if (expiresAt !== undefined && (expiresAtMs === null || expiresAtMs <= nowMs))
    return 'expires_at must be an RFC 3339 time to come';
  return {
    user,
    expiresAtMs,
    // The answer is as new as this moment, so a revocation of what was issued before does not concern it.
    issuedAtMs: nowMs,
    tokenId: null,
    topics: topics === undefined ? null : new Set(topics),
    rooms: rooms === undefined ? null : new Set(rooms),
    presence: false,
    ...listsOf(answer, listClaims),
  };
}

function isNamesOrAbsent(value: unknown): value is readonly string[] | undefined {
  if (value === undefined) return true;
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && isName(name));
}
