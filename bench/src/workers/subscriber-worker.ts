/** Entry point of the process that holds the sockets of a SubscriberProcess. */
import {
  LoadSocket,
  nowMicros,
  readNumber,
  serveParent,
  type SocketListener,
  type SocketTarget,
  type Verdict,
} from '@ws-gateway/load-generator';
import { SubscriberLog } from '../lib/subscriber-log.js';

export interface SubscriberTask {
  /** Addresses, one for each socket. */
  readonly targets: readonly SocketTarget[];
  /** Number of sockets that read each frame, evenly spread; the others count bytes. */
  readonly sampled: number;
  /** Addresses of the sockets that `stall` concerns: some of those that count bytes, evenly spread. */
  readonly stalling: readonly SocketTarget[];
}

export interface SubscriberRun {
  readonly records: number;
  readonly keys: number;
}

const PARALLEL = 64;
/**
 * Bytes that two sockets may differ by: fewer than any frame with a record has. Heartbeats may come to one socket and
 * not to another.
 */
const SLACK_BYTES = 60;
const OFFSET_MARK = Buffer.from('"offset":');

class Subscribers implements SocketListener {
  readonly #sampled: LoadSocket[] = [];
  readonly #counting: LoadSocket[] = [];
  #stalling: LoadSocket[] = [];
  #areStalled = false;
  readonly #joining = new Map<LoadSocket, () => void>();
  readonly #bytesBefore = new Map<LoadSocket, number>();
  readonly #failures: string[] = [];
  #log: SubscriberLog | null = null;

  async connect({ targets, sampled, stalling }: SubscriberTask): Promise<void> {
    const every = Math.floor(targets.length / sampled);
    const isSampled = targets.map((_, at) => at % every === 0 && at / every < sampled);
    await inParallel(targets, async (target, at) => {
      const list = isSampled[at] ? this.#sampled : this.#counting;
      await this.#join(target, { list, counts: !isSampled[at] });
    });
    await this.#joinStalling(stalling);
  }

  /** Begins a run: what comes from now on are its records. */
  begin(run: SubscriberRun): void {
    this.#requireWhole();
    this.#log = new SubscriberLog(this.#sampled.length, run);
    for (const socket of this.#readers()) this.#bytesBefore.set(socket, socket.bytesReceived);
  }

  /** Number of sockets that have yet to get something. */
  pending(): number {
    this.#requireWhole();
    const log = this.#log;
    const waiting = this.#sampled.filter((_, at) => log?.hasAll(at) === false).length;
    return waiting > 0 ? waiting : this.#short().length;
  }

  verdict(): Verdict {
    const verdict = this.#log!.verdict();
    const expected = this.#expectedBytes();
    const tooMany = this.#readers().filter((socket) => this.#bytesOf(socket) > expected + SLACK_BYTES).length;
    return {
      ...verdict,
      lost: verdict.lost + this.#short().length,
      duplicates: verdict.duplicates + tooMany,
    };
  }

  latencies({ sentAt, first }: { sentAt: Float64Array; first: number }): Float64Array {
    return this.#log!.latencies(sentAt, first);
  }

  stall(): void {
    for (const socket of this.#stalling) socket.stall();
    this.#areStalled = true;
  }

  /** Puts other sockets in the place of the stalled ones, which read. */
  async replaceStalled(targets: readonly SocketTarget[]): Promise<void> {
    for (const socket of this.#stalling) socket.destroy();
    this.#stalling = [];
    this.#areStalled = false;
    await this.#joinStalling(targets);
  }

  frame(socket: LoadSocket, bytes: Buffer, { start, end }: { start: number; end: number }): void {
    const joined = this.#joining.get(socket);
    if (joined !== undefined) {
      joined();
      return;
    }
    const n = readNumber(bytes, start, end);
    if (n >= 0) this.#log?.add(socket.user, { n, offset: readOffset(bytes, end) }, nowMicros());
  }

  closed(socket: LoadSocket, why: string): void {
    // The gateway may close a socket that never reads.
    if (this.#areStalled && this.#stalling.includes(socket)) return;
    this.#failures.push(why);
    this.#joining.get(socket)?.();
  }

  async #joinStalling(targets: readonly SocketTarget[]): Promise<void> {
    await inParallel(targets, (target) => this.#join(target, { list: this.#stalling, counts: true }));
    this.#requireWhole();
  }

  /** Connects a socket. Its number is its place among those that read. */
  async #join(target: SocketTarget, { list, counts }: { list: LoadSocket[]; counts: boolean }): Promise<void> {
    const socket = new LoadSocket(list.length, target, this);
    list.push(socket);
    await new Promise<void>((resolve) => this.#joining.set(socket, resolve));
    this.#joining.delete(socket);
    if (counts) socket.countOnly();
  }

  #readers(): LoadSocket[] {
    return [...this.#sampled, ...this.#counting, ...(this.#areStalled ? [] : this.#stalling)];
  }

  #bytesOf(socket: LoadSocket): number {
    return socket.bytesReceived - (this.#bytesBefore.get(socket) ?? 0);
  }

  /**
   * Bytes that each socket should have: all get the same. A sampled socket that lost something finds it in its frames.
   */
  #expectedBytes(): number {
    return Math.max(...this.#sampled.map((socket) => this.#bytesOf(socket)));
  }

  #short(): LoadSocket[] {
    const expected = this.#expectedBytes();
    return this.#readers().filter((socket) => this.#bytesOf(socket) < expected - SLACK_BYTES);
  }

  #requireWhole(): void {
    if (this.#failures.length > 0)
      throw new Error(`${this.#failures.length} sockets ended, the first one: ${this.#failures[0]}`);
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T, at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) await work(items[at]!, at);
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));
}

/** Reads the offset, which ends the frame. */
function readOffset(bytes: Buffer, end: number): number {
  const at = bytes.lastIndexOf(OFFSET_MARK, end - 1);
  return Number.parseInt(bytes.toString('latin1', at + OFFSET_MARK.length, end), 10);
}

const subscribers = new Subscribers();

serveParent({
  connect: (task: SubscriberTask) => subscribers.connect(task),
  begin: (run: SubscriberRun) => subscribers.begin(run),
  pending: () => subscribers.pending(),
  verdict: () => subscribers.verdict(),
  latencies: (of: { sentAt: Float64Array; first: number }) => subscribers.latencies(of),
  stall: () => subscribers.stall(),
  replaceStalled: (targets: readonly SocketTarget[]) => subscribers.replaceStalled(targets),
});
