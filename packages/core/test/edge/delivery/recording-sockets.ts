import { LocalStreamTable } from '../../../src/edge/delivery/local-streams.js';
import { Connection, Subscription } from '../../../src/edge/delivery/connection.js';
import { Delivery } from '../../../src/edge/delivery/delivery.js';
import { Sender } from '../../../src/edge/delivery/sender.js';
import { EdgeStats, type Socket, type StreamMessage, type TopicPolicy } from '../../../src/index.js';
import { topicPolicy } from '../../policies.js';
import { FanOutScheduler } from '../../../src/edge/delivery/fan-out-groups.js';

/** A socket of our own seam whose kernel can be told to stall; it writes down every system call. */
export class RecordingSocket implements Socket {
  readonly calls: string[][] = [];
  readonly localStreams = new Set<string>();
  /** What the transport's fan-out brought. */
  readonly fanned: string[] = [];
  /** That, and what was sent to this socket alone, as it came. */
  readonly all: string[] = [];
  closed: number | null = null;
  stalled = false;
  buffered = 0;
  #cork: string[] | null = null;

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

  join(localStream: string): void {
    this.localStreams.add(localStream);
  }

  leave(localStream: string): void {
    this.localStreams.delete(localStream);
  }

  end(code: number): void {
    this.closed = code;
    this.all.push('end');
  }
}

/** The last steps to sockets, without the rest of an edge. */
export class DeliveryUnderTest {
  readonly stats = new EdgeStats();
  readonly localStreams = new LocalStreamTable();
  readonly published: string[] = [];
  readonly sockets: RecordingSocket[] = [];
  nowMs = 0;
  readonly scheduler = new FanOutScheduler({
    publish: (localStream, frame) => this.#publish(localStream, Buffer.from(frame).toString()),
  });
  readonly sender = new Sender(this, { answerQueueBytes: 1000, now: () => this.nowMs });
  readonly delivery = new Delivery(this);

  subscriber(stream: string, topic?: TopicPolicy, held?: boolean) {
    const socket = new RecordingSocket();
    this.sockets.push(socket);
    const connection = new Connection(`c${Math.random()}`, {
      endpoint: { path: '/ws', guests: false, hub: null, pipe: null },
      address: '127.0.0.1',
      authorization: '',
      identity: null,
      sinceMs: 0,
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

  #publish(localStream: string, text: string): void {
    this.published.push(`${localStream}=${text}`);
    for (const { localStreams, fanned, all } of this.sockets) {
      if (!localStreams.has(localStream)) continue;
      fanned.push(text);
      all.push(text);
    }
  }

  #deliver(at: { stream: string; offset: number; epoch: string }, text: string, seen: boolean): void {
    const message: StreamMessage = { ...at, recordTimeMs: 1, frame: Buffer.from(text), except: '', seen };
    this.delivery.deliver(message);
  }
}
