import { RefusalError } from '../refusals.js';
import { TokenBucket } from '../rate-limits.js';
import { addressGroup } from '../address-group.js';

/** Tokens that are looked at for each handshake that may be admitted. */
const VERIFICATIONS_PER_ADMISSION = 4;
/** Addresses that are remembered; those that have not come for a second are forgotten first. */
const ADDRESSES_MAX = 10_000;

/**
 * Handshakes a second on this node: a storm after a failure is spread over time before it costs signature checks and engine
 * calls. First each address has a bucket, then all together; what is refused by its address takes nothing from others, and
 * a client whose token is known to be good waits behind none of those whose tokens have to be looked at.
 */
export class HandshakeRate {
  readonly #admissions = new TokenBucket();
  readonly #verifications = new TokenBucket();
  readonly #byAddress = new Map<string, TokenBucket>();

  /** Before a token is looked at, or a guest let in. Throws RefusalError. `perSecond` 0: no limit. */
  checkUnknown(perSecond: number, address: string): void {
    if (perSecond === 0) return;
    const nowMs = performance.now();
    if (!this.#bucketOf(addressGroup(address), perSecond, nowMs).take(perSecond, nowMs)) throw tooMany();
    const verifications = perSecond * VERIFICATIONS_PER_ADMISSION;
    if (!this.#verifications.take(verifications, nowMs)) throw tooMany();
  }

  /** Before a good handshake goes on. Throws RefusalError. `perSecond` 0: no limit. */
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
