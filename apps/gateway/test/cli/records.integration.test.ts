import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { createTopics, produce, readTopic, testBrokers, uniqueName } from '@ws-gateway/testkit';
import { configFile, run } from './running.js';

const group = uniqueName('records');
const topic = uniqueName('payments');
const other = uniqueName('others');
const config = configFile({
  kafka: { groupId: group, topics: [], bootstrapServers: testBrokers() },
  topics: {
    payments: {
      kafkaTopic: topic,
      format: 'json',
      map: { user: ['value:/account/id', 'key'], id: 'header:event-id' },
      when: [{ field: 'value:/status', notIn: ['draft'] }],
    },
    others: { kafkaTopic: other },
    quotes: { kafkaTopic: uniqueName('quotes'), format: 'json', map: { keyed: 'value:/symbol' } },
  },
});
beforeAll(() => createTopics([topic, other, `${group}-dlq`], 1));

function lines(text: string): unknown[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

describe('explain', () => {
  test('says who would get which frame, without a running gateway', async () => {
    const value = '{"account":{"id":"u1"},"n":12345678901234567890}';
    const args = ['explain', 'payments', '-c', config, '--value', value, '--header', 'event-id=e-1'];
    const explained = await run([...args, '--json']);
    expect(explained).toMatchObject({ code: 0, stderr: '' });
    expect(explained.stdout).toContain(`"payload":${value}`);
    expect(lines(explained.stdout)).toMatchObject([
      { topic, partition: 0, offset: 0, audience: 'user:u1', streams: ['payments/u/u1'], frame: { id: 'e-1' } },
    ]);
    expect((await run(args)).stdout).toContain('user:u1  payments/u/u1');
  });

  test('says which key a record of a topic of keys is for', async () => {
    const value = '{"symbol":"BRK.B","bid":1}';
    const explained = await run(['explain', 'quotes', '-c', config, '--value', value, '--json']);
    expect(lines(explained.stdout)).toMatchObject([
      { audience: 'key:BRK.B', streams: ['quotes/k/BRK.B'], frame: { topic: 'quotes', key: 'BRK.B' } },
    ]);
    const toUser = ['--value', value, '--header', 'ws-audience=user:u1', '--json'];
    const refused = await run(['explain', 'quotes', '-c', config, ...toUser]);
    expect([refused.code, lines(refused.stdout)]).toMatchObject([1, [{ reason: 'bad_audience' }]]);
  });

  test('says why a record would be a dead letter, and exits with 1', async () => {
    const explained = await run(['explain', 'payments', '-c', config, '--value', '{}', '--json']);
    expect(explained.code).toBe(1);
    expect(lines(explained.stdout)).toEqual([
      { topic, partition: 0, offset: 0, reason: 'no_audience', message: expect.stringContaining('value:/account/id') },
    ]);
    const told = await run(['explain', 'payments', '-c', config, '--tombstone']);
    expect([told.code, told.stdout]).toEqual([1, expect.stringContaining('dead letter empty')]);
  });

  test('reads the newest records of a topic in Kafka without joining a group', async () => {
    const record = (n: number, status = 'settled') => ({ key: 'u1', value: { n, status } });
    await produce(topic, [record(1), record(2, 'draft'), record(3), { value: 'no json' }]);
    const explained = await run(['explain', topic, '-c', config, '--last', '3', '--json']);
    expect(explained.code).toBe(1);
    expect(lines(explained.stdout)).toMatchObject([
      { offset: 1, skipped: true },
      { offset: 2, audience: 'user:u1' },
      { offset: 3, reason: 'not_json' },
    ]);
  });

  test('names the schema registry that does not answer, and why', async () => {
    const file = configFile({
      kafka: { groupId: group, topics: [] },
      schemaRegistry: { url: 'http://127.0.0.1:1', timeout: '1s' },
      topics: { orders: { format: 'avro', map: { user: 'value:/owner' } } },
    });
    const value = `${file}.avro`;
    writeFileSync(value, Buffer.from([0, 0, 0, 0, 1, 2]));
    expect(await run(['explain', 'orders', '-c', file, '--file', value])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('schema registry at http://127.0.0.1:1: Error: connect ECONNREFUSED'),
    });
  });

  test.each([
    [['payments'], 'one of --value, --file, --last, --tombstone is needed'],
    [['payments', '--value', '1', '--last', '2'], 'only one of --value, --file, --last, --tombstone can be given'],
    [['nope', '--value', '1'], 'nope: no topic of the configuration; there are: payments, others'],
    [['payments', '--file', '/no/such/file'], '--file: ENOENT'],
  ])('%j is bad usage', async (args, message) => {
    const { code, stderr } = await run(['explain', ...args, '-c', config]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe('produce', () => {
  test('refuses what would be a dead letter, unless it is told to write it', async () => {
    const args = ['produce', 'payments', '-c', config, '--payload', '{"n":1}'];
    const refused = await run(args);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('dead letter: no_audience: user (')]);
    const forced = await run([...args, '--force', '--json']);
    expect([forced.code, JSON.parse(forced.stdout)]).toMatchObject([0, { records: 1, written: [{ partition: 0 }] }]);
  });

  test('says what to do where --user is not what the map looks at', async () => {
    const topics = { owned: { kafkaTopic: topic, format: 'json', map: { user: 'value:/owner' } } };
    const file = configFile({ kafka: { groupId: group, topics: [], bootstrapServers: testBrokers() }, topics });
    const args = (payload: string) => ['produce', 'owned', '-c', file, '--user', 'u1', '--payload', payload];
    for (const payload of ['{"n":1}', '{"owner":"u2"}']) {
      const refused = await run(args(payload));
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringContaining(
          '--user is but the record key here, and map.user (value:/owner) says who gets it: put the user there, ' +
            'or add --header ws-audience=user:u1',
        ),
      ]);
    }
    expect((await run(args('{"owner":"u1"}'))).code).toBe(0);
    expect((await run([...args('{"n":1}'), '--header', 'ws-audience=user:u1'])).code).toBe(0);
  });

  test('says when the topic wants no message of what was written', async () => {
    const args = ['produce', 'payments', '-c', config, '--payload', '{"account":{"id":"u1"},"status":"draft"}'];
    const written = await run(args);
    expect([written.code, written.stderr]).toEqual([
      0,
      expect.stringContaining("the topic's when wants no message of it"),
    ]);
  });

  test('refuses dead letters also where the topic is named as Kafka does', async () => {
    const refused = await run(['produce', topic, '-c', config, '--payload', '{"n":1}']);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('dead letter: no_audience')]);
  });

  test('writes the value itself where the format has a map, and says where', async () => {
    const written = await run(['produce', 'payments', '-c', config, '--user', 'u2', '--payload', '{"n":1.50}']);
    expect([written.code, written.stdout]).toEqual([0, expect.stringMatching(/: partition 0 offset \d+\n$/)]);
    expect((await readTopic(topic)).at(-1)).toMatchObject({ key: 'u2', value: '{"n":1.50}' });
  });

  test('makes a topic only when it is asked to', async () => {
    const missing = uniqueName('missing');
    const args = ['produce', missing, '-c', config, '--user', 'u1', '--payload', '1'];
    const refused = await run(args);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining(`there is no topic ${missing}; --create makes it`),
    ]);
    expect((await run([...args, '--create'])).code).toBe(0);
    expect(await readTopic(missing)).toHaveLength(1);
  });

  test('cuts what is more than a request takes', async () => {
    const payload = JSON.stringify('x'.repeat(60_000));
    const args = ['produce', 'others', '-c', config, '--user', 'u1', '--payload', payload, '--count', '80'];
    expect(await run(args)).toMatchObject({ code: 0, stderr: '' });
    expect(await readTopic(other)).toHaveLength(80);
  });
});

describe('dead letters', () => {
  const letter = (n: number, reason: string, headers: Record<string, string> = {}) => ({
    key: n === 1 ? `${topic}:0:1` : `k${n}`,
    value: `{"n":${n}}`,
    headers: {
      ...headers,
      ...{ 'dlq-topic': topic, 'dlq-partition': '0', 'dlq-offset': String(n), 'dlq-error': reason },
      'dlq-message': `message ${n}`,
    },
  });
  const dlq = (...args: string[]) => run(['dlq', ...args, '-c', config, '--json']);

  test('are listed, shown, and written back once, as they were', async () => {
    await produce(`${group}-dlq`, [
      letter(1, 'no_audience'),
      letter(2, 'not_json', { a: 'b' }),
      letter(3, 'no_audience'),
    ]);
    const listed = JSON.parse((await dlq('list')).stdout) as { dead_letters: unknown[] };
    expect(listed.dead_letters).toMatchObject([
      { topic, reason: 'no_audience', count: 2 },
      { topic, reason: 'not_json', count: 1 },
    ]);
    expect(lines((await dlq('show', '--reason', 'not_json')).stdout)).toMatchObject([
      {
        topic,
        partition: 0,
        offset: 2,
        reason: 'not_json',
        message: 'message 2',
        value: '{"n":2}',
        headers: { a: 'b' },
      },
    ]);

    const before = (await readTopic(topic)).length;
    expect(JSON.parse((await dlq('replay', '--dry-run')).stdout)).toMatchObject({ replayed: 3 });
    expect(JSON.parse((await dlq('replay', '--topic', 'payments', '--reason', 'not_json')).stdout)).toMatchObject({
      replayed: 1,
    });
    expect(JSON.parse((await dlq('replay')).stdout)).toMatchObject({ replayed: 2 });
    expect((await readTopic(topic)).slice(before)).toMatchObject([
      { key: 'k2', value: '{"n":2}', headers: { a: 'b' } },
      { key: null, value: '{"n":1}', headers: {} },
      { key: 'k3', value: '{"n":3}', headers: {} },
    ]);

    expect(JSON.parse((await dlq('replay')).stdout)).toMatchObject({ replayed: 0 });
    await produce(`${group}-dlq`, [letter(4, 'no_audience')]);
    expect(JSON.parse((await dlq('replay', '--since', '1h')).stdout)).toMatchObject({ replayed: 1 });
    expect(JSON.parse((await dlq('replay', '--again', '--since', '2999-01-01T00:00:00Z')).stdout)).toMatchObject({
      replayed: 0,
    });
    expect(JSON.parse((await dlq('replay', '--again', '--dry-run')).stdout)).toMatchObject({ replayed: 4 });
  }, 60_000);

  test('keep headers of any name, and the order of each key', async () => {
    const names = ['__proto__', 'constructor', 'toString', ' ', 'ü'];
    const headers = Object.fromEntries([
      ...names.map((name) => [name, `of ${name}`]),
      ['bytes', Buffer.from([0, 255])],
    ]);
    const before = (await readTopic(topic)).length;
    await produce(
      `${group}-dlq`,
      [5, 6, 7, 8].map((n) => ({ ...letter(n, 'bad_member', headers as Record<string, string>), key: `k${n % 2}` })),
    );
    expect(JSON.parse((await dlq('replay', '--reason', 'bad_member')).stdout)).toMatchObject({ replayed: 4 });
    const replayed = (await readTopic(topic)).slice(before);
    expect(replayed.map(({ value }) => value)).toEqual(['{"n":5}', '{"n":6}', '{"n":7}', '{"n":8}']);
    for (const record of replayed) {
      expect(Object.keys(record.headers).sort()).toEqual([...names, 'bytes'].sort());
    }
  }, 60_000);
});
