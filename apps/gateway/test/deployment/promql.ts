/** What a PromQL expression names: enough to hold it against a scrape, no more. */
export interface Named {
  readonly selectors: readonly Selector[];
  /** Of `by (…)`, `on (…)` and their like. */
  readonly groupings: readonly string[];
}

export interface Selector {
  readonly series: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

const TOKEN = /"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[a-zA-Z_:][\w:]*|[=!]~|[=!<>]=|\s+|\d[\w.]*|\S/g;
const GROUPING = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const KEYWORD = new Set(['and', 'or', 'unless', 'bool', 'offset']);

/** Throws at what it does not understand. */
export function namedIn(expression: string): Named {
  const tokens = (expression.match(TOKEN) ?? []).filter((token) => token.trim() !== '');
  const selectors: Selector[] = [];
  const groupings: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const [token, next] = [tokens[at]!, tokens[at + 1]];
    if (!/^[a-zA-Z_:]/.test(token) || KEYWORD.has(token)) continue;
    if (GROUPING.has(token)) {
      const end = tokens.indexOf(')', at);
      groupings.push(...tokens.slice(at + 2, end).filter((label) => label !== ','));
      at = end;
    } else if (next === '{') {
      const end = tokens.indexOf('}', at);
      selectors.push({ series: token, matchers: matchersOf(tokens.slice(at + 2, end), expression) });
      at = end;
    } else if (next !== '(' && !(GROUPING.has(next ?? '') && tokens[at + 2] === '(')) {
      selectors.push({ series: token, matchers: [] });
    }
  }
  return { selectors, groupings };
}

function matchersOf(tokens: readonly string[], expression: string): Selector['matchers'] {
  const matchers: { label: string; operator: string; value: string }[] = [];
  for (let at = 0; at < tokens.length; at += 4) {
    const [label = '', operator = '', quoted = '', comma = ','] = tokens.slice(at, at + 4);
    if (!/^\w+$/.test(label) || !/^(=|!=|=~|!~)$/.test(operator) || !quoted.startsWith('"') || comma !== ',') {
      throw new Error(`matchers of ${expression}: ${tokens.join(' ')}`);
    }
    matchers.push({ label, operator, value: quoted.slice(1, -1) });
  }
  return matchers;
}
