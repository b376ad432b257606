import type { AdminClient } from './admin-client.js';
import { button, byId, el, onSubmit, setTone } from './dom.js';
import { formatBytes, formatDate } from './format.js';
import { eachSecond } from './poll.js';
import type { Tab } from './tabs.js';

/** One row of GET /api/connections. */
export interface ConnectionRow {
  readonly connection: string;
  readonly user: string | null;
  readonly node: string;
  readonly endpoint: string;
  readonly since: string;
  readonly address: string;
  readonly agent: string;
  readonly topics: readonly string[];
  readonly rooms: readonly string[];
  readonly queued_bytes: number;
  readonly token_expires_at: string | null;
}

/** Answer of GET /api/connections. */
export interface FoundConnections {
  readonly connections: readonly ConnectionRow[];
  readonly cursor?: string;
  readonly missing?: readonly string[];
}

const SLOW_MAX = 50;

/** A connection with all that is known of it, and the way to end it. */
export function connectionRow(row: ConnectionRow, end: () => unknown): HTMLLIElement {
  const { connection, user, node, endpoint, since, address, agent, topics, rooms } = row;
  const expires = row.token_expires_at === null ? [] : [`token until ${formatDate(row.token_expires_at)}`];
  const queued = row.queued_bytes === 0 ? [] : [`${formatBytes(row.queued_bytes)} wait`];
  const places = [...topics, ...rooms.map((room) => `room ${room}`)];
  const facts = [
    `${endpoint} on ${node} since ${formatDate(since)}`,
    [`from ${address}`, ...(agent === '' ? [] : [agent])].join(', '),
    [places.length === 0 ? 'subscribed to nothing' : places.join(', '), ...queued, ...expires].join('; '),
  ];
  const name = el('span', '', user ?? 'a guest', ' ', el('span', 'mono faint', connection));
  return el(
    'li',
    '',
    el('span', 'grow', name, ...facts.map((text) => el('span', 'facts', text))),
    button('Disconnect', `Disconnect ${connection}`, end),
  );
}

export function missingText(missing: readonly string[] | undefined): string {
  return missing === undefined ? '' : `No answer from ${missing.join(', ')}.`;
}

/** Adds the list of connections, page by page. */
export function addConnections(admin: AdminClient, topics: readonly string[]): Tab {
  const note = byId('find-note');
  const more = byId('find-more', HTMLButtonElement);
  const topic = byId('find-topic', HTMLSelectElement);
  topic.append(el('option', '', ''), ...topics.map((name) => el('option', '', name)));
  let query = '';
  let cursor = '';
  const end = async ({ connection }: ConnectionRow, row: HTMLElement): Promise<void> => {
    try {
      await admin.call('DELETE', `connections/${encodeURIComponent(connection)}`);
      row.remove();
      byId('find-user').focus();
    } catch (error) {
      setTone(note, (error as Error).message, 'bad');
    }
  };
  const load = async (): Promise<void> => {
    try {
      const at = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const found = await admin.call<FoundConnections>('GET', `connections?limit=50${query}${at}`);
      if (cursor === '') byId('found').replaceChildren();
      for (const view of found.connections) {
        const row: HTMLLIElement = connectionRow(view, () => end(view, row));
        byId('found').append(row);
      }
      cursor = found.cursor ?? '';
      more.hidden = cursor === '';
      const none = byId('found').childElementCount === 0 ? 'Nobody is connected so.' : '';
      setTone(note, `${none} ${missingText(found.missing)}`.trim(), found.missing === undefined ? 'plain' : 'warn');
    } catch (error) {
      setTone(note, (error as Error).message, 'bad');
    }
  };
  const begin = (): Promise<void> => {
    const fields = [
      ['user', byId('find-user', HTMLInputElement).value.trim()],
      ['address', byId('find-address', HTMLInputElement).value.trim()],
      ['topic', topic.value],
    ] as const;
    query = fields.map(([name, value]) => (value === '' ? '' : `&${name}=${encodeURIComponent(value)}`)).join('');
    cursor = '';
    return load();
  };
  onSubmit(byId('find', HTMLFormElement), begin);
  more.addEventListener('click', () => void load());
  return { name: 'sockets', shown: () => void begin() };
}

/** Adds the clients that do not keep up, the longest backlog first, for as long as somebody looks. */
export function addSlowClients(admin: AdminClient): Tab {
  let isShown = false;
  const note = byId('slow-note');
  eachSecond(async () => {
    if (!isShown || !admin.hasToken) return;
    try {
      const { connections, missing } = await admin.call<FoundConnections>(
        'GET',
        `connections?slow=true&limit=${SLOW_MAX}`,
      );
      const rows = connections.toSorted((a, b) => b.queued_bytes - a.queued_bytes);
      // The focus would go with a button that is made anew.
      if (byId('slow').contains(document.activeElement)) return;
      byId('slow').replaceChildren(
        ...rows.map((row) =>
          connectionRow(row, () => admin.call('DELETE', `connections/${encodeURIComponent(row.connection)}`)),
        ),
      );
      const none = rows.length === 0 ? 'Every client keeps up.' : '';
      setTone(note, `${none} ${missingText(missing)}`.trim(), missing === undefined ? 'plain' : 'warn');
    } catch {
      byId('slow').replaceChildren();
      setTone(note, 'This node does not answer.', 'bad');
    }
  });
  return { name: 'slow', shown: () => void (isShown = true), hidden: () => void (isShown = false) };
}
