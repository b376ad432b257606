/** Returns what docs/protocol.md promises for a frame: the rid of its one answer, or `perhaps` -1 for a bare frame. */
function promised(text: string): number | 'perhaps' {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return -1;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return -1;
  const members = new Map<string, unknown>(Object.entries(value));
  const rid = members.get('rid');
  if (rid === undefined && ['enter', 'leave'].includes(members.get('action') as string)) return 'perhaps';
  return typeof rid === 'number' && Number.isSafeInteger(rid) && rid > 0 ? rid : -1;
}

type Frame = Readonly<Record<string, unknown>>;

/** Counts answers by rid; pushes have rid -1 too, so only errors count there. */
export class Ledger {
  readonly #expected = new Map<number, number>();
  readonly #texts: string[] = [];
  #perhaps = 0;

  sent(text: string): void {
    const rid = promised(text);
    this.#texts.push(text);
    if (rid === 'perhaps') this.#perhaps++;
    else this.#expected.set(rid, (this.#expected.get(rid) ?? 0) + 1);
  }

  complete(frames: readonly Frame[]): boolean {
    return this.#compare(frames).missing.length === 0;
  }

  /** Throws where an answer is missing, twice, or not of the promised shape. */
  check(frames: readonly Frame[]): void {
    const { missing, surplus } = this.#compare(frames);
    if (missing.length > 0) this.#fail('answers are missing for', missing);
    if (surplus.some(({ rid }) => rid !== -1) || surplus.length > this.#perhaps) this.#fail('too many', surplus);
    const misshapen = frames.filter((frame) => isAnswer(frame) && !isShaped(frame));
    if (misshapen.length > 0) this.#fail('not an answer of the protocol', misshapen[0]);
  }

  #compare(frames: readonly Frame[]): { missing: number[]; surplus: Frame[] } {
    const left = new Map(this.#expected);
    const surplus = frames.filter(isAnswer).filter((frame) => {
      const rid = frame['rid'] as number;
      const count = left.get(rid) ?? 0;
      left.set(rid, count - 1);
      return count <= 0;
    });
    return { missing: [...left].filter(([, count]) => count > 0).map(([rid]) => rid), surplus };
  }

  #fail(what: string, about: unknown): never {
    throw new Error(`${what}: ${JSON.stringify(about).slice(0, 500)}; sent: ${this.#texts.join('\n').slice(0, 4000)}`);
  }
}

function isAnswer({ rid, event }: Frame): boolean {
  return rid !== -1 || event === 'error';
}

const STATUSES: readonly unknown[] = ['ok', 'error', 'unauthorized', 'forbidden'];

function isShaped(frame: Frame): boolean {
  const { event, status, payload } = frame;
  if (Object.keys(frame).join() !== 'rid,event,status,payload') return false;
  if (typeof event !== 'string' || !STATUSES.includes(status)) return false;
  if (status === 'ok') return true;
  const { code, message } = (payload ?? {}) as Frame;
  // Nothing that a client sends is the gateway's own fault.
  return typeof code === 'string' && code !== 'internal_error' && typeof message === 'string';
}
