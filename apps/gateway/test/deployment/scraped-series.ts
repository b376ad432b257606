import { parseExposition, type Family } from '@ws-gateway/testkit';
import { namedIn, type Selector } from './promql.js';

type Sample = Family['samples'][number];

/** What Prometheus adds when it scrapes. */
const SCRAPED = ['namespace', 'pod', 'job'];

/** Series that a scrape of a node which is well lacks, or that Prometheus makes itself, with their labels. */
const AT_TIMES: Readonly<Record<string, Record<string, string>>> = {
  up: {},
  ws_gateway_kafka_topics_missing: { topic: '' },
  ws_gateway_auth_key_set_age_seconds: { issuer: '' },
};

/** The series of one scrape, to hold expressions against. */
export class ScrapedSeries {
  readonly #samples = new Map<string, Sample[]>();

  constructor(exposition: string) {
    for (const [name, labels] of Object.entries(AT_TIMES)) this.#samples.set(name, [{ name, labels, value: 1 }]);
    for (const { samples } of parseExposition(exposition).values()) {
      for (const sample of samples) this.#samples.set(sample.name, [...(this.#samples.get(sample.name) ?? []), sample]);
    }
  }

  labelsOf(series: string): string[] {
    return [...new Set(this.#samples.get(series)?.flatMap(({ labels }) => Object.keys(labels)))];
  }

  /** Why the expression would stay empty, or group by nothing; [] when it would not. */
  problems(expression: string): string[] {
    const { selectors, groupings } = namedIn(expression);
    const known = new Set([...SCRAPED, ...selectors.flatMap(({ series }) => this.labelsOf(series))]);
    return [
      ...(selectors.length === 0 ? ['no series is named'] : []),
      ...selectors.flatMap((selector) => this.#problemsOf(selector)),
      ...groupings.filter((label) => !known.has(label)).map((label) => `no label ${label}`),
    ];
  }

  #problemsOf({ series, matchers }: Selector): string[] {
    const samples = this.#samples.get(series);
    if (samples === undefined) return [`no series ${series}`];
    return matchers.flatMap(({ label, operator, value }) => {
      if (SCRAPED.includes(label)) return [];
      if (!this.labelsOf(series).includes(label)) return [`no label ${label} of ${series}`];
      // `!=` and `!~` are about what need not be there; `=~` is anchored.
      if (operator.startsWith('!')) return [];
      const fits = operator === '=' ? (text: string) => text === value : (text: string) => regexp(value).test(text);
      return samples.some(({ labels }) => fits(labels[label] ?? '')) ? [] : [`no ${series} with ${label}="${value}"`];
    });
  }
}

function regexp(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`);
}
