import type { PublishItem } from '../engine.js';
import { userStream } from '../streams.js';

/**
 * Says who a record is for, in the words of the header `ws-audience`, and `key:<key>` and `subscriptions:<ids>` for what
 * that language has no word for. Of many users or subscriptions it names the first `namesMax`.
 */
export function audienceText(items: readonly PublishItem[], namesMax = Infinity): string {
  const [first] = items;
  if (first === undefined || first.kind === 'all') return 'all';
  if (first.kind !== 'channel') {
    // On topics with deliveries one user may have two items: the message, and what became of it.
    const users = [...new Set(items.flatMap((item) => ('user' in item ? [item.user] : [])))];
    return users.length === 1 ? `user:${users[0]}` : `users:${listText(users, namesMax)}`;
  }
  if (first.stream.startsWith('sub/')) {
    const ids = items.flatMap((item) => ('stream' in item ? [item.stream.slice('sub/'.length)] : []));
    return `subscriptions:${listText(ids, namesMax)}`;
  }
  const slash = first.stream.indexOf('/');
  const [kind, name] = [first.stream.slice(0, slash), first.stream.slice(slash + 1)];
  // No topic has a slash in its name, so what comes behind the first one tells what kind of stream it is.
  if (name === '*') return 'topic';
  return name.startsWith('k/') ? `key:${name.slice('k/'.length)}` : `${kind}:${name}`;
}

/** Where an item goes: its topic and stream, as far as it has one. */
export function streamText(item: PublishItem): { topic?: string; stream?: string } {
  if ('topic' in item) return { topic: item.topic, stream: userStream(item.topic, item.user) };
  return 'stream' in item ? { stream: item.stream } : {};
}

function listText(names: readonly string[], namesMax: number): string {
  const named = names.slice(0, namesMax).join(',');
  return names.length <= namesMax ? named : `${named} and ${names.length - namesMax} more`;
}
