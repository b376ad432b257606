import { describe, expect, it } from '@jest/globals';
import { createLogger, type LoggerOptions } from '../src/index.js';
import { Capture } from './capture.js';

function logger(options: Partial<LoggerOptions> = {}) {
  const stream = new Capture();
  return { stream, log: createLogger({ level: 'info', format: 'json', stream, ...options }) };
}

describe('the JSON log', () => {
  it('writes one line per event with time, level, message and fields', () => {
    const { stream, log } = logger({ fields: { node: 'n1' } });
    log.info('ready', { port: 8080 });
    log.child({ part: 'edge' }).warn('slow', { ms: 12 });
    expect(stream.events).toEqual([
      {
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        level: 'info',
        message: 'ready',
        node: 'n1',
        port: 8080,
      },
      { timestamp: expect.any(String), level: 'warn', message: 'slow', node: 'n1', part: 'edge', ms: 12 },
    ]);
  });

  it('keeps one event on one line, whatever the fields hold', () => {
    const { stream, log } = logger();
    log.info('odd', { text: 'a\nb\r\u2028"\\', lone: '\ud800' });
    expect(stream.lines).toHaveLength(1);
    expect(stream.events[0]).toMatchObject({ text: 'a\nb\r\u2028"\\' });
  });

  it('writes only levels up to the configured one and asks nothing of the others', () => {
    const { stream, log } = logger({ level: 'warn' });
    const fields = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('read');
      },
    });
    log.debug('no', fields);
    log.info('no', fields);
    log.warn('yes');
    log.error('yes');
    expect(stream.events.map(({ level }) => level)).toEqual(['warn', 'error']);
  });

  it('shows errors by name, message, code and cause, with the stack at debug only', () => {
    const cause = new TypeError('inner');
    const error = Object.assign(new Error('outer', { cause }), { code: 'E_X', secretState: 'hidden' });
    const { stream, log } = logger();
    log.error('failed', { error });
    const shown = { name: 'Error', message: 'outer', code: 'E_X', cause: { name: 'TypeError', message: 'inner' } };
    expect(stream.events[0]?.['error']).toEqual(shown);
    const debug = logger({ level: 'debug' });
    debug.log.error('failed', { error });
    expect(debug.stream.events[0]?.['error']).toMatchObject({ stack: expect.stringContaining('logger.test') });
  });

  it('keeps fields whose names are its own or winston has a meaning for', () => {
    const { stream, log } = logger();
    log.info('said', { message: 'm', level: 'l', timestamp: 't', splat: 's', stack: 'x', name: 'n' });
    expect(stream.events[0]).toMatchObject({ message: 'said', level: 'info', message_: 'm', level_: 'l', stack: 'x' });
  });

  it('survives fields of any kind and stays small', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    const { stream, log } = logger();
    log.info('kinds', {
      ...{ big: 2n ** 70n, nan: Number.NaN, fn: () => 1, sym: Symbol('s'), none: undefined, nil: null, cycle },
      ...{ map: new Map([['a', 1]]), set: new Set([1]), bytes: Buffer.from('secret'), url: new URL('http://h/p') },
      date: new Date(0),
      ['__proto__']: 'own',
      bad: {
        toJSON() {
          throw new RangeError('no');
        },
      },
    });
    log.info('much', { text: 'x'.repeat(100_000), wide: Array.from({ length: 5_000 }, () => ({ a: [1, 2, 3] })) });
    const [kinds, much] = stream.events;
    expect(kinds).toMatchObject({
      ...{ big: String(2n ** 70n), nan: 'NaN', fn: '[function]', nil: null, map: { a: 1 }, set: [1] },
      ...{ bytes: '[6 bytes]', url: 'http://h/p', date: '1970-01-01T00:00:00.000Z', bad: '[unreadable: RangeError]' },
    });
    expect(much?.['message']).toBe('much');
    expect(stream.lines[1]?.length).toBeLessThan(30_000);
  });
});

describe('the pretty log', () => {
  it('shows time, level, message and fields, without colours when it is no terminal', () => {
    const { stream, log } = logger({ format: 'pretty' });
    log.info('ready', { port: 8080, where: 'a b', list: [1] });
    expect(stream.text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}ready port=8080 where="a b" list=\[1\]\n$/);
  });

  it('paints the level on a terminal and lets no field reach the terminal as a command', () => {
    const stream = new Capture();
    stream.isTTY = true;
    createLogger({ level: 'info', format: 'pretty', stream }).warn('odd', { user: 'a\u001b[2J\u009bm\nb' });
    expect(stream.text).toContain('\u001b[33mWARN \u001b[0m');
    const [, afterLevel = ''] = stream.text.split('\u001b[0m');
    expect(afterLevel).not.toContain('\u001b');
    expect(afterLevel).not.toContain('\u009b');
    expect(afterLevel).toBe(String.raw` odd user="a\u001b[2J\u009bm\nb"` + '\n');
  });

  it('puts stacks on lines of their own at debug', () => {
    const { stream, log } = logger({ format: 'pretty', level: 'debug' });
    log.error('failed', { error: new Error('x') });
    expect(stream.lines[0]).toMatch(/failed error=\{"name":"Error","message":"x"\}$/);
    expect(stream.lines[1]).toMatch(/^ {4}at /);
  });
});

describe('a log that nobody reads', () => {
  it('drops lines instead of holding them, and says how many when it is read again', () => {
    const { stream, log } = logger();
    stream.stop();
    for (let i = 0; i < 3_000; i++) log.info('line', { text: 'x'.repeat(1_000) });
    expect(stream.writableLength).toBeLessThan(1.2 * 1024 * 1024);
    stream.resume();
    const heldLines = stream.lines.length;
    log.info('after');
    const [first, second] = stream.events.slice(heldLines);
    expect(first).toMatchObject({ level: 'warn', message: 'log lines dropped', dropped: 3_000 - heldLines });
    expect(second).toMatchObject({ message: 'after' });
  });

  it('does not fail once the stream is closed or broken', () => {
    for (const end of [
      (s: Capture) => s.end(),
      (s: Capture) => s.destroy(),
      (s: Capture) => s.destroy(new Error('x')),
    ]) {
      const { stream, log } = logger();
      end(stream);
      for (let i = 0; i < 100; i++) log.info('line');
      expect(stream.text).toBe('');
    }
  });
});
