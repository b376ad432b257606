import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import fc from 'fast-check';
import { GatewayCluster, record, token } from '../gateway-cluster.js';
import { Ledger } from './expected-answers.js';
import { CheckingBackend } from './foreseen-calls.js';
import { badFrame, fuzzSeed, hostileFrame } from './hostile-frames.js';

const unlimited = { requestsPerSecond: 0, requestBytesPerSecond: 0, sendsPerSecond: 0, surveysPerSecond: 0 };

const BAD_REQUESTS = 7;
/** Tells at its very end what has become of Object.prototype. */
const CONFESS = `process.on("exit",()=>process.stdout.write(JSON.stringify({natives:Object.getOwnPropertyNames(Object.prototype)})+"\\n"))`;

let cluster: GatewayCluster;
let backend: CheckingBackend;
let bystander: WsClient;

beforeAll(async () => {
  backend = await CheckingBackend.start();
  const open = { ...backend.config, inbound: { enabled: true }, limits: { ...unlimited, badRequests: 0 } };
  const strict = { limits: { ...unlimited, badRequests: BAD_REQUESTS }, ...backend.config };
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(CONFESS)}` };
  cluster = await GatewayCluster.open({
    nodes: [
      { config: open, env },
      { config: strict, role: 'edge' },
    ],
  });
  bystander = await cluster.connect(0, 'bystander', 'notifications');
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  await backend?.stop();
}, 60_000);

function connect(node: number): Promise<WsClient> {
  return WsClient.open(`${cluster.nodes[node]!.wsUrl}/mobile?token=${token('ann')}&topics=notifications`);
}

describe('a gateway whose clients send whatever they like', () => {
  it('answers each once, asks backends for nothing unforeseen, and serves the others', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(hostileFrame, { minLength: 1, maxLength: 30 }), async (texts) => {
        const client = await connect(0);
        const ledger = new Ledger();
        for (const text of texts) {
          ledger.sent(text);
          client.send(text);
        }
        await waitFor(() => ledger.complete(client.frames)).catch(() => undefined);
        // The answer to another socket comes later than anything that was to be written meanwhile.
        expect(await bystander.request('ping')).toMatchObject({ status: 'ok' });
        ledger.check(client.frames);
        expect(client.isOpen).toBe(true);
        expect(backend.strange.splice(0)).toEqual([]);
        await client.close();
      }),
      { numRuns: 80, ...fuzzSeed },
    );
    expect(backend.calls).toBeGreaterThan(50);
  }, 90_000);

  it('cuts off who sends what is not UTF-8, and only that one', async () => {
    const client = await connect(0);
    client.sendTextBytes(Buffer.from([...Buffer.from('{"rid":1,"command":"'), 0xc3, 0x28, 0x22, 0x7d]));
    // uWebSockets.js fails the connection without a close frame; the code it would have had is counted.
    expect((await client.closed).code).toBe(1006);
    const metrics = await (await fetch(`${cluster.nodes[0]!.httpUrl}/metrics`)).text();
    expect(metrics).toContain('ws_gateway_websocket_closes_total{code="1007"} 1');
    expect(await bystander.request('ping')).toMatchObject({ status: 'ok' });
  });

  it('closes a connection with 4502 at its last useless request, not before', async () => {
    const some = fc.array(badFrame, { minLength: BAD_REQUESTS, maxLength: BAD_REQUESTS });
    await fc.assert(
      fc.asyncProperty(some, async (texts) => {
        const client = await connect(1);
        await client.next('connected');
        for (const text of texts.slice(1)) {
          client.send(text);
          expect(await client.next()).toMatchObject({ status: expect.stringMatching(/^(error|forbidden)$/) });
        }
        expect(await client.request('ping')).toMatchObject({ status: 'ok' });
        client.send(texts[0]!);
        expect((await client.closed).code).toBe(4502);
      }),
      { numRuns: 40, ...fuzzSeed },
    );
  }, 60_000);

  it('delivers as ever afterwards, and has no prototype changed', async () => {
    await cluster.produce('notifications', record('bystander', 'still here'));
    expect(await bystander.next('notifications')).toMatchObject({ payload: 'still here' });
    const [node] = cluster.nodes;
    expect(await node!.stop()).toEqual({ code: 0, signal: null });
    expect(node!.logs.filter(({ level }) => level === 'error')).toEqual([]);
    const confessed = node!.logs.find(({ natives }) => natives !== undefined);
    expect(confessed).toEqual({ natives: Object.getOwnPropertyNames(Object.prototype) });
  });
});
