import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { play, turn, type Play } from './playing.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const HOUR = 3_600_000;

/** Tokens that are good for an hour, each another one. */
function issuer(): { token: () => Promise<string>; issued: string[] } {
  const issued: string[] = [];
  const token = (): Promise<string> => {
    const exp = (Date.now() + HOUR) / 1000;
    issued.push(`h.${btoa(JSON.stringify({ exp, jti: issued.length }))}.s`.replaceAll('=', ''));
    return Promise.resolve(issued.at(-1)!);
  };
  return { token, issued };
}

const tokensShown = ({ gateway }: Play): (string | undefined)[] => gateway.sockets.map(({ protocols }) => protocols[1]);

describe('a token with a callback', () => {
  it('is renewed over the open connection before it expires', async () => {
    const { token, issued } = issuer();
    const theatre = await play({ token });
    const { gateway } = theatre;
    gateway.last.accept({ heartbeat_ms: 0 });
    for (let round = 1; round <= 3; round++) {
      await pass(HOUR - 30_000);
      expect(gateway.last.lastRequest).toMatchObject({
        command: 'authentication',
        options: { authToken: issued[round], update: true },
      });
      gateway.last.answer({});
      await turn();
    }
    expect(gateway.sockets).toHaveLength(1);
    gateway.last.drop();
    await pass(500);
    expect(tokensShown(theatre)).toEqual([issued[0], issued[3]]);
  });

  it('is renewed by a new connection where the gateway has no such command', async () => {
    const { token, issued } = issuer();
    const theatre = await play({ token });
    const { gateway } = theatre;
    gateway.last.accept({ heartbeat_ms: 0 });
    await pass(HOUR - 30_000);
    gateway.last.answer({ code: 'unknown_command', message: 'no' }, 'error');
    await turn();
    await turn();
    expect(gateway.sockets[0]!.closedWith).toEqual([1000, 'new token']);
    expect(tokensShown(theatre)).toEqual(issued);
  });

  it('is asked for again when the callback failed, until the old one has expired', async () => {
    const { token } = issuer();
    let broken = false;
    const { gateway, of } = await play({ token: () => (broken ? Promise.reject(new Error('away')) : token()) });
    gateway.last.accept({ heartbeat_ms: 0 });
    broken = true;
    await pass(HOUR - 30_000);
    expect(of('error')).toMatchObject([{ code: 'token_failed' }]);
    broken = false;
    await pass(10_000);
    expect(gateway.last.lastRequest.command).toBe('authentication');
  });

  it('is new after 4010', async () => {
    const { token, issued } = issuer();
    const theatre = await play({ token });
    theatre.gateway.last.accept();
    theatre.gateway.last.drop(4010, 'token_expired');
    await pass(500);
    expect(tokensShown(theatre)).toEqual(issued);
    expect(issued).toHaveLength(2);
  });

  it('is the same after any other loss: not every reconnect is a login', async () => {
    const { token, issued } = issuer();
    const { gateway } = await play({ token });
    for (let round = 0; round < 5; round++) {
      gateway.last.accept();
      gateway.last.drop();
      await pass(10_000);
    }
    expect(issued).toHaveLength(1);
  });

  it('is suspected after three attempts that failed for reasons that cannot be seen', async () => {
    const { token, issued } = issuer();
    const theatre = await play({ token, backoff: { baseMs: 1, capMs: 1 } });
    for (let attempt = 0; attempt < 5; attempt++) {
      theatre.gateway.last.drop();
      await pass(1);
    }
    const [first, second] = issued;
    expect(tokensShown(theatre)).toEqual([first, first, first, second, second, second]);
  });

  it('that cannot be had is a failed attempt like any other', async () => {
    const { gateway, of } = await play({ token: () => Promise.reject(new Error('away')), maxAttempts: 2 });
    await pass(1000);
    expect(gateway.sockets).toHaveLength(0);
    expect(of('error').map(({ code }) => code)).toEqual([
      'token_failed',
      'connect_failed',
      'token_failed',
      'connect_failed',
    ]);
    expect(of('closed')).toMatchObject([{ why: 'attempts' }]);
  });
});

describe('a gateway that refuses tokens', () => {
  const invalid = { code: 'token_invalid', message: 'the key is not known', http: 401 };

  it('may have yet to learn their key: fresh ones are tried for a minute before it is believed', async () => {
    const { token, issued } = issuer();
    const { client, gateway, of } = await play({ token, backoff: { baseMs: 1000, capMs: 10_000 } });
    for (let second = 0; second < 55; second++) {
      gateway.last.refuse(invalid);
      await pass(1000);
    }
    expect(of('closed')).toEqual([]);
    expect(issued.length).toBeGreaterThan(5);
    expect(of('refused')).toHaveLength(issued.length - 1);
    await pass(6000);
    gateway.last.refuse(invalid);
    expect(await client.closed).toEqual({ why: 'token', code: 4601, reason: 'token_invalid', refusal: invalid });
  });

  it('is believed at once where there is just one', async () => {
    const { client, gateway, names } = await play();
    gateway.last.refuse(invalid);
    expect(await client.closed).toMatchObject({ why: 'token', code: 4601, refusal: invalid });
    expect(names()).toEqual(['refused', 'closed']);
  });
});

describe('a callback that gives a page of a login service', () => {
  it('is told so; the page is sent nowhere, and the next token is taken', async () => {
    const answers = ['<!doctype html><title>Log in</title>', 'h.p.s'];
    const { gateway, of } = await play({ token: () => answers.shift()! });
    expect(gateway.sockets).toHaveLength(0);
    expect(of('error').map(({ code }) => code)).toEqual(['bad_token', 'connect_failed']);
    await pass(500);
    expect(gateway.last.protocols).toEqual(['bearer', 'h.p.s', 'wsg.v1']);
  });
});

describe('a token without a callback', () => {
  it('is the end when it expires', async () => {
    const { client, gateway } = await play();
    gateway.last.accept();
    gateway.last.drop(4010, 'token_expired');
    expect(await client.closed).toEqual({ why: 'token', code: 4010, reason: 'token_expired' });
  });

  it('that is absent is a guest', async () => {
    const { gateway } = await play({ token: '' });
    expect(gateway.last.protocols).toEqual(['wsg.v1']);
  });
});
