import { describe, expect, it } from '@jest/globals';
import { MessageQueue } from '../src/message-iterator.js';

function queue(limit = 3): { messages: MessageQueue<number>; detached: () => boolean } {
  let detached = false;
  const messages = new MessageQueue<number>(limit, () => () => (detached = true));
  return { messages, detached: () => detached };
}

describe('a message iterator', () => {
  it('gives what came before and what comes while it waits', async () => {
    const { messages } = queue();
    messages.push(1);
    const taken = [messages.next(), messages.next(), messages.next()];
    messages.push(2);
    messages.push(3);
    expect((await Promise.all(taken)).map(({ value }) => value)).toEqual([1, 2, 3]);
  });

  it('keeps the newest up to its limit and counts the rest', async () => {
    const { messages } = queue(3);
    for (let at = 1; at <= 10; at++) messages.push(at);
    messages.end();
    const taken: number[] = [];
    for await (const message of messages) taken.push(message);
    expect(taken).toEqual([8, 9, 10]);
    expect(messages.dropped).toBe(7);
  });

  it('ends those who wait when the client is closed', async () => {
    const { messages, detached } = queue();
    const waiting = messages.next();
    messages.end();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect(detached()).toBe(true);
  });

  it('lets go of everything when the loop is left by break or by an exception', async () => {
    for (const leave of ['break', 'throw']) {
      const { messages, detached } = queue();
      messages.push(1);
      messages.push(2);
      const loop = async (): Promise<void> => {
        for await (const message of messages) {
          if (leave === 'break' && message === 1) break;
          throw new Error('of the application');
        }
      };
      await loop().catch(() => undefined);
      expect(detached()).toBe(true);
      messages.push(3);
      expect(await messages.next()).toEqual({ value: undefined, done: true });
    }
  });
});
