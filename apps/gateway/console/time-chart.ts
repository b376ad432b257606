import { roundTop, timeTicks } from './axes.js';
import { endOf, type Series } from './cluster-history.js';
import { el, setText } from './dom.js';
import { formatClock } from './format.js';

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 124;
const MARGIN = { top: 8, right: 8, bottom: 20, left: 50 };
/** Width of a time on the axis, with the space around it. */
const LABEL_WIDTH = 62;
/** The line would otherwise go on over periods of which nothing is known. */
const GAP_PERIODS = 1;

export interface ChartKind {
  readonly format: (value: number) => string;
  /** The least that the axis of values ends with. */
  readonly least: number;
  /** What units of the values are made of; 10 unless given. */
  readonly base?: number;
}

export interface Shown {
  readonly title: string;
  readonly series: Series;
  readonly first: number;
  readonly last: number;
  /** Period whose value is told. */
  readonly at: number;
}

/** One measure over time, with both axes. It is drawn as wide as it is, so that texts keep their size. */
export class TimeChart {
  readonly element = el('figure', 'chart');
  readonly #kind: ChartKind;
  readonly #title = el('span', 'chart-title');
  readonly #value = el('span', 'chart-value');
  readonly #svg = svg('svg', { height: HEIGHT, role: 'img' });
  #shown: Shown | null = null;
  #width = 0;

  /** `onPoint` is told the period that the mouse is at; null: it has left. */
  constructor(kind: ChartKind, onPoint: (period: number | null) => void) {
    this.#kind = kind;
    this.element.append(el('figcaption', '', this.#title, ' ', this.#value), this.#svg);
    new ResizeObserver(() => {
      if (this.#svg.clientWidth === this.#width) return;
      this.#width = this.#svg.clientWidth;
      this.#draw();
    }).observe(this.#svg);
    this.#svg.addEventListener('pointermove', (event) => {
      if (event.pointerType === 'mouse') onPoint(this.#periodAt(event.offsetX));
    });
    this.#svg.addEventListener('pointerleave', () => onPoint(null));
  }

  show(shown: Shown): void {
    this.#shown = shown;
    this.#draw();
  }

  #periodAt(x: number): number | null {
    if (this.#shown === null) return null;
    const { first, last } = this.#shown;
    const share = (x - MARGIN.left) / (this.#width - MARGIN.left - MARGIN.right);
    return Math.min(last, Math.max(first, Math.round(first + share * (last - first))));
  }

  #draw(): void {
    if (this.#shown === null) return;
    const { title, series, first, last, at } = this.#shown;
    const { format, ...scale } = this.#kind;
    const value = series.get(at) ?? null;
    setText(this.#title, title);
    setText(this.#value, value === null ? '–' : format(value));
    if (this.#width === 0) return;
    const points = [...series].filter(([period]) => period >= first && period <= last).sort(([a], [b]) => a - b);
    const values = points.flatMap(([, each]) => (each === null ? [] : [each]));
    const top = roundTop(Math.max(0, ...values), scale);
    const [right, ground] = [this.#width - MARGIN.right, HEIGHT - MARGIN.bottom];
    const x = (period: number): number =>
      MARGIN.left + ((period - first) / Math.max(1, last - first)) * (right - MARGIN.left);
    const y = (each: number): number => ground - (each / top) * (ground - MARGIN.top);
    const runs = runsOf(points).map((run) => run.map(([period, each]) => [x(period), y(each)] as const));
    this.#svg.setAttribute('viewBox', `0 0 ${this.#width} ${HEIGHT}`);
    this.#svg.setAttribute('aria-label', this.#summary(values));
    this.#svg.replaceChildren(
      ...[0, top / 2, top].flatMap((each) => valueTick(plain(format(each)), { y: y(each), right })),
      ...this.#times(x),
      svg('path', { class: 'area', d: runs.map((run) => areaOf(run, ground)).join('') }),
      svg('path', { class: 'line', d: runs.map(lineOf).join('') }),
      ...(value === null ? [] : [svg('circle', { class: 'point', cx: x(at), cy: y(value), r: 3 })]),
      svg('path', { class: 'at', d: `M${x(at)} ${MARGIN.top}V${ground}` }),
    );
  }

  #times(x: (period: number) => number): SVGElement[] {
    const { first, last } = this.#shown!;
    const room = Math.floor((this.#width - MARGIN.left - MARGIN.right) / LABEL_WIDTH);
    const [fromMs, toMs] = [endOf(first), endOf(last)];
    return timeTicks(fromMs, toMs, room).flatMap((atMs) => {
      const at = x(first + ((atMs - fromMs) / (toMs - fromMs || 1)) * (last - first));
      const isInside = at > MARGIN.left + LABEL_WIDTH / 3 && at < this.#width - LABEL_WIDTH / 2;
      const mark = svg('path', { class: 'grid', d: `M${at} ${HEIGHT - MARGIN.bottom}v4` });
      return isInside ? [mark, label(formatClock(atMs), { x: at, y: HEIGHT - 5, 'text-anchor': 'middle' })] : [mark];
    });
  }

  #summary(values: readonly number[]): string {
    const { title, first, last } = this.#shown!;
    const { format } = this.#kind;
    const span = `${title}, from ${formatClock(endOf(first))} to ${formatClock(endOf(last))}`;
    if (values.length === 0) return `${span}: nothing`;
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return `${span}: from ${format(low)} to ${format(high)}, ${format(values.at(-1)!)} at the end`;
  }
}

type Point = readonly [x: number, y: number];

/** Splits where something is missing. */
function runsOf(points: readonly (readonly [number, number | null])[]): [number, number][][] {
  const runs: [number, number][][] = [];
  let before = -Infinity;
  for (const [period, value] of points) {
    if (value === null) continue;
    if (period - before > GAP_PERIODS) runs.push([]);
    runs.at(-1)!.push([period, value]);
    before = period;
  }
  return runs;
}

/** A single point is a line, too: its round ends are what is seen of it. */
function lineOf(run: readonly Point[]): string {
  const [first, ...others] = run.map((point) => point.map((number) => number.toFixed(1)).join(' '));
  return others.length === 0 ? `M${first}h0` : `M${first}L${others.join('L')}`;
}

function areaOf(run: readonly Point[], ground: number): string {
  return `M${run[0]![0].toFixed(1)} ${ground}L${lineOf(run).slice(1).replace('h0', '')}L${run.at(-1)![0].toFixed(1)} ${ground}Z`;
}

/** Ticks are round: what is behind the point is nothing. */
function plain(text: string): string {
  return text.replace(/\.0+(?!\d)/, '');
}

function valueTick(text: string, { y, right }: { y: number; right: number }): SVGElement[] {
  return [
    svg('path', { class: 'grid', d: `M${MARGIN.left} ${y}H${right}` }),
    label(text, { x: MARGIN.left - 6, y: y + 4, 'text-anchor': 'end' }),
  ];
}

function label(text: string, attributes: Readonly<Record<string, number | string>>): SVGElement {
  const element = svg('text', attributes);
  element.textContent = text;
  return element;
}

function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, number | string>>,
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
