const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 240;
const HEIGHT = 40;
/** Margin for the line's own width. */
const MARGIN = 2;

/** Draws the last two minutes of one value, a point a second. The line has a gap where there was no value. */
export class Sparkline {
  static readonly POINTS = 120;
  readonly element = document.createElementNS(SVG, 'svg');
  readonly #line = document.createElementNS(SVG, 'path');
  readonly #area = document.createElementNS(SVG, 'path');
  #values: (number | null)[] = [];

  constructor() {
    this.element.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute('preserveAspectRatio', 'none');
    // The number beside it says the same.
    this.element.setAttribute('aria-hidden', 'true');
    this.#area.setAttribute('class', 'area');
    this.#line.setAttribute('class', 'line');
    this.element.append(this.#area, this.#line);
  }

  get max(): number {
    return Math.max(0, ...this.#values.map((value) => value ?? 0));
  }

  add(value: number | null): void {
    this.#values = [...this.#values, value].slice(-Sparkline.POINTS);
    const runs = this.#runs();
    this.#line.setAttribute('d', runs.map((run) => `M${run.join('L')}`).join(''));
    this.#area.setAttribute('d', runs.map((run) => closed(run)).join(''));
  }

  /** Returns the points between gaps, as `x,y`. */
  #runs(): string[][] {
    const max = this.max || 1;
    const first = Sparkline.POINTS - this.#values.length;
    const runs: string[][] = [[]];
    for (const [at, value] of this.#values.entries()) {
      if (value === null) {
        runs.push([]);
        continue;
      }
      const x = ((first + at) / (Sparkline.POINTS - 1)) * WIDTH;
      const y = HEIGHT - MARGIN - (value / max) * (HEIGHT - 2 * MARGIN);
      runs.at(-1)!.push(`${x.toFixed(1)},${y.toFixed(1)}`);
    }
    return runs.filter((run) => run.length > 1);
  }
}

/** Closes the run down to the ground at both ends. */
function closed(run: readonly string[]): string {
  const ground = (point: string): string => `${point.split(',')[0]},${HEIGHT}`;
  return `M${ground(run[0]!)}L${run.join('L')}L${ground(run.at(-1)!)}Z`;
}
