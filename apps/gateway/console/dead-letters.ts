import type { AdminClient } from './admin-client.js';
import { byId, el, setTone } from './dom.js';
import { formatCount, formatDate } from './format.js';
import type { Tab } from './tabs.js';

interface Letters {
  readonly dead_letters: readonly {
    readonly topic: string;
    readonly reason: string;
    readonly count: number;
    readonly newest: string;
  }[];
  readonly letters?: readonly Letter[];
  readonly incomplete?: true;
}

interface Letter {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
  readonly message: string;
  readonly time: string;
  readonly key?: string | null;
  readonly value?: string | null;
  readonly value_base64?: string;
}

const NEWEST = 20;

/** Adds what became of records that could not be used: how many, why, and the newest of them. */
export function addDeadLetters(admin: AdminClient): Tab {
  const note = byId('letters-note');
  const load = async (): Promise<void> => {
    setTone(note, 'Kafka is being read…', 'plain');
    try {
      const answer = await admin.call<Letters>('GET', `dead-letters?limit=${NEWEST}`);
      const rows = answer.dead_letters.map(({ topic, reason, count, newest }) => {
        const head = el('th', 'mono', topic);
        head.scope = 'row';
        const cells = [
          el('td', '', reason),
          el('td', 'number', formatCount(count)),
          el('td', 'roomy', formatDate(newest)),
        ];
        return el('tr', '', head, ...cells);
      });
      byId('letters').replaceChildren(...rows);
      byId('letters-box').hidden = rows.length === 0;
      byId('newest-letters').replaceChildren(...(answer.letters ?? []).toReversed().map(letterRow));
      const none = rows.length === 0 ? 'There are none.' : '';
      setTone(note, answer.incomplete === true ? 'There are older ones, which were not counted.' : none, 'plain');
    } catch (error) {
      setTone(note, (error as Error).message, 'bad');
    }
  };
  byId('load-letters').addEventListener('click', () => void load());
  return { name: 'letters', shown: () => void load() };
}

function letterRow(letter: Letter): HTMLLIElement {
  const { topic, partition, offset, reason, message, time, key = null } = letter;
  const place = el('span', 'offset', `${topic}[${partition}] #${offset}`);
  const line = el('summary', 'line', el('span', 'event', reason), place, el('span', 'text', message));
  const value = letter.value ?? (letter.value_base64 === undefined ? 'no value' : `base64: ${letter.value_base64}`);
  const text = `${formatDate(time)}\nkey: ${key ?? 'none'}\n${message}\n\n${value}`;
  const body = el('pre', '', text);
  body.tabIndex = 0;
  return el('li', 'frame', el('details', '', line, body));
}
