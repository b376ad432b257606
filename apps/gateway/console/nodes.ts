import type { AdminClient } from './admin-client.js';
import { confirmed } from './confirm.js';
import { button, byId, el, Rows, setText, setTone } from './dom.js';
import { formatAge, formatCount, formatSeconds } from './format.js';

interface Node {
  readonly node: string;
  readonly role: string;
  readonly address: string;
  readonly version: string;
  readonly since: string;
  readonly connections: number;
  readonly users: number;
  readonly draining: boolean;
  readonly lag: Readonly<Record<string, number>>;
  readonly dead_letters: number;
  readonly age_p99_ms: number | null;
}

type NodeRow = ReturnType<typeof cells> & { readonly drain: HTMLButtonElement };

/** Table of the cluster as the nodes report it, with the way to have one drained. */
export class NodeTable {
  readonly #admin: AdminClient;
  readonly #rows = new Rows<Node, NodeRow>(byId('nodes'), {
    key: ({ node }) => node,
    create: (node) => this.#create(node),
    update: updateRow,
  });

  constructor(admin: AdminClient) {
    this.#admin = admin;
  }

  /** Resolves to the names of the nodes. */
  async load(): Promise<readonly string[]> {
    const { nodes } = await this.#admin.call<{ nodes: readonly Node[] }>('GET', 'nodes');
    this.#rows.show(nodes);
    const connections = nodes.reduce((sum, node) => sum + node.connections, 0);
    setText(byId('node-sum'), `${nodes.length}, ${formatCount(connections)} sockets`);
    return nodes.map(({ node }) => node);
  }

  /** Nothing is known of the cluster. */
  clear(): void {
    this.#rows.show([]);
    setText(byId('node-sum'), '');
  }

  #create({ node }: Node): NodeRow {
    const row = cells(node);
    const drain = button('Drain', `Drain ${node}`, () => this.#drain(node));
    row.element.append(el('td', 'action', drain));
    return { ...row, drain };
  }

  async #drain(node: string): Promise<void> {
    const text = `${node} asks its clients to reconnect elsewhere, finishes what it has begun, and ends.`;
    if (!(await confirmed({ title: 'Drain this node?', text, yes: 'Drain' }))) return;
    try {
      await this.#admin.call('POST', `nodes/${encodeURIComponent(node)}/drain`);
    } catch (error) {
      setTone(byId('admin-note'), (error as Error).message, 'bad');
    }
  }
}

function cells(node: string) {
  const facts = el('span', 'facts');
  const head = el('th', '', el('span', 'mono', node), facts);
  head.scope = 'row';
  const connections = el('td', 'number');
  const users = el('td', 'number');
  const lag = el('td', 'number');
  const age = el('td', 'number roomy');
  const dead = el('td', 'number roomy');
  const element = el('tr', '', head, connections, users, lag, age, dead);
  return { element, head, facts, connections, users, lag, age, dead };
}

function updateRow(row: NodeRow, { role, address, version, since, draining, ...node }: Node): void {
  row.head.title = `${address}, version ${version}`;
  setText(row.facts, `${role}, up ${formatAge((Date.now() - Date.parse(since)) / 1000)}`);
  setText(row.connections, formatCount(node.connections));
  setText(row.users, formatCount(node.users));
  setText(row.lag, formatCount(Object.values(node.lag).reduce((sum, records) => sum + records, 0)));
  row.lag.title = Object.entries(node.lag)
    .map(([topic, records]) => `${topic}: ${records}`)
    .join('\n');
  setText(row.age, node.age_p99_ms === null ? '–' : formatSeconds(node.age_p99_ms / 1000));
  setText(row.dead, formatCount(node.dead_letters));
  row.drain.disabled = draining;
  setText(row.drain, draining ? 'Draining' : 'Drain');
}
