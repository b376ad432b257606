import { RefusalError } from '../refusals.js';
import { TokenBucket } from '../rate-limits.js';
import { addressGroup } from '../address-group.js';

/** Handshakes of unknown clients that are looked at for each one of them that may be admitted. */
const LOOKS_PER_ADMISSION = 4;
/** Addresses that are remembered; those that have not come for a second are forgotten first. */
const ADDRESSES_MAX = 10_000;

/**
 * Handshakes a second on this node: a storm after a failure is spread over time before it costs signature checks and
 * engine calls. Clients whose token is known to be good have places of their own, as many as all others together: they
 * wait behind nobody who may be anybody. The others are counted by address first, and what is refused by its address
 * takes nothing from other addresses.
 */
export class HandshakeRate {
  readonly #known = new TokenBucket();
  readonly #looks = new TokenBucket();
  readonly #admissions = new TokenBucket();
  readonly #byAddress = new Map<string, TokenBucket>();

  /** Counts a client whose token is known. Throws RefusalError. `perSecond` 0: no limit. */
  checkKnown(perSecond: number): void {
    if (!this.#known.take(perSecond, performance.now())) throw tooMany();
  }

  /** Counts an unknown client before anybody looks who it is. Throws RefusalError. `perSecond` 0: no limit. */
  checkUnknown(perSecond: number, address: string): void {
    if (perSecond === 0) return;
    const nowMs = performance.now();
    if (!this.#bucketOf(addressGroup(address), perSecond, nowMs).take(perSecond, nowMs)) throw tooMany();
    if (!this.#looks.take(perSecond * LOOKS_PER_ADMISSION, nowMs)) throw tooMany();
  }

  /** Counts an unknown client that may come in, before it goes on. Throws RefusalError. `perSecond` 0: no limit. */
  checkAdmission(perSecond: number): void {
    if (!this.#admissions.take(perSecond, performance.now())) throw tooMany();
  }

  #bucketOf(group: string, perSecond: number, nowMs: number): TokenBucket {
    let bucket = this.#byAddress.get(group);
    if (bucket === undefined) {
      if (this.#byAddress.size >= ADDRESSES_MAX) this.#forgetFull(perSecond, nowMs);
      this.#byAddress.set(group, (bucket = new TokenBucket()));
    }
    return bucket;
  }

  /** A full bucket says nothing. When none is full, all are forgotten: the bound on all together still holds. */
  #forgetFull(perSecond: number, nowMs: number): void {
    for (const [group, bucket] of this.#byAddress) if (bucket.isFull(perSecond, nowMs)) this.#byAddress.delete(group);
    if (this.#byAddress.size >= ADDRESSES_MAX) this.#byAddress.clear();
  }
}

function tooMany(): RefusalError {
  return new RefusalError('unavailable', 'too many handshakes at once; come back');
}
