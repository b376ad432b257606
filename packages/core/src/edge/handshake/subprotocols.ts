import { RefusalError } from '../refusals.js';

/** The gateway's own subprotocol: whoever offers it is told of a refusal by a frame, which browsers can read. */
const OWN_PROTOCOL = 'wsg.v1';
/** The subprotocol that carries a token: the entry right behind it. */
const TOKEN_PROTOCOL = 'bearer';

/** What a client offers as subprotocols. */
export class SubprotocolOffer {
  /** Entry behind `bearer`; null: there is none. */
  readonly token: string | null;
  readonly readsRefusals: boolean;
  readonly #names: readonly string[];

  /** `header` is the raw `Sec-WebSocket-Protocol`. */
  constructor(header: string) {
    const entries = header === '' ? [] : entriesOf(header);
    const bearerAt = entries.indexOf(TOKEN_PROTOCOL);
    const tokenAt = bearerAt < 0 || bearerAt + 1 === entries.length ? -1 : bearerAt + 1;
    this.token = entries[tokenAt] ?? null;
    // A token is no name, whatever it looks like.
    this.#names = entries.filter((_, at) => at !== tokenAt);
    this.readsRefusals = this.#names.includes(OWN_PROTOCOL);
  }

  /**
   * The first one that is accepted; null when nothing was offered. Throws RefusalError when none is known, and names those
   * that are: a browser ends a connection whose subprotocols the server has not taken up, and does not say why.
   */
  select(configured: readonly string[]): string | null {
    if (this.readsRefusals) return OWN_PROTOCOL;
    if (this.#names.length === 0) return null;
    const selected = configured.find((name) => this.#names.includes(name));
    if (selected !== undefined) return selected;
    if (this.#names.includes(TOKEN_PROTOCOL)) return TOKEN_PROTOCOL;
    const known = [...new Set([OWN_PROTOCOL, ...configured, TOKEN_PROTOCOL])].join(', ');
    throw new RefusalError('bad_request', `Sec-WebSocket-Protocol: none is known; known ones: ${known}`);
  }
}

function entriesOf(header: string): string[] {
  return header
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
