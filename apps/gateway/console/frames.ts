import { byId, el, setText } from './dom.js';
import { formatTime } from './format.js';

export interface FrameEntry {
  readonly at: Date;
  /** Kind of the entry; `told` is what the client says about the connection, between the frames. */
  readonly kind: 'frame' | 'replayed' | 'told';
  readonly name: string;
  readonly offset: number | null;
  /** Text of one line. */
  readonly text: string;
  /** Makes the text that is shown when the entry is opened. */
  readonly detail: (() => string) | null;
}

/** Number of entries kept: a page that stays open for a week must not grow. */
const KEPT = 500;
const SHOWN = 200;

/** Lists the newest entries first. It draws at most once a picture, however many come. */
export class FrameList {
  readonly #list = byId('frames');
  readonly #count = byId('frame-count');
  readonly #pauseButton = byId('pause', HTMLButtonElement);
  readonly #filter = byId('filter', HTMLInputElement);
  #entries: FrameEntry[] = [];
  #fresh: FrameEntry[] = [];
  #frames = 0;
  #paused = false;
  #drawing = false;

  constructor() {
    this.#pauseButton.addEventListener('click', () => this.#pause(!this.#paused));
    byId('clear').addEventListener('click', () => this.#clear());
    this.#filter.addEventListener('input', () => this.#redraw());
  }

  add(entry: FrameEntry): void {
    if (entry.kind !== 'told') this.#frames++;
    this.#fresh.push(entry);
    // While the list is paused nobody takes these away.
    if (this.#fresh.length > KEPT) this.#fresh.shift();
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#drawing = false;
    setText(this.#count, String(this.#frames));
    const waiting = this.#fresh.length;
    setText(this.#pauseButton, this.#paused ? `Go on${waiting > 0 ? ` (${waiting} new)` : ''}` : 'Pause');
    if (this.#paused) return;
    const fresh = this.#fresh.splice(0);
    this.#entries = [...this.#entries, ...fresh].slice(-KEPT);
    const fits = fresh.filter((entry) => this.#fits(entry)).slice(-SHOWN);
    this.#list.prepend(...fits.reverse().map(rowOf));
    while (this.#list.children.length > SHOWN) this.#list.lastElementChild!.remove();
    this.#sayWhenEmpty();
  }

  #redraw(): void {
    const fits = this.#entries.filter((entry) => this.#fits(entry)).slice(-SHOWN);
    this.#list.replaceChildren(...fits.reverse().map(rowOf));
    this.#sayWhenEmpty();
  }

  #fits({ name, text }: FrameEntry): boolean {
    const wanted = this.#filter.value.trim().toLowerCase();
    return wanted === '' || `${name} ${text}`.toLowerCase().includes(wanted);
  }

  #pause(paused: boolean): void {
    this.#paused = paused;
    this.#pauseButton.setAttribute('aria-pressed', String(paused));
    this.#draw();
  }

  #clear(): void {
    this.#entries = [];
    this.#fresh = [];
    this.#frames = 0;
    this.#list.replaceChildren();
    this.#draw();
  }

  #sayWhenEmpty(): void {
    const empty = byId('no-frames');
    empty.hidden = this.#list.children.length > 0;
    const filtered = this.#entries.length > 0;
    setText(empty, filtered ? 'No frame fits the filter.' : 'Frames appear here as they come, the newest first.');
  }
}

function rowOf({ at, kind, name, offset, text, detail }: FrameEntry): HTMLLIElement {
  const cells = [
    el('time', 'faint', formatTime(at)),
    el('span', 'event', name),
    el('span', 'offset', offset === null ? '' : `#${offset}`),
    el('span', 'text', text),
  ];
  if (kind === 'replayed') cells.push(el('span', 'tag', 'replayed'));
  if (detail === null) return el('li', `frame ${kind}`, el('p', 'line', ...cells));
  const body = el('pre', 'mono');
  body.tabIndex = 0;
  const details = el('details', '', el('summary', 'line', ...cells), body);
  details.addEventListener('toggle', () => setText(body, detail()), { once: true });
  return el('li', `frame ${kind}`, details);
}
