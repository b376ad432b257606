import { beforeEach, expect, it } from '@jest/globals';
import { PacedCalls } from '../src/paced-calls.js';

const LARGE = 200 * 1024;

interface Part {
  readonly name: string;
  readonly bytes: number;
  readonly items: readonly string[];
}

let calls: PacedCalls;
/** Calls that were made, in order. */
let made: string[];
let answers: Map<string, PromiseWithResolvers<string>>;
beforeEach(() => {
  calls = new PacedCalls();
  made = [];
  answers = new Map();
});

const parts = (names: string, bytes: number): Part[] => names.split('').map((name) => ({ name, bytes, items: [name] }));

function call({ name }: Part): Promise<string> {
  made.push(name);
  const answer = Promise.withResolvers<string>();
  answers.set(name, answer);
  return answer.promise;
}

/** Resolves when the call was made. */
async function isMade(name: string): Promise<void> {
  while (!made.includes(name)) await new Promise(setImmediate);
}

function answerAll(): void {
  for (const [name, { resolve }] of answers) resolve(name);
}

it('makes calls that carry little at once, before it returns', async () => {
  const running = calls.run(parts('abcdefgh', 10), call);
  expect(made).toEqual('abcdefgh'.split(''));
  answerAll();
  expect(await running).toEqual('abcdefgh'.split(''));
});

// What was to be sent for thousands of users was sent in one turn of the loop, and held it for 0.1 s.
it('makes calls that carry much few at a time, in order, as those before them are answered', async () => {
  const running = calls.run(parts('abcd', LARGE), call);
  for (const [name, next] of ['ab', 'bc', 'cd']) {
    expect(made.at(-1)).toBe(name);
    answers.get(name!)!.resolve(name!);
    await isMade(next!);
  }
  answerAll();
  expect(await running).toEqual('abcd'.split(''));
});

it('makes a call that carries more than may be under way, alone', async () => {
  const running = calls.run(parts('ab', 10 * LARGE), call);
  expect(made).toEqual(['a']);
  answers.get('a')!.resolve('a');
  await isMade('b');
  answerAll();
  expect(await running).toEqual(['a', 'b']);
});

it('counts what calls carry in number, too', async () => {
  const many = ['a', 'b'].map((name) => ({ name, bytes: 10, items: new Array<string>(400).fill(name) }));
  const running = calls.run(many, call);
  expect(made).toEqual(['a']);
  answers.get('a')!.resolve('a');
  await isMade('b');
  answerAll();
  await running;
});

it('sends what is handed over later behind all that was handed over before', async () => {
  const first = calls.run(parts('abc', LARGE), call);
  const second = calls.run(parts('xy', 10), call);
  expect(made).toEqual(['a']);
  answers.get('a')!.resolve('a');
  await isMade('b');
  expect(made).toEqual(['a', 'b']);
  answers.get('b')!.resolve('b');
  await isMade('y');
  expect(made).toEqual(['a', 'b', 'c', 'x', 'y']);
  answerAll();
  expect(await Promise.all([first, second])).toEqual([
    ['a', 'b', 'c'],
    ['x', 'y'],
  ]);
});

it('sends nothing behind a call that failed, and rejects when those under way are answered', async () => {
  const outcome = calls.run(parts('abcd', LARGE / 2), call).then(
    () => 'done',
    (error: Error) => error.message,
  );
  expect(made).toEqual(['a', 'b', 'c']);
  answers.get('b')!.reject(new Error('refused'));
  answers.get('a')!.resolve('a');
  const waiting = Symbol('waiting');
  expect(await Promise.race([outcome, new Promise((resolve) => setImmediate(resolve, waiting))])).toBe(waiting);
  answers.get('c')!.resolve('c');
  expect(await outcome).toBe('refused');
  expect(made).toEqual(['a', 'b', 'c']);
});

it('goes on with what is handed over behind a call that failed', async () => {
  const failing = calls.run(parts('ab', LARGE * 2), call);
  const next = calls.run(parts('x', 10), call);
  answers.get('a')!.reject(new Error('refused'));
  await expect(failing).rejects.toThrow('refused');
  await isMade('x');
  answerAll();
  expect(await next).toEqual(['x']);
  expect(made).toEqual(['a', 'x']);
});
