/** Reads the Prometheus text format strictly: it throws at what it does not understand. */
export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: { readonly name: string; readonly labels: Record<string, string>; readonly value: number }[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/y;

export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let help: RegExpExecArray | null = null;
  let current: [string, Family] | null = null;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (line.startsWith('# HELP ')) {
      help = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(line);
      if (help === null) throw new Error(line);
    } else if (line.startsWith('# TYPE ')) {
      const [, name = '', type = ''] = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`).exec(line) ?? [];
      if (name === '' || help?.[1] !== name || families.has(name)) throw new Error(`out of place: ${line}`);
      current = [name, { type, help: help[2] ?? '', samples: [] }];
      families.set(...current);
    } else {
      if (current === null || seen.has(line.slice(0, line.lastIndexOf(' ')))) throw new Error(`twice or lost: ${line}`);
      seen.add(line.slice(0, line.lastIndexOf(' ')));
      current[1].samples.push(parseSample(line, current[0], current[1].type));
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function parseSample(line: string, family: string, type: string): Family['samples'][number] {
  const [, name = '', labelText = '', number = ''] = SAMPLE.exec(line) ?? [];
  const allowed = type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => family + end) : [family];
  if (!allowed.includes(name)) throw new Error(`not of ${family}: ${line}`);
  const value = number === '+Inf' ? Infinity : Number(number);
  if (Number.isNaN(value)) throw new Error(`no number: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const at = LABEL.lastIndex;
    const label = LABEL.exec(labelText);
    if (label === null) throw new Error(`labels at ${at}: ${line}`);
    labels[label[1] ?? ''] = (label[2] ?? '').replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
  }
  return { name, labels, value };
}

/**
 * Checks each label set: bounds ascend and end with +Inf, counts never fall, the last one is `_count`, and `_sum` is
 * there.
 */
function checkHistogram(name: string, { samples }: Family): void {
  const groups = new Map<string, { le: number[]; counts: number[]; sum?: number; count?: number }>();
  for (const { name: sampleName, labels, value } of samples) {
    const { le, ...others } = labels;
    const key = JSON.stringify(others);
    const group = groups.get(key) ?? { le: [], counts: [] };
    groups.set(key, group);
    if (sampleName.endsWith('_sum')) group.sum = value;
    else if (sampleName.endsWith('_count')) group.count = value;
    else {
      group.le.push(le === '+Inf' ? Infinity : Number(le));
      group.counts.push(value);
    }
  }
  for (const { le, counts, sum, count } of groups.values()) {
    const ascending = (list: number[], strictly: boolean) =>
      list.every(
        (item, index) => index === 0 || item > (list[index - 1] ?? 0) || (!strictly && item === list[index - 1]),
      );
    if (!ascending(le, true) || le.at(-1) !== Infinity) throw new Error(`${name}: bounds ${le.join()}`);
    if (!ascending(counts, false) || counts.at(-1) !== count) throw new Error(`${name}: counts ${counts.join()}`);
    if (sum === undefined) throw new Error(`${name}: no sum`);
  }
}
