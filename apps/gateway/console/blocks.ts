import type { AdminClient } from './admin-client.js';
import { button, byId, el, setTone } from './dom.js';
import { formatDate } from './format.js';
import type { Tab } from './tabs.js';

interface Block {
  readonly user: string;
  readonly reason: string;
  readonly expires_at: string | null;
}

interface Page {
  readonly blocks: readonly Block[];
  readonly cursor?: string;
}

/** Adds who is blocked, why and until when, page by page, with the way to lift it. */
export function addBlocks(admin: AdminClient): Tab {
  const note = byId('blocks-note');
  const list = byId('blocks');
  const more = byId('more-blocks', HTMLButtonElement);
  let cursor = '';
  const lift = async (user: string, row: HTMLElement): Promise<void> => {
    try {
      await admin.call('DELETE', `blocks/${encodeURIComponent(user)}`);
      row.remove();
      setTone(note, `${user} is not blocked.`, 'good');
      byId('tab-blocks').focus();
    } catch (error) {
      setTone(note, (error as Error).message, 'bad');
    }
  };
  const load = async (): Promise<void> => {
    try {
      const page = await admin.call<Page>('GET', `blocks?limit=50${cursor === '' ? '' : `&cursor=${cursor}`}`);
      if (cursor === '') list.replaceChildren();
      for (const { user, reason, expires_at: until } of page.blocks) {
        const facts = `${reason === '' ? 'no reason given' : reason}; ${until === null ? 'until unblocked' : `until ${formatDate(until)}`}`;
        const row: HTMLLIElement = el(
          'li',
          '',
          el('span', 'grow', user, el('span', 'facts', facts)),
          button('Unblock', `Unblock ${user}`, () => lift(user, row)),
        );
        list.append(row);
      }
      cursor = page.cursor ?? '';
      more.hidden = cursor === '';
      setTone(note, list.childElementCount === 0 ? 'Nobody is blocked.' : '', 'plain');
    } catch (error) {
      setTone(note, (error as Error).message, 'bad');
    }
  };
  more.addEventListener('click', () => void load());
  const shown = (): void => {
    cursor = '';
    void load();
  };
  return { name: 'blocks', shown };
}
