import { ofNoRecord } from '../../../src/inbox.js';
import type { Logger } from '../../../src/logger.js';
import { Takes } from '../../../src/edge/delivery/takes.js';
import { LocalStreamTable } from '../../../src/edge/delivery/local-streams.js';
import { Connection, Subscription, type Endpoint, type LocalStreams } from '../../../src/edge/delivery/connection.js';
import { Delivery } from '../../../src/edge/delivery/delivery.js';
import { Sender } from '../../../src/edge/delivery/sender.js';
import { Login } from '../../../src/edge/login.js';
import { EdgeStats, type Socket, type StreamMessage, type TopicPolicy, type Transport } from '../../../src/index.js';
import { topicPolicy } from '../../policies.js';

/** A transport in memory that writes down what is published to its groups. */
export class RecordingTransport implements Transport {
  readonly published: string[] = [];
  readonly sockets: RecordingSocket[] = [];

  publish(group: string, frame: Uint8Array): void {
    const text = Buffer.from(frame).toString();
    this.published.push(`${group}=${text}`);
    for (const { groups, fanned, all } of this.sockets) {
      if (!groups.has(group)) continue;
      fanned.push(text);
      all.push(text);
    }
  }
}

/** A socket of our own seam whose kernel can be told to stall; it writes down every system call. */
export class RecordingSocket implements Socket {
  readonly transport: RecordingTransport;
  readonly calls: string[][] = [];
  readonly groups = new Set<string>();
  /** What the transport's fan-out brought. */
  readonly fanned: string[] = [];
  /** That, and what was sent to this socket alone, as it came. */
  readonly all: string[] = [];
  closed: number | null = null;
  stalled = false;
  buffered = 0;
  #cork: string[] | null = null;

  constructor(transport: RecordingTransport) {
    this.transport = transport;
    transport.sockets.push(this);
  }

  get frames(): string[] {
    return this.calls.flat();
  }

  send(frame: Uint8Array | string): 'sent' | 'buffered' | 'closed' {
    if (this.closed !== null) return 'closed';
    const text = typeof frame === 'string' ? frame : Buffer.from(frame).toString();
    this.all.push(text);
    if (this.#cork !== null) this.#cork.push(text);
    else this.calls.push([text]);
    if (this.stalled) this.buffered += text.length;
    return this.stalled ? 'buffered' : 'sent';
  }

  cork(write: () => void): void {
    this.#cork = [];
    write();
    this.calls.push(this.#cork);
    this.#cork = null;
  }

  bufferedBytes(): number {
    return this.buffered;
  }

  join(group: string): void {
    this.groups.add(group);
  }

  leave(group: string): void {
    this.groups.delete(group);
  }

  probe(): void {}

  end(code: number): void {
    this.closed = code;
    this.all.push('end');
  }
}

/** The last steps to sockets, without the rest of an edge. */
export class DeliveryUnderTest {
  readonly stats = new EdgeStats();
  readonly localStreams: LocalStreams = new LocalStreamTable();
  readonly transport = new RecordingTransport();
  readonly published = this.transport.published;
  readonly sockets = this.transport.sockets;
  nowMs = 0;
  readonly sender = new Sender(this.stats, { answerQueueBytes: 1000, now: () => this.nowMs });
  readonly takes = new Takes({
    outcomes: { note: () => Promise.resolve() },
    logger: { debug() {} } as unknown as Logger,
  });
  readonly delivery = new Delivery(this);

  subscriber(stream: string, topic?: TopicPolicy, held?: boolean) {
    return this.subscriberOf(this.transport, stream, topic, held);
  }

  subscriberOf(transport: RecordingTransport, stream: string, topic?: TopicPolicy, held?: boolean) {
    const socket = new RecordingSocket(transport);
    const connection = new Connection(`c${Math.random()}`, {
      agent: '',
      endpoint: { path: '/ws' } as Endpoint,
      address: '127.0.0.1',
      login: new Login(null, '', 0),
      cameAtMs: 0,
    });
    connection.socket = socket;
    connection.state = 'open';
    return { socket, connection, subscription: this.subscribe(connection, stream, topic, held) };
  }

  subscribe(
    connection: Connection,
    stream: string,
    topic: TopicPolicy = topicPolicy('notifications'),
    held = false,
  ): Subscription {
    const localStream = this.localStreams.obtain(stream, !stream.includes('/u/'));
    const subscription = new Subscription(connection, localStream, { kind: 'topic', name: topic.name, policy: topic });
    localStream.addDirect(subscription);
    connection.subscriptions.push(subscription);
    if (!held) this.delivery.release(subscription, []);
    return subscription;
  }

  batch(...messages: [stream: string, offset: number, text: string, epoch?: string][]): void {
    for (const [stream, offset, text, epoch = 'e'] of messages) this.#deliver({ stream, offset, epoch }, text, false);
    this.delivery.endBatch();
  }

  repeated(stream: string, offset: number, text: string, epoch: string): void {
    this.#deliver({ stream, offset, epoch }, text, true);
    this.delivery.endBatch();
  }

  #deliver(at: { stream: string; offset: number; epoch: string }, text: string, seen: boolean): void {
    const message: StreamMessage = {
      ...at,
      recordTimeMs: 1,
      frame: Buffer.from(text),
      except: '',
      ...ofNoRecord,
      seen,
    };
    this.delivery.deliver(message);
  }
}
