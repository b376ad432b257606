import type { Tone } from './dom.js';
import { formatBytes } from './format.js';

/** A step of GET /api/trace. */
export interface Step {
  readonly event: string;
  readonly data: StepData;
}

export interface StepData {
  readonly id?: string | null;
  readonly user?: string | null;
  readonly node?: string;
  readonly timestamp?: string;
  readonly [member: string]: unknown;
}

/** Says a step in words. What producers and users wrote is in it as text. */
export function stepText({ event, data }: Step): { tone: Tone; text: string } {
  const say = sentences[event];
  if (say === undefined) return { tone: 'plain', text: JSON.stringify(data) };
  const { tone, text } = say(data);
  const { id = null } = data;
  return { tone, text: id === null ? text : `${id} ${text}` };
}

type Sentence = (data: StepData) => { tone: Tone; text: string };

const plain = (text: string): { tone: Tone; text: string } => ({ tone: 'plain', text });

const DROPPED: Readonly<Record<string, string>> = {
  conflate: 'a newer one took its place, the client is slow',
  'drop-oldest': 'newer ones took its place, the client is slow',
  queue_full: 'too much waits for the client, which is closed (4001)',
  not_subscribed: 'the user is connected and not subscribed to this topic',
};

const sentences: Readonly<Record<string, Sentence>> = {
  record: (data) => {
    const place = `read from ${word(data, 'topic')}, partition ${word(data, 'partition')}, offset ${word(data, 'offset')}`;
    if (data['reason'] === undefined) return plain(`${place}, for ${word(data, 'audience')}`);
    return { tone: 'bad', text: `${place}: ${word(data, 'reason')}, ${word(data, 'message')}` };
  },
  routed: (data) => plain(`handed to ${word(data, 'nodes')} node${data['nodes'] === 1 ? '' : 's'}`),
  offline: () => ({ tone: 'warn', text: 'nobody was there' }),
  sent: (data) => {
    const to =
      data['connections'] === undefined ? word(data, 'connection') : `${word(data, 'connections')} connections`;
    return { tone: 'good', text: `sent to ${to}${queued(data)}` };
  },
  slow: (data) => ({ tone: 'warn', text: `waits for ${word(data, 'connection')}, which is slow${queued(data)}` }),
  dropped: (data) => ({ tone: 'bad', text: `given up: ${DROPPED[word(data, 'reason')] ?? word(data, 'reason')}` }),
  replayed: (data) => plain(`read from the history for ${word(data, 'connection')}`),
  acked: (data) => ({ tone: 'good', text: `acknowledged up to ${word(data, 'stream')} #${word(data, 'offset')}` }),
  connected: (data) =>
    plain(`${data.user ?? 'a guest'} connected from ${word(data, 'address')}, ${word(data, 'connection')}`),
  refused: (data) => ({ tone: 'bad', text: `handshake refused: ${word(data, 'reason')}, ${word(data, 'message')}` }),
  closed: (data) => plain(`${word(data, 'connection')} closed: ${word(data, 'code')} ${word(data, 'reason')}`),
  lost: (data) => ({ tone: 'warn', text: `${word(data, 'steps')} steps could not be told` }),
};

function word(data: StepData, name: string): string {
  const value = data[name];
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function queued(data: StepData): string {
  const bytes = data['queued_bytes'];
  return typeof bytes === 'number' && bytes > 0 ? `, ${formatBytes(bytes)} wait` : '';
}
