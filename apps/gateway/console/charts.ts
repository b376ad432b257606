import { byId, el, setText, setTone } from './dom.js';
import { formatCount, formatRate, formatSeconds } from './format.js';
import { eachSecond } from './poll.js';
import { Readings, type Reading } from './readings.js';
import type { Settings } from './settings.js';
import { Sparkline } from './sparkline.js';

interface Tile {
  readonly of: keyof Reading;
  readonly title: string;
  readonly format: (value: number) => string;
}

interface ShownTile {
  show(reading: Reading): void;
  /** There is nothing to show: the node does not answer. */
  clear(): void;
}

const TILES: readonly Tile[] = [
  { of: 'deliveries', title: 'Deliveries / s', format: formatRate },
  { of: 'connections', title: 'Connections', format: formatCount },
  { of: 'lag', title: 'Consumer lag', format: formatCount },
  { of: 'ageP99', title: 'Message age, p99', format: formatSeconds },
];

/** Shows the charts of this node, and whether it is ready. */
export function showCharts({ metrics }: Settings): void {
  const shown = metrics === null ? [] : TILES.map(showTile);
  const readings = new Readings(metrics?.namespace ?? '');
  byId('charts').hidden = metrics === null;
  eachSecond(async () => {
    try {
      await showReadiness();
      if (metrics === null) return;
      const response = await fetch(metrics.path.slice(1));
      const reading = readings.next(await response.text(), performance.now());
      for (const tile of shown) tile.show(reading);
    } catch {
      for (const tile of shown) tile.clear();
      // The node does not answer, which is the one thing to be said about it.
      setTone(byId('readiness'), 'does not answer', 'bad');
    }
  });
}

async function showReadiness(): Promise<void> {
  const answer = await fetch('ready');
  const { failing = [] } = (await answer.json()) as { failing?: string[] };
  const text = answer.ok ? 'ready' : failing.join(', ');
  setTone(byId('readiness'), text, answer.ok ? 'good' : 'warn');
}

function showTile({ of, title, format }: Tile): ShownTile {
  const value = el('p', 'value', '–');
  const max = el('p', 'max');
  const sparkline = new Sparkline();
  const tile = el('article', 'tile', el('h2', '', title), value, max, sparkline.element);
  byId('charts').append(tile);
  const add = (now: number | null): void => {
    sparkline.add(now);
    setText(value, now === null ? '–' : format(now));
    setText(max, `max ${format(sparkline.max)}`);
  };
  return { show: (reading) => add(reading[of]), clear: () => add(null) };
}
