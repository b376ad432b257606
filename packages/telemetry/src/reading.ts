import { Histogram, LabelCounter } from '@ws-gateway/core';

/**
 * What a metric reads from the stats, in the shapes that core's stats have. Each level of a map is one label: a
 * `Map<topic, LabelCounter>` has the labels topic and, say, reason.
 */
export type Reading = number | Histogram | LabelCounter | ReadonlyMap<string | number, Reading>;

/** One line of the exposition, in the form that prom-client's registry prints. */
export interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

type Labels = Readonly<Record<string, string>>;

/** Length limit of a label value. Some come from outside (a message's type), and no line may grow without bound. */
const LABEL_LENGTH_MAX = 128;

export function samplesOf(name: string, labelNames: readonly string[], reading: Reading): Sample[] {
  const samples: Sample[] = [];
  for (const [labels, value] of leaves(labelNames, reading, {})) {
    if (value instanceof Histogram) pushHistogram(samples, name, { labels, value });
    else samples.push({ metricName: name, labels, value });
  }
  return samples;
}

function* leaves(
  labelNames: readonly string[],
  reading: Reading,
  labels: Labels,
): Generator<readonly [Labels, number | Histogram]> {
  if (typeof reading === 'number' || reading instanceof Histogram) {
    if (labelNames.length > 0) throw new Error(`no value for label ${labelNames[0]}`);
    yield [labels, reading];
    return;
  }
  const [labelName, ...inner] = labelNames;
  if (labelName === undefined) throw new Error('more levels of values than labels');
  const values: ReadonlyMap<string | number, Reading> = reading instanceof LabelCounter ? reading.values : reading;
  for (const [key, value] of merged(values)) yield* leaves(inner, value, { ...labels, [labelName]: key });
}

/**
 * Turns keys into label values, and adds two numbers whose keys become the same: one series twice spoils a whole
 * scrape.
 */
function merged(values: ReadonlyMap<string | number, Reading>): ReadonlyMap<string, Reading> {
  const result = new Map<string, Reading>();
  for (const [key, value] of values) {
    const label = String(key).slice(0, LABEL_LENGTH_MAX).toWellFormed();
    const before = result.get(label);
    result.set(label, typeof before === 'number' && typeof value === 'number' ? before + value : value);
  }
  return result;
}

function pushHistogram(
  samples: Sample[],
  name: string,
  { labels, value }: { readonly labels: Labels; readonly value: Histogram },
): void {
  const bucketName = `${name}_bucket`;
  let cumulative = 0;
  for (const [index, bound] of value.bounds.entries()) {
    cumulative += value.counts[index] ?? 0;
    samples.push({ metricName: bucketName, labels: { ...labels, le: bound }, value: cumulative });
  }
  samples.push(
    { metricName: bucketName, labels: { ...labels, le: '+Inf' }, value: value.count },
    { metricName: `${name}_sum`, labels, value: value.sum },
    { metricName: `${name}_count`, labels, value: value.count },
  );
}
