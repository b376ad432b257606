import { addBlocks } from './blocks.js';
import { addConnections, addSlowClients } from './connections.js';
import { addDeadLetters } from './dead-letters.js';
import { AdminClient, AdminRefusal } from './admin-client.js';
import { byId, el, onSubmit, setText, setTone } from './dom.js';
import { HistoryPanel } from './history.js';
import { NodeTable } from './nodes.js';
import { eachSecond } from './poll.js';
import { addPublishForm } from './publish.js';
import type { Settings } from './settings.js';
import { Tabs } from './tabs.js';
import { addTrace } from './trace.js';
import { addUserForm } from './users.js';

/** Adds everything that needs the admin token; it is shown when the node has taken the token. */
export function addOperations(settings: Settings, given: URLSearchParams): void {
  byId('no-admin').hidden = settings.admin;
  if (!settings.admin) return;
  const admin = new AdminClient();
  const nodes = new NodeTable(admin);
  const history = new HistoryPanel(admin);
  addPublishForm(admin, settings.topics);
  addSubscriptions(admin);
  new Tabs([
    addUserForm(admin),
    addConnections(admin, settings.topics),
    addSlowClients(admin),
    addDeadLetters(admin),
    addBlocks(admin),
    addTrace(admin),
    { name: 'send' },
    { name: 'subs' },
  ]);

  const show = (): void => {
    byId('unlock').hidden = admin.hasToken;
    byId('operations').hidden = !admin.hasToken;
    byId('lock').hidden = !admin.hasToken;
    history.show();
  };
  const forget = (): void => {
    admin.use('');
    history.clear();
    show();
  };
  const poll = async (): Promise<void> => {
    if (!admin.hasToken) return;
    try {
      const there = await nodes.load();
      byId('operations').inert = false;
      setTone(byId('admin-note'), '', 'plain');
      await history.update(there);
    } catch (error) {
      setTone(byId('admin-note'), sentence((error as Error).message), 'bad');
      // Nothing of what was shown is known to be true any more, and nothing can be done.
      nodes.clear();
      history.silent();
      byId('operations').inert = !(error instanceof AdminRefusal);
      if (error instanceof AdminRefusal && error.code === 'token_invalid') forget();
    }
  };
  const field = byId('admin-token', HTMLInputElement);
  onSubmit(byId('unlock', HTMLFormElement), () => {
    admin.use(field.value.trim());
    field.value = '';
    show();
    // The form is gone, and the focus would go with it.
    byId('operate').focus();
    return poll();
  });
  byId('lock').addEventListener('click', () => {
    forget();
    field.focus();
  });
  const token = given.get('admin');
  if (token !== null) admin.use(token);
  show();
  eachSecond(poll);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

interface Subscriptions {
  readonly subscriptions: readonly { readonly id: string; readonly connections: number }[];
  readonly incomplete?: boolean;
}

/** Adds the subscriptions, on demand only, because every node is asked for its own. */
function addSubscriptions(admin: AdminClient): void {
  const count = byId('subscription-count');
  const load = async (): Promise<void> => {
    try {
      const { subscriptions, incomplete } = await admin.call<Subscriptions>('GET', 'subscriptions');
      setText(count, `${subscriptions.length}${incomplete === true ? ', not all nodes answered' : ''}`);
      const rows = subscriptions.map(({ id, connections }) =>
        el('li', '', el('span', 'mono grow', id), el('span', 'number', String(connections))),
      );
      byId('subscriptions').replaceChildren(...rows);
    } catch (error) {
      setText(count, (error as Error).message);
    }
  };
  byId('load-subscriptions').addEventListener('click', () => void load());
}
