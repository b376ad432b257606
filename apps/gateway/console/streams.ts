import type { Connected, JoinedStream, Lost, Message, Recovered } from '@ws-gateway/client';
import { byId, el, Rows, setText } from './dom.js';

interface Stream {
  readonly name: string;
  epoch: string;
  offset: number;
  resumed: string;
  tone: string;
  /** Number of replayed messages that are still to come. */
  replaying: number;
}

/** Table of where the connection is in each of its streams, and how the last resume went. */
export class StreamTable {
  readonly #box = byId('streams-box');
  readonly #rows = new Rows<Stream, ReturnType<typeof createRow>>(byId('streams'), {
    key: ({ name }) => name,
    create: createRow,
    update: updateRow,
  });
  #streams = new Map<string, Stream>();
  #drawing = false;

  connected({ topics }: Connected): void {
    const before = this.#streams;
    this.#streams = new Map();
    const joined: (JoinedStream | undefined)[] = topics.flatMap((topic) => [topic, topic.public]);
    for (const row of joined) {
      if (row?.stream === undefined) continue;
      const { stream: name, epoch = '', offset = 0 } = row;
      // A replay counts up to it message by message.
      const known = row.recovered === true && before.get(name);
      const start = known ? known.offset : offset;
      this.#streams.set(name, { name, epoch, offset: start, resumed: '–', tone: 'plain', replaying: 0 });
    }
    this.#draw();
  }

  resumed(news: Recovered | Lost): void {
    const stream = this.#streams.get(news.stream);
    if (stream === undefined) return;
    const lost = 'why' in news;
    stream.resumed = `${lost ? `not proved (${news.why})` : 'recovered'} +${news.replayed}`;
    stream.tone = lost ? 'warn' : 'good';
    stream.replaying = news.replayed;
    this.#draw();
  }

  /** Counts a message; true: it is one that was missed. */
  message({ stream: name, epoch = '', offset = 0 }: Message): boolean {
    const stream = name === undefined ? undefined : this.#streams.get(name);
    if (stream === undefined) return false;
    stream.epoch = epoch;
    stream.offset = offset;
    this.#draw();
    if (stream.replaying === 0) return false;
    stream.replaying--;
    return true;
  }

  #draw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#box.hidden = this.#streams.size === 0;
      this.#rows.show([...this.#streams.values()]);
    });
  }
}

function createRow({ name }: Stream) {
  const epoch = el('td', 'mono faint roomy');
  const offset = el('td', 'number');
  const resumed = el('span', 'tone');
  const head = el('th', 'mono', name);
  head.scope = 'row';
  return { element: el('tr', '', head, epoch, offset, el('td', '', resumed)), epoch, offset, resumed };
}

function updateRow(row: ReturnType<typeof createRow>, { epoch, offset, resumed, tone }: Stream): void {
  setText(row.epoch, epoch);
  setText(row.offset, String(offset));
  setText(row.resumed, resumed);
  row.resumed.dataset['tone'] = tone;
}
