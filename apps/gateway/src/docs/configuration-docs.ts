import { composedAliases, plainAliases } from '../config/aliases.js';
import { environmentName } from '../config/language/environment.js';
import { rules } from '../config/rules/all-rules.js';
import type { AnyKey, LiveFor, Section, ListNode, MapNode, Node } from '../config/language/schema-node.js';

const INTRODUCTION = `# Configuration

<!-- Made by \`npm run docs\` from apps/gateway/src/config/schema. Do not edit. -->
<!-- prettier-ignore-start -->

Four layers, each over the one before: defaults, the file, the environment, flags.

- **File**: \`-c <file>\`; without it \`config.yaml\` of the working directory, if there is one. YAML. A key without a value counts as not written.
- **Environment**: each key has the variable that the tables name, \`WSGATEWAY_\` and its path in upper case. The \`_\` between the words of one key may be left out (\`WSGATEWAY_SERVER_READTIMEOUT\`). Lists are written \`a,b\` or as JSON; maps, and lists of maps, as JSON, laid over the file entry by entry (a list replaces the whole list). An empty variable counts as not set. A variable that begins with \`WSGATEWAY_\` and belongs to no key is refused.
- **Durations** need a unit: \`500ms\`, \`10s\`, \`2m\`, \`1h\`, \`7d\`, \`1m30s\`; only \`0\` goes without. **Sizes** are bytes, or have one: \`64kb\`, \`1mb\` (1 kb = 1024 bytes).
- **Secrets** (marked) have no default and are never printed. Each has a second variable, with \`_FILE\` behind the name: the file that it names holds the secret, and one line break at its end does not count.
- **Live** keys (marked) take new values from the file while the program runs: SIGHUP reads all layers again. Those marked *Live* act at once, on sockets that are open as well. Those marked *Live for new sockets* decide about handshakes (the keys of tokens also about the command \`authentication\`); sockets that are open stay as they are. All others wait for a restart. The log names what changed, and the keys that differ and wait; a file with a problem changes nothing. The contents of certificate and key files are watched: new handshakes get the new ones.

Unknown keys, wrong types and impossible combinations are listed all at once, each with its key path and where the value came from; nothing starts then, and the exit code is 2. \`ws-gateway config check\` does just that; \`ws-gateway config print\` shows what applies.
`;

/** docs/configuration.md, from the schema, the aliases of variables and the rules. */
export function configurationDocs(schema: Section): string {
  return [INTRODUCTION, ...sections(schema), aliasSection(), rulesSection(), '<!-- prettier-ignore-end -->\n'].join(
    '\n',
  );
}

function sections(schema: Section): string[] {
  const single = Object.entries(schema.keys).filter(([, node]) => node.kind === 'key');
  const rows = single.flatMap(([name, node]) => keyRow([name], node as AnyKey));
  const others = Object.entries(schema.keys).filter(([, node]) => node.kind !== 'key');
  return [`## Node\n\n${table(rows)}`, ...others.map(([name, node]) => section(name, node))];
}

function section(name: string, node: Node): string {
  const parts = [`## ${name}\n\n${node.doc}\n`];
  parts.push(table(rowsOf(node, [name])));
  if (node.kind === 'map') parts.push(presets(node));
  if (node.kind === 'list') parts.push(`Default: \`${JSON.stringify(node.default)}\`\n`);
  return parts.join('\n');
}

function groupRows(group: Section, path: readonly string[]): string[] {
  return Object.entries(group.keys).flatMap(([name, node]) => rowsOf(node, [...path, name]));
}

function rowsOf(node: Node, path: readonly string[]): string[] {
  if (node.kind === 'key') return keyRow(path, node);
  return node.kind === 'group' ? groupRows(node, path) : collectionRows(node, path);
}

/** A map or list: one row for itself, then those of an entry. */
function collectionRows(node: MapNode | ListNode, path: readonly string[]): string[] {
  const kind = node.kind === 'map' ? `map${existing(node)}` : 'list of maps';
  const entry = node.kind === 'map' ? [...path, '<name>'] : [...path.slice(0, -1), `${path.at(-1)}[]`];
  return [
    row(path, kind, node.kind === 'list' ? JSON.stringify(node.default) : '', withMark(node)),
    ...rowsOf(node.entry, entry),
  ];
}

function existing(node: MapNode): string {
  return node.presetsExist ? `; there already: ${Object.keys(node.presets).join(', ')}` : '';
}

function keyRow(path: readonly string[], node: AnyKey): string[] {
  const fallback = node.secret ? '' : shown(node.default);
  const doc = node.secret ? `**Secret.** ${withMark(node)}` : withMark(node);
  return [row(path, node.format.name, fallback, doc)];
}

function withMark(node: AnyKey | MapNode | ListNode): string {
  if (node.kind === 'map' || node.live === undefined) return node.doc;
  return `${node.doc} ${LIVE_MARKS[node.live]}`;
}

const LIVE_MARKS: Readonly<Record<LiveFor, string>> = {
  everything: '**Live.**',
  'new sockets': '**Live for new sockets.**',
};

function row(path: readonly string[], format: string, fallback: string, doc: string): string {
  const key = `\`${path.join('.')}\``;
  const variable = path.some((name) => name.endsWith('[]'))
    ? ''
    : `<br>\`${environmentName(path).replace('__NAME_', '_<NAME>').replace('_NAME_', '<NAME>')}\``;
  return `| ${key}${variable} | ${format} | ${fallback === '' ? '' : `\`${fallback}\``} | ${doc} |`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : value.join(', ');
  return String(value);
}

function table(rows: readonly string[]): string {
  return ['| key and variable | value | default | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

function presets(node: MapNode): string {
  const entries = Object.entries(node.presets).map(([name, preset]) => `- \`${name}\`: \`${JSON.stringify(preset)}\``);
  if (entries.length === 0) return '';
  return ['Names with defaults of their own (all other defaults as above):\n', ...entries, ''].join('\n');
}

function aliasSection(): string {
  const plain = plainAliases.map(
    ({ variable, path, secret }) =>
      `| \`${variable}\`${secret === true ? `, \`${variable}_FILE\`` : ''} | \`${path}\` |`,
  );
  const composed = composedAliases.map(({ variable, effect }) => `| \`${variable}\` | ${effect} |`);
  const heading = '## Other variables\n\nNames that other gateways of this kind use. `WSGATEWAY_…` wins over them.\n';
  return [heading, '| variable | key |', '| --- | --- |', ...plain, ...composed, ''].join('\n');
}

function rulesSection(): string {
  return ['## What has to fit together\n', ...rules.map(({ doc }) => `- ${doc}`), ''].join('\n');
}
