import { byId } from './dom.js';

/** What a tab does when it is shown, and what ends when another one is. */
export interface Tab {
  readonly name: string;
  readonly shown?: () => void;
  readonly hidden?: () => void;
}

/**
 * Shows one panel of several: `tab-<name>` belongs to `panel-<name>`. One of the tabs takes the focus; arrows, Home and End
 * go to the others.
 */
export class Tabs {
  readonly #tabs: readonly Tab[];
  #current: Tab | null = null;

  constructor(tabs: readonly Tab[]) {
    this.#tabs = tabs;
    for (const tab of tabs) {
      const button = byId(`tab-${tab.name}`);
      button.addEventListener('click', () => this.show(tab));
      button.addEventListener('keydown', (event) => this.#key(event, tab));
    }
    this.show(tabs[0]!);
  }

  get current(): string {
    return this.#current?.name ?? '';
  }

  show(tab: Tab): void {
    if (tab === this.#current) return;
    this.#current?.hidden?.();
    this.#current = tab;
    for (const each of this.#tabs) {
      const isShown = each === tab;
      const button = byId(`tab-${each.name}`);
      button.setAttribute('aria-selected', String(isShown));
      button.tabIndex = isShown ? 0 : -1;
      byId(`panel-${each.name}`).hidden = !isShown;
    }
    tab.shown?.();
  }

  #key(event: KeyboardEvent, tab: Tab): void {
    const at = this.#tabs.indexOf(tab);
    const last = this.#tabs.length - 1;
    const targets: Readonly<Record<string, number>> = {
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at === 0 ? last : at - 1,
      Home: 0,
      End: last,
    };
    const target = this.#tabs[targets[event.key] ?? -1];
    if (target === undefined) return;
    event.preventDefault();
    this.show(target);
    byId(`tab-${target.name}`).focus();
  }
}
