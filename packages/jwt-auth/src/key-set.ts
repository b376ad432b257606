import { VerifierUnavailableError, type Logger } from '@ws-gateway/core';
import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWTHeaderParameters,
  type LocalJWKSet,
} from 'jose';
import { ask } from './http-json.js';
import type { KeySource } from './key-source.js';
import { RefillingBudget } from './refilling-budget.js';

/** Bytes of a key set: more than any set that is used for signing has, some thousand keys. */
const KEY_SET_BYTES_MAX = 1024 * 1024;

/** Time in ms that the answer with a key set may take, unless another one is configured. */
export const KEY_SET_TIMEOUT_MS = 5000;

/** Number of reads that unknown key ids may cause in a row; a rotation that is seen early needs one or two. */
const EARLY_READS_MAX = 5;

export interface KeySetOptions {
  readonly url: URL;
  /** Name of the key set in logs and metrics. */
  readonly issuer: string;
  readonly timeoutMs: number;
  readonly maxStaleMs: number;
  readonly refreshMs: number;
  readonly cooldownMs: number;
}

export interface KeySetDeps {
  readonly monotonicClock: () => number;
  readonly logger?: Logger | undefined;
  readonly readMs?: Map<string, number> | undefined;
}

/**
 * The public keys that an issuer publishes at a URL. Once read they are used until newer ones are: an issuer that is away
 * costs nobody anything for `maxStaleMs`. They are read again in the background every `refreshMs`, and at once for a key
 * id that is not among them, as often as a small budget allows, so that invented ids cannot be used to flood the issuer.
 * All that wait for a read share it.
 */
export class KeySet implements KeySource {
  readonly #options: KeySetOptions;
  readonly #deps: KeySetDeps;
  readonly #earlyReads: RefillingBudget;
  #keys: LocalJWKSet | null = null;
  #readMs: number;
  #reading: Promise<LocalJWKSet> | null = null;
  #started = false;
  #timer: NodeJS.Timeout | undefined;
  #isAway = false;

  constructor(options: KeySetOptions, deps: KeySetDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#readMs = deps.monotonicClock();
    this.#earlyReads = new RefillingBudget(EARLY_READS_MAX, options.cooldownMs, deps.monotonicClock);
  }

  /** Reads the set, and again and again until `stop`. */
  start(): void {
    this.#started = true;
    this.#deps.readMs?.set(this.#options.issuer, this.#readMs);
    this.#refresh();
  }

  stop(): void {
    this.#started = false;
    clearTimeout(this.#timer);
    this.#deps.readMs?.delete(this.#options.issuer);
  }

  /**
   * Takes over what is known of an issuer, which goes on being used when its entry is configured anew, also while it is
   * away.
   */
  takeOver(before: KeySet): void {
    if (before.#options.url.href !== this.#options.url.href) return;
    this.#keys = before.#keys;
    this.#readMs = before.#readMs;
  }

  async keysFor(header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<readonly CryptoKey[]> {
    const keys = await this.#usable();
    const found = await matching(keys, header, token);
    if (found.length > 0) return found;
    // A read that began before this token came may end without the newest key, but it costs nothing to wait for it.
    if (this.#reading === null && !this.#earlyReads.take()) throw new errors.JWKSNoMatchingKey();
    const newer = await matching(await this.#read(), header, token);
    if (newer.length === 0) throw new errors.JWKSNoMatchingKey();
    return newer;
  }

  async #usable(): Promise<LocalJWKSet> {
    const keys = this.#keys;
    const ageMs = this.#deps.monotonicClock() - this.#readMs;
    if (keys === null || ageMs > this.#options.maxStaleMs) return this.#read();
    // Before `start` nobody else reads it.
    if (!this.#started && ageMs > this.#options.refreshMs) this.#refresh();
    return keys;
  }

  #refresh(): void {
    const { refreshMs, cooldownMs } = this.#options;
    const again = (delayMs: number): void => {
      if (this.#started) this.#timer = setTimeout(() => this.#refresh(), delayMs).unref();
    };
    this.#read().then(
      () => again(refreshMs),
      () => again(Math.min(refreshMs, cooldownMs)),
    );
  }

  /** Reads the set. Rejects with VerifierUnavailableError. */
  #read(): Promise<LocalJWKSet> {
    this.#reading ??= this.#readNow().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #readNow(): Promise<LocalJWKSet> {
    const { issuer, url, timeoutMs } = this.#options;
    try {
      const keys = await readKeySet(url, timeoutMs);
      this.#keys = keys;
      this.#readMs = this.#deps.monotonicClock();
      if (this.#started) this.#deps.readMs?.set(issuer, this.#readMs);
      if (this.#isAway) this.#deps.logger?.info('key set is read again', { issuer });
      this.#isAway = false;
      return keys;
    } catch (cause) {
      this.#tell(cause);
      throw new VerifierUnavailableError('the key set cannot be read', { cause });
    }
  }

  #tell(error: unknown): void {
    const { logger, monotonicClock } = this.#deps;
    const { issuer, url, maxStaleMs } = this.#options;
    const ageMs = Math.round(monotonicClock() - this.#readMs);
    const fields = { issuer, url: `${url.origin}${url.pathname}`, ageMs, maxStaleMs, error };
    const message =
      this.#keys === null
        ? 'key set cannot be read, its tokens are refused as unavailable'
        : 'key set cannot be read, its last keys are used on';
    if (this.#isAway) logger?.debug(message, fields);
    else logger?.warn(message, fields);
    this.#isAway = true;
  }
}

/** Reads a key set once. Rejects with what says why no keys could be taken from it. */
export async function readKeySet(url: URL, timeoutMs = KEY_SET_TIMEOUT_MS): Promise<LocalJWKSet> {
  const { status, text } = await ask({ url, timeoutMs, bytesMax: KEY_SET_BYTES_MAX });
  return parsed(status, text);
}

/** Parses the answer. Throws when no keys could be taken from it. */
function parsed(status: number, text: string): LocalJWKSet {
  if (status !== 200) throw new Error(`the answer has status ${status}`);
  const set = JSON.parse(text) as JSONWebKeySet;
  const keys = createLocalJWKSet(set);
  // The keys of before are better than none at all: nobody publishes an empty set on purpose.
  if (set.keys.length === 0) throw new Error('the key set is empty');
  return keys;
}

/** Finds the keys. A token without a key id may be of any key of its kind, as during a rotation. */
async function matching(
  keys: LocalJWKSet,
  header: JWTHeaderParameters,
  token: FlattenedJWSInput,
): Promise<readonly CryptoKey[]> {
  try {
    return [await keys(header, token)];
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return [];
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    const several: CryptoKey[] = [];
    for await (const key of error) several.push(key);
    return several;
  }
}
