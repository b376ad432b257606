import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EdgeUnderTest, turns } from '../edge-under-test.js';

let node: EdgeUnderTest;
afterEach(async () => {
  jest.restoreAllMocks();
  await node.stop();
});

/** However slow the machine is: all comes in one moment, and nothing is refilled meanwhile. */
const standStill = (): void => void jest.spyOn(performance, 'now').mockReturnValue(1000);

async function start(options: ConstructorParameters<typeof EdgeUnderTest>[0] = {}): Promise<EdgeUnderTest> {
  node = await new EdgeUnderTest(options).start();
  return node;
}

async function codeOf(...args: Parameters<EdgeUnderTest['handshake']>): Promise<string> {
  const outcome = await node.handshake(...args);
  return 'code' in outcome ? outcome.code : 'admitted';
}

const times = async (count: number, act: (at: number) => Promise<string>): Promise<Record<string, number>> => {
  const outcomes: Record<string, number> = {};
  for (let at = 0; at < count; at++) {
    const outcome = await act(at);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return outcomes;
};

describe('handshakes beyond the rate', () => {
  beforeEach(standStill);

  // The one bucket was taken from before the token was looked at: whoever sent as many without any kept all users out.
  it('without a token, or with junk from elsewhere, take nothing from those with a good one', async () => {
    await start({ options: { handshakesPerSecond: 10 } });
    expect(await times(100, () => codeOf('/ws', '', '', { address: '10.0.0.1' }))).toEqual({ token_missing: 100 });
    const junk = await times(30, () => codeOf('/ws', 'bad', '', { address: '10.0.0.1' }));
    expect(junk).toEqual({ token_invalid: 10, unavailable: 20 });
    expect(await times(10, (at) => codeOf('/ws', `u${at}`, '', { address: '10.0.0.2' }))).toEqual({ admitted: 10 });
  });

  it('are those of one address when they come from one IPv6 network', async () => {
    await start({ options: { handshakesPerSecond: 10 } });
    const junk = await times(20, (at) => codeOf('/ws', 'bad', '', { address: `2001:db8:1:2::${at + 1}` }));
    expect(junk).toEqual({ token_invalid: 10, unavailable: 10 });
    expect(await codeOf('/ws', 'bad', '', { address: '2001:db8:1:3::1' })).toBe('token_invalid');
  });

  it('do not hold up a token that is known to be good, from whichever address', async () => {
    const recall = (token: string) => (token === 'known' ? { ...identity, user: 'known' } : null);
    const verify = () => Promise.reject(new Error('must not be looked at'));
    const identity = { expiresAtMs: null, issuedAtMs: null, tokenId: null, topics: null, rooms: null, presence: false };
    await start({ deps: { verifier: { verify, recall } }, options: { handshakesPerSecond: 3 } });
    await times(30, (at) => codeOf('/ws', 'junk', '', { address: `10.0.0.${at}` }));
    const known = await times(5, () => codeOf('/ws', 'known', '', { address: '10.0.0.1' }));
    expect(known).toEqual({ admitted: 3, unavailable: 2 });
  });
});

describe('handshakes of guests and of unknown tokens', () => {
  beforeEach(standStill);

  // All had one bucket of admissions: guests from many addresses used it up, and users with good tokens waited behind them.
  it('take no admissions from tokens that are known', async () => {
    const identity = { expiresAtMs: null, issuedAtMs: null, tokenId: null, topics: null, rooms: null, presence: false };
    const recall = (token: string) => (token === 'known' ? { ...identity, user: 'known' } : null);
    const verify = async (token: string) => ({ ...identity, user: token });
    await start({ deps: { verifier: { verify, recall } }, options: { handshakesPerSecond: 3 } });
    expect(await times(30, (at) => codeOf('/web', '', '', { address: `10.0.0.${at}` }))).toEqual({
      admitted: 3,
      unavailable: 27,
    });
    expect(await codeOf('/ws', 'unknown', '', { address: '10.1.0.1' })).toBe('unavailable');
    expect(await codeOf('/ws', 'known', '', { address: '10.1.0.1' })).toBe('admitted');
  });
});

describe('connections of one address', () => {
  it.each([
    ['of one IPv6 network', '2001:db8:1:2:aaaa::1', '2001:db8:1:2:bbbb::1', 'too_many_connections'],
    ['of two IPv6 networks', '2001:db8:1:2::1', '2001:db8:1:3::1', 'admitted'],
    ['of an IPv4 address in both forms', '10.1.2.3', '::ffff:10.1.2.3', 'too_many_connections'],
    ['of an IPv4 address in hexadecimal', '10.1.2.3', '::ffff:a01:203', 'too_many_connections'],
    ['of two IPv4 addresses', '::ffff:10.1.2.3', '::ffff:10.1.2.4', 'admitted'],
  ])('are counted together, or not: %s', async (_, first, second, outcome) => {
    await start({ options: { connectionsPerAddress: 1 } });
    expect(await codeOf('/ws', 'ann', '', { address: first })).toBe('admitted');
    expect(await codeOf('/ws', 'bob', '', { address: second })).toBe(outcome);
  });

  it('have room again when one of the network has gone', async () => {
    await start({ options: { connectionsPerAddress: 1 } });
    const client = await node.handshake('/ws', 'ann', '', { address: '2001:db8:1:2::1' });
    if ('close' in client) client.close();
    expect(await codeOf('/ws', 'bob', '', { address: '2001:db8:1:2::2' })).toBe('admitted');
  });
});

describe('subprotocols', () => {
  it.each([
    ['bearer, ann', 'admitted'],
    ['v1.json, bearer, ann', 'admitted'],
    ['v1.json, bearer', 'admitted'],
    ['bearer', 'admitted'],
    ['v1.json', 'bad_request'],
  ])('that are offered as %s: the token is the entry right behind bearer', async (protocols, outcome) => {
    await start();
    expect(await codeOf('/ws', '', protocols.includes('ann') ? '' : 'token=ann', { protocols })).toBe(outcome);
  });

  // It was refused with "none is known; known ones: wsg.v1, bearer".
  it('that hold bearer and nothing behind it bring no token, and are known all the same', async () => {
    await start();
    expect(await codeOf('/ws', '', '', { protocols: 'bearer' })).toBe('token_missing');
  });

  it('of unknown names only are refused with the known ones, since a browser would end the connection anyway', async () => {
    await start({ options: { subprotocols: ['v2.json'] } });
    const refusal = await node.handshake('/ws', 'ann', '', { protocols: 'v1.json, x' });
    expect(refusal).toMatchObject({
      status: 400,
      code: 'bad_request',
      message: expect.stringMatching(/v2\.json.*bearer/),
    });
    expect(await codeOf('/ws', 'ann', '', { protocols: 'x, v2.json' })).toBe('admitted');
  });
});

describe('more topics than a connection may have', () => {
  // Each name was looked up first, so the answer was `unknown_topic` with the list of those that there are.
  it('are a bad request, whether they exist or not', async () => {
    await start({ options: { topicsPerConnection: 2 } });
    expect(await codeOf('/ws', 'ann', 'topics=a,b,c')).toBe('bad_request');
    expect(await codeOf('/ws', 'ann', 'topics=a,b')).toBe('unknown_topic');
    const client = await node.connect('/ws', 'ann');
    const answer = await client.ask('subscribe', { topics: ['a', 'b', 'c'] });
    expect(answer).toMatchObject({ status: 'error', payload: { code: 'bad_request' } });
  });
});

describe('a drain', () => {
  // It was opened and closed with 4000 at once, and presence was told of it.
  it('that begins while a handshake is under way refuses it, and leaves nothing', async () => {
    await start();
    node.engine.admissions.close();
    const outcome = codeOf('/ws', 'ann', '');
    await turns();
    node.edge.beginDrain();
    node.engine.admissions.open();
    expect(await outcome).toBe('draining');
    await turns();
    expect([await node.rows('ann'), node.edge.connectionCount]).toEqual([[0], 0]);
  });
});

describe('a place that an old connection of the user holds', () => {
  const pipe = { name: 'p', path: '/p', sessionPolicy: 'reject' } as const;
  it.each([
    ['under sessions.max', { sessions: { max: 1, policy: 'reject' } }, '/ws', 'too_many_connections'],
    ['under connectionsPerUser', { connectionsPerUser: 1 }, '/ws', 'too_many_connections'],
    ['at a back end', { pipes: [pipe] }, '/p', 'already_connected'],
  ] as const)('makes the gateway ask whether that one is still there: %s', async (_, options, path, code) => {
    const links = { start: () => undefined, accepts: () => true, opened: () => true, closed: () => undefined };
    await start({ options, deps: { links: links as never } });
    const [old, other] = [await node.connect(path, 'ann'), await node.connect('/ws', 'bob')];
    expect(await codeOf(path, 'ann', '')).toBe(code);
    await turns();
    expect([old.probes, other.probes]).toEqual([1, 0]);
  });
});

describe('a handshake that the beginning of a drain overtakes', () => {
  it('is refused, and counted among the refusals', async () => {
    await start({});
    node.engine.admissions.close();
    const handshake = codeOf('/ws', 'ann', '');
    await turns();
    node.edge.beginDrain();
    node.engine.admissions.open();
    expect(await handshake).toBe('draining');
    expect([...node.stats.refusals.values].filter(([, count]) => count > 0)).toEqual([['draining', 1]]);
  });
});
