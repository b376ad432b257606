import { once } from 'node:events';
import type { RecordWriter, TopicPolicy } from '@ws-gateway/core';
import WebSocket from 'ws';
import type { DevGateway } from './dev-gateway.js';
import { failure } from './exit.js';
import { toolConnection } from './kafka.js';
import { print, styled } from './output.js';
import { envelope } from './produce.js';

const PAYLOAD = '{"title":"Hello","body":"from Kafka"}';
const READY_TIMEOUT_MS = 30_000;
const FRAME_TIMEOUT_MS = 20_000;
const READY_POLL_MS = 50;
/** Number of records after the first one: by then connections are open and code is warm, as in a program that runs. */
const MORE = 20;

/** Sends records through, from the producer to the socket, and shows what came and how long it took. */
export async function demonstrate(ready: DemoGateway): Promise<void> {
  if (ready.servers.kafka === null) throw failure('the demo needs Kafka: see above for what is missing');
  await untilReady(ready.gateway.port);
  const { KafkajsRecordWriter } = await import('@ws-gateway/kafka-source');
  const writer = new KafkajsRecordWriter(await toolConnection(ready.config));
  const client = new DemoClient(`${ready.gateway.url}?topics=${ready.topic.name}`, ready.token);
  try {
    await client.frame((frame) => frame['event'] === 'connected');
    print(
      `\n  ${styled('bold', `${ready.user} is connected`)} to ${ready.gateway.url} and listens to ${ready.topic.name}`,
    );
    const runId = Date.now().toString(36);
    const first = await sendThrough(ready, { writer, client, id: `demo-${runId}` });
    print(`  ${styled('bold', 'A record was written to Kafka')}, and this frame came out of the socket:\n`);
    print(styled('cyan', first.text));
    print(`\n  It took ${styled(['bold', 'green'], ms(first.tookMs))}, producer and group just started.`);
    const times: number[] = [];
    for (let i = 1; i <= MORE; i++) {
      times.push((await sendThrough(ready, { writer, client, id: `demo-${runId}-${i}` })).tookMs);
    }
    times.sort((a, b) => a - b);
    print(
      `  ${MORE} more: ${styled(['bold', 'green'], ms(times[MORE / 2]!))} in the median, Kafka's acknowledgement included.\n`,
    );
  } finally {
    client.close();
    await writer.stop();
  }
}

/** What `dev` has started, with a topic of format `envelope`. */
type DemoGateway = DevGateway & { readonly topic: TopicPolicy };

interface Passage {
  readonly text: string;
  readonly tookMs: number;
}

async function sendThrough(
  ready: DemoGateway,
  demo: { writer: RecordWriter; client: DemoClient; id: string },
): Promise<Passage> {
  const { writer, client, id } = demo;
  const arrives = client.frame((frame) => frame['id'] === id);
  const beganMs = performance.now();
  const value = envelope({ id, type: ready.topic.type, user_id: ready.user }, PAYLOAD);
  await Promise.all([writer.write(ready.topic.kafkaTopic, [{ key: ready.user, value }]), arrives]);
  const { text, atMs } = await arrives;
  return { text, tookMs: atMs - beganMs };
}

async function untilReady(port: number): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadlineMs) {
    const response = await fetch(`http://127.0.0.1:${port}/ready`);
    await response.arrayBuffer();
    if (response.ok) return;
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  throw failure(`the gateway did not become ready within ${READY_TIMEOUT_MS / 1000} s`);
}

interface Arrived {
  readonly text: string;
  readonly atMs: number;
}

/** A plain client that waits for frames. */
class DemoClient {
  readonly #socket: WebSocket;

  constructor(url: string, token: string) {
    this.#socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
    // `frame` meets the error as its own rejection; without a listener here it would end the process first.
    this.#socket.on('error', () => undefined);
  }

  /** Resolves with the next frame that fits. */
  async frame(fits: (frame: Readonly<Record<string, unknown>>) => boolean): Promise<Arrived> {
    const signal = AbortSignal.timeout(FRAME_TIMEOUT_MS);
    while (true) {
      const [data] = (await once(this.#socket, 'message', { signal }).catch(noFrame)) as [Buffer];
      const atMs = performance.now();
      const text = data.toString();
      if (fits(JSON.parse(text) as Readonly<Record<string, unknown>>)) return { text, atMs };
    }
  }

  close(): void {
    this.#socket.close();
  }
}

function noFrame(error: Error): never {
  throw failure(`no frame came within ${FRAME_TIMEOUT_MS / 1000} s (${error.message})`, error);
}

function ms(value: number): string {
  return value < 100 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}
