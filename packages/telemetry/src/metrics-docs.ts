import { metricDefinitions } from './metrics.js';

/** docs/metrics.md, from the definitions that make the series. */
export function metricsDocs(namespace = 'ws_gateway'): string {
  const rows = metricDefinitions.map(({ name, type, labels, help, perUser }) => [
    `\`${namespace}_${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    perUser === true ? `${help} Only with \`metrics.perUser: true\`.` : help,
  ]);
  return `${HEAD}\n${table([['name', 'type', 'labels', 'meaning'], ...rows])}`;
}

/** Padded as the formatter would, so that the file is stable under it. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('');
}

const HEAD = `# Metrics

Generated from \`packages/telemetry/src/metrics.ts\`; do not edit by hand.

\`GET /metrics\` (\`metrics.path\`) answers in the Prometheus text format. The prefix is \`metrics.namespace\`. Durations are
histograms in seconds, so \`_bucket\`, \`_sum\` and \`_count\` belong to each of them. Values are read at the moment of the scrape.
No label grows with users, connections or rooms; where a label's value comes from outside, further values are counted as
\`other\` beyond a bound.
`;
