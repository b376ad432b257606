const LENGTH_MAX = 256;
/** Texts that are shared; clients that invent others have each their own. */
const TEXTS_MAX = 1000;

/** Texts of `User-Agent`, which are few: what all connections say is kept once, and an idle one costs nothing by it. */
export class Agents {
  readonly #texts = new Map<string, string>();

  shared(agent: string): string {
    // Copied: a part of a text keeps all of it in memory, up to 16 kB for as long as the connection lasts.
    const text = agent.length <= LENGTH_MAX ? agent : Buffer.from(agent.slice(0, LENGTH_MAX)).toString();
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size < TEXTS_MAX) this.#texts.set(text, text);
    return text;
  }
}
