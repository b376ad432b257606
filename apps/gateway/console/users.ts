import type { AdminClient } from './admin-client.js';
import { confirmed } from './confirm.js';
import { connectionRow, missingText, type ConnectionRow, type FoundConnections } from './connections.js';
import { byId, onSubmit, setTone, type Tone } from './dom.js';
import type { Tab } from './tabs.js';

/** Looks a user up, ends connections, blocks and unblocks. */
export function addUserForm(admin: AdminClient): Tab {
  const form = byId('lookup', HTMLFormElement);
  const field = byId('user', HTMLInputElement);
  const note = (text: string, tone: Tone): void => setTone(byId('user-note'), text, tone);

  /** Name in the form; null: no user is named yet, and the form has said so. */
  const named = (): string | null => (form.reportValidity() ? field.value : null);
  const trying = async (action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      note((error as Error).message, 'bad');
    }
  };

  const lookUp = async (user: string): Promise<void> => {
    const path = `connections?user=${encodeURIComponent(user)}`;
    const { connections, missing } = await admin.call<FoundConnections>('GET', path);
    byId('connections').replaceChildren(...connections.map((view) => connectionRow(view, () => end(user, view))));
    const none = connections.length === 0 ? `${user} is not connected.` : '';
    note(`${none} ${missingText(missing)}`.trim(), missing === undefined ? 'plain' : 'warn');
  };
  const end = (user: string, { connection }: ConnectionRow): Promise<void> =>
    trying(async () => {
      await admin.call('DELETE', `connections/${encodeURIComponent(connection)}`);
      await lookUp(user);
      // Its button is gone, and the focus with it.
      field.focus();
    });
  onSubmit(form, () => trying(() => lookUp(field.value)));

  const on = (id: string, action: (user: string) => Promise<void>): void => {
    byId(id).addEventListener('click', () => {
      const user = named();
      if (user !== null) void trying(() => action(user));
    });
  };
  on('disconnect-user', async (user) => {
    const text = `All connections of ${user} are closed (4504), on every node. The user may come back.`;
    if (!(await confirmed({ title: 'Disconnect this user?', text, yes: 'Disconnect' }))) return;
    const { closed } = await admin.call<{ closed: number }>('DELETE', `connections?user=${encodeURIComponent(user)}`);
    byId('connections').replaceChildren();
    note(`${closed} connections of ${user} closed.`, 'good');
  });
  on('block', async (user) => {
    const text = `All connections of ${user} are closed (4500), on every node, and new ones refused.`;
    if (!(await confirmed({ title: 'Block this user?', text, yes: 'Block' }))) return;
    await admin.call('POST', `blocks/${encodeURIComponent(user)}`, JSON.stringify(blockBody()));
    byId('connections').replaceChildren();
    note(`${user} is blocked.`, 'good');
  });
  on('unblock', async (user) => {
    await admin.call('DELETE', `blocks/${encodeURIComponent(user)}`);
    note(`${user} is not blocked.`, 'good');
  });
  return { name: 'users' };
}

function blockBody(): object {
  const reason = byId('block-reason', HTMLInputElement).value.trim();
  const seconds = Number(byId('block-time', HTMLSelectElement).value);
  return {
    ...(reason === '' ? {} : { reason }),
    ...(seconds === 0 ? {} : { expires_at: new Date(Date.now() + seconds * 1000).toISOString() }),
  };
}
