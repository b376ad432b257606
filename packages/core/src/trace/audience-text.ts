import type { PublishItem } from '../engine.js';
import { userStream } from '../streams.js';

/** Says who a record is for, in the words of the header `ws-audience`. */
export function audienceText(items: readonly PublishItem[]): string {
  const texts = items.map(audienceOf);
  return texts.length <= 3 ? texts.join(', ') : `${texts.slice(0, 3).join(', ')} and ${texts.length - 3} more`;
}

/** Where an item goes: its topic and stream, as far as it has one. */
export function streamText(item: PublishItem): { topic?: string; stream?: string } {
  if ('topic' in item) return { topic: item.topic, stream: userStream(item.topic, item.user) };
  return 'stream' in item ? { stream: item.stream } : {};
}

function audienceOf(item: PublishItem): string {
  if ('user' in item) return `user:${item.user}`;
  if (item.kind === 'all') return 'all';
  const [, kind, name] = /^(room|hub|sub)\/(.*)$/s.exec(item.stream) ?? [];
  if (kind !== undefined) return `${kind === 'sub' ? 'subscription' : kind}:${name}`;
  const key = /^[^/]+\/k\/(.*)$/s.exec(item.stream);
  return key === null ? 'topic' : `key:${key[1]}`;
}
