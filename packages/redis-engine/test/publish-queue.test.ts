import { beforeEach, expect, it } from '@jest/globals';
import { splitItems, type CallPart, type Item } from '../src/publish-call.js';
import { PublishQueue } from '../src/publish-queue.js';

interface Made {
  readonly sources: string;
  readonly answer: PromiseWithResolvers<(string | Error)[]>;
}

let queue: PublishQueue<string>;
/** Calls that were made, in order. */
let made: Made[];
beforeEach(() => {
  made = [];
  queue = new PublishQueue((parts) => {
    const answer = Promise.withResolvers<(string | Error)[]>();
    made.push({ sources: parts.map(({ source }) => source).join(''), answer });
    return answer.promise;
  });
});

function part(source: string, { items = 1, isAlone = false } = {}): CallPart {
  const item: Item = {
    ...{ kind: 'user', topic: 't', user: 'u1', retention: null, head: 'x' },
    ...{ sourceOffset: 1, recordTimeMs: 1 },
  };
  const [chunk] = splitItems(Array<Item>(items).fill(item), 1, () => 0);
  return { chunk: chunk!, source, previousOffset: -1, perItem: false, mark: null, originSuffix: '', isAlone };
}

const sent = (): string[] => made.map(({ sources }) => sources);
/** Lets everything run that waits for nothing. */
const turn = (): Promise<void> => new Promise(setImmediate);

async function answer(call: number, ...replies: (string | Error)[]): Promise<void> {
  made[call]!.answer.resolve(replies);
  await turn();
}

it('makes one call with what several sources hand over in one turn of the loop', async () => {
  const answers = ['a', 'b', 'c'].map((source) => queue.send(part(source)));
  await turn();
  expect(sent()).toEqual(['abc']);
  await answer(0, 'to a', 'to b', 'to c');
  expect(await Promise.all(answers)).toEqual(['to a', 'to b', 'to c']);
});

it('lets what is little wait for a call under way, and makes one call with all of it then', async () => {
  void queue.send(part('a'));
  await turn();
  void queue.send(part('b'));
  await turn();
  void queue.send(part('c'));
  await turn();
  expect(sent()).toEqual(['a']);
  await answer(0, 'to a');
  expect(sent()).toEqual(['a', 'bc']);
});

it('lets nothing wait that nothing else can join, or that is much by itself', async () => {
  void queue.send(part('a'));
  await turn();
  void queue.send(part('b', { items: 100 }));
  await turn();
  void queue.send(part('c', { items: 120 }));
  void queue.send(part('d', { items: 10 }));
  await turn();
  expect(sent()).toEqual(['a', 'b', 'c']);
});

it('makes no call with two parts of one source, and keeps their order', async () => {
  void queue.send(part('a'));
  void queue.send(part('b'));
  void queue.send(part('a'));
  void queue.send(part('c'));
  await turn();
  expect(sent()).toEqual(['ab']);
  await answer(0, '', '');
  expect(sent()).toEqual(['ab', 'ac']);
});

it('makes a call of its own with a part that is to be alone, at once and in its order', async () => {
  void queue.send(part('a'));
  await turn();
  void queue.send(part('b'));
  void queue.send(part('c', { isAlone: true }));
  void queue.send(part('d'));
  await turn();
  expect(sent()).toEqual(['a', 'b', 'c']);
});

it('refuses one part of a call that was made, and all parts of one that failed', async () => {
  const refused = Promise.allSettled([queue.send(part('a')), queue.send(part('b'))]);
  await turn();
  await answer(0, 'to a', new Error('gap of b'));
  expect(await refused).toMatchObject([{ value: 'to a' }, { reason: { message: 'gap of b' } }]);

  const failed = Promise.allSettled([queue.send(part('a')), queue.send(part('b'))]);
  await turn();
  made[1]!.answer.reject(new Error('away'));
  expect(await failed).toMatchObject([{ reason: { message: 'away' } }, { reason: { message: 'away' } }]);
  void queue.send(part('c'));
  await turn();
  expect(sent()).toEqual(['ab', 'ab', 'c']);
});
