import type { AdminClient } from './admin-client.js';
import {
  ClusterHistory,
  endOf,
  PERIOD_MS,
  periodAt,
  type Measure,
  type Reading,
  type Together,
} from './cluster-history.js';
import { byId, el, Rows, setText, setTone } from './dom.js';
import { formatBytes, formatClock, formatCount, formatRate, formatSeconds, formatShare } from './format.js';
import { TimeChart, type ChartKind } from './time-chart.js';

interface Told extends ChartKind {
  readonly measure: Measure;
  readonly title: string;
  readonly together: Together;
  /** The title where it is about all nodes together; as for one unless given. */
  readonly ofAll?: string;
}

const rate = { format: formatRate, least: 2, together: 'sum' } as const;
const count = { format: formatCount, least: 2, together: 'sum' } as const;

const CHARTS: readonly Told[] = [
  { measure: 'connections', title: 'Connections', ...count },
  { measure: 'sent_per_second', title: 'Sent to clients / s', ...rate },
  { measure: 'records_per_second', title: 'Records read / s', ...rate },
  { measure: 'received_per_second', title: 'Received from clients / s', ...rate },
  {
    ...{ measure: 'age_p99_ms', title: 'Message age, p99', ofAll: 'Message age, p99, oldest' },
    ...{ format: (ms) => formatSeconds(ms / 1000), least: 2, together: 'max' },
  },
  { measure: 'lag', title: 'Consumer lag', ...count },
  { measure: 'dead_letters', title: 'Dead letters / 10 s', ...count },
  { measure: 'slow', title: 'Slow clients', ...count },
  {
    ...{ measure: 'memory_bytes', title: 'Memory', ofAll: 'Memory, largest node' },
    ...{ format: formatBytes, least: 2 * 1024 * 1024, base: 1024, together: 'max' },
  },
  {
    ...{ measure: 'cpu', title: 'CPU of a core', ofAll: 'CPU of a core, busiest node' },
    ...{ format: formatShare, least: 0.02, together: 'max' },
  },
];

/**
 * The last hour of all nodes, or of one. What a node told stays until the page goes, also when the node has gone, which is
 * then said. The panel has its size from the moment at which there is a token: what lies below it must not move away from
 * under the mouse when the first readings come.
 */
export class HistoryPanel {
  readonly #admin: AdminClient;
  readonly #history = new ClusterHistory();
  readonly #section = byId('history');
  readonly #select = byId('history-node', HTMLSelectElement);
  readonly #slider = byId('history-at', HTMLInputElement);
  readonly #charts: readonly { readonly told: Told; readonly chart: TimeChart }[];
  readonly #options = new Rows<{ node: string; text: string }, { element: HTMLOptionElement }>(this.#select, {
    key: ({ node }) => node,
    create: ({ node }) => ({ element: Object.assign(el('option'), { value: node }) }),
    update: ({ element }, { text }) => setText(element, text),
  });
  #living: readonly string[] = [];
  #isSilent = false;
  #askedMs = -Infinity;
  #isAsking = false;
  /** Period that was chosen by the slider; null: the last one, whichever that is. */
  #chosen: number | null = null;
  /** Period under the mouse. */
  #pointed: number | null = null;

  constructor(admin: AdminClient) {
    this.#admin = admin;
    this.#charts = CHARTS.map((told) => ({ told, chart: new TimeChart(told, (period) => this.#point(period)) }));
    byId('history-charts').append(...this.#charts.map(({ chart }) => chart.element));
    // Where there is little room the rest of the page comes first.
    byId('history', HTMLDetailsElement).open = matchMedia('(min-width: 561px)').matches;
    this.#select.addEventListener('change', () => this.show());
    this.#slider.addEventListener('input', () => {
      const { value, max } = this.#slider;
      this.#chosen = value === max ? null : Number(value);
      this.show();
    });
  }

  /** The nodes that are there now. */
  async update(nodes: readonly string[]): Promise<void> {
    this.#living = nodes;
    this.#isSilent = false;
    if (this.#isAsking || performance.now() - this.#askedMs < PERIOD_MS) {
      this.show();
      return;
    }
    this.#isAsking = true;
    this.#askedMs = performance.now();
    await Promise.all(nodes.map((node) => this.#ask(node)));
    this.#isAsking = false;
    this.show();
  }

  /** The node of this page does not answer: what is shown was true before. */
  silent(): void {
    this.#isSilent = true;
    this.show();
  }

  clear(): void {
    this.#history.clear();
    this.#askedMs = -Infinity;
    this.#chosen = null;
  }

  /** Shows what is known, while there is a token. */
  show(): void {
    this.#section.hidden = !this.#admin.hasToken;
    const now = periodAt(Date.now());
    const { first, last } = this.#history.range(this.#isSilent ? [] : this.#living) ?? { first: now, last: now };
    this.#showNodes();
    const at = Math.min(last, Math.max(first, this.#pointed ?? this.#chosen ?? last));
    this.#showTime({ first, last, at });
    const node = this.#select.value === '' ? null : this.#select.value;
    for (const { told, chart } of this.#charts) {
      const title = (node === null ? told.ofAll : undefined) ?? told.title;
      chart.show({ title, series: this.#history.series(told.measure, node, told.together), first, last, at });
    }
  }

  async #ask(node: string): Promise<void> {
    const last = this.#history.lastOf(node);
    const query = last === null ? '' : `?after=${encodeURIComponent(last)}`;
    try {
      const path = `nodes/${encodeURIComponent(node)}/readings${query}`;
      this.#history.add(node, (await this.#admin.call<{ readings: Reading[] }>('GET', path)).readings);
    } catch {
      // Its line ends, or has a hole that the next answer fills.
    }
  }

  #point(period: number | null): void {
    this.#pointed = period;
    this.show();
  }

  #showNodes(): void {
    const gone = (node: string): boolean => !this.#living.includes(node);
    const text = (node: string): string => {
      const last = this.#history.lastOf(node);
      return gone(node) && last !== null ? `${node}, gone since ${formatClock(Date.parse(last))}` : node;
    };
    const { nodes } = this.#history;
    // Those that are there come first.
    const sorted = [...nodes.filter((node) => !gone(node)), ...nodes.filter(gone)];
    this.#options.show([{ node: '', text: 'all nodes' }, ...sorted.map((node) => ({ node, text: text(node) }))]);
    const isGone = this.#select.value !== '' && gone(this.#select.value);
    this.#section.dataset['gone'] = String(this.#isSilent || isGone);
    const note = byId('history-note');
    if (this.#isSilent) setTone(note, 'This node does not answer: the charts end where it last did.', 'bad');
    else if (isGone) setTone(note, `${text(this.#select.value)}: this is what it told before.`, 'warn');
    else setTone(note, '', 'plain');
  }

  #showTime({ first, last, at }: { first: number; last: number; at: number }): void {
    this.#slider.min = String(first);
    this.#slider.max = String(last);
    this.#slider.value = String(this.#chosen ?? last);
    const time = formatClock(endOf(at), 'seconds');
    this.#slider.setAttribute('aria-valuetext', time);
    setText(byId('history-time'), time);
  }
}
