/** Text goes in as text nodes only: what users and producers wrote never becomes markup. */

type Child = Node | string;

export function byId<T extends HTMLElement = HTMLElement>(id: string, kind?: new () => T): T {
  const element = document.getElementById(id);
  if (element === null || (kind !== undefined && !(element instanceof kind))) throw new Error(`the page has no ${id}`);
  return element as T;
}

export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = '',
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.append(...children);
  return element;
}

/** Makes a button. `label` is what a screen reader says where the text alone, repeated in each row, says too little. */
export function button(text: string, label: string, onClick: () => unknown): HTMLButtonElement {
  const element = el('button', '', text);
  element.type = 'button';
  element.setAttribute('aria-label', label);
  element.addEventListener('click', () => void onClick());
  return element;
}

/** Sets the text unless it is there already: a change would take away what somebody has selected. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export type Tone = 'plain' | 'good' | 'warn' | 'bad';

export function setTone(element: HTMLElement, text: string, tone: Tone): void {
  setText(element, text);
  element.dataset['tone'] = tone;
  element.hidden = text === '';
}

export function onSubmit(form: HTMLFormElement, action: () => unknown): void {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void action();
  });
}

/**
 * Keeps the children of `parent`, one for each item, in their order. Elements stay as long as their item is there, so
 * that focus and selection outlive the next poll.
 */
export class Rows<Item, Row extends { readonly element: HTMLElement }> {
  readonly #parent: HTMLElement;
  readonly #how: { key: (item: Item) => string; create: (item: Item) => Row; update: (row: Row, item: Item) => void };
  #rows = new Map<string, Row>();

  constructor(
    parent: HTMLElement,
    how: { key: (item: Item) => string; create: (item: Item) => Row; update: (row: Row, item: Item) => void },
  ) {
    this.#parent = parent;
    this.#how = how;
  }

  show(items: readonly Item[]): void {
    const rows = new Map<string, Row>();
    for (const [at, item] of items.entries()) {
      const key = this.#how.key(item);
      const row = this.#rows.get(key) ?? this.#how.create(item);
      this.#how.update(row, item);
      rows.set(key, row);
      const there = this.#parent.children[at];
      if (there !== row.element) this.#parent.insertBefore(row.element, there ?? null);
    }
    for (const [key, row] of this.#rows) if (!rows.has(key)) row.element.remove();
    this.#rows = rows;
  }
}
