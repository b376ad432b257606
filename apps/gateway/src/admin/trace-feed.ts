import type { HttpStreamClient, HttpStreamEvents, OpenTrace, TraceListener, TraceStep } from '@ws-gateway/core';

/** Time in ms for which a trace is told of. */
const TRACE_MS = 10 * 60_000;
/** Time in ms that a step waits for those of other nodes that come before it. */
const ORDER_MS = 300;
const TICK_MS = 100;
/** Time in ms between two signs of life: proxies and browsers give up on an answer that is silent. */
const HEARTBEAT_MS = 5000;
/** Time in ms in which the client that asked must be there. */
const ATTACH_MS = 5000;
/** Steps that wait to be put in order, and bytes that a client may leave untaken; what is beyond is counted. */
const WAITING_MAX = 20_000;
const BUFFERED_BYTES_MAX = 1024 * 1024;

interface WaitingStep {
  readonly step: TraceStep;
  readonly cameMs: number;
}

/** One trace on its way to who asked for it: steps of all nodes in the order of their times, as server-sent events. */
export class TraceFeed implements TraceListener, HttpStreamEvents {
  readonly #now: () => number;
  #waiting: WaitingStep[] = [];
  #lost = 0;
  #client: HttpStreamClient | null = null;
  #open: OpenTrace | null = null;
  #writtenMs = 0;
  #endMs = 0;
  #ticking: NodeJS.Timeout | undefined;
  #absent: NodeJS.Timeout | undefined;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  steps(steps: readonly TraceStep[], lost: number): void {
    const cameMs = this.#now();
    for (const step of steps) {
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push({ step, cameMs });
      else this.#lost++;
    }
    this.#lost += lost;
  }

  begin(open: OpenTrace): void {
    this.#open = open;
    this.#endMs = this.#now() + TRACE_MS;
    // The client may be gone before it could be answered.
    this.#absent = setTimeout(() => this.closed(), ATTACH_MS);
  }

  attach(client: HttpStreamClient): HttpStreamEvents {
    clearTimeout(this.#absent);
    this.#client = client;
    this.#write(': tracing\n\n');
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    return this;
  }

  closed(): void {
    clearTimeout(this.#absent);
    clearInterval(this.#ticking);
    this.#client = null;
    this.#waiting = [];
    this.#open?.close().catch(() => undefined);
    this.#open = null;
  }

  #tick(): void {
    const nowMs = this.#now();
    this.#tell(nowMs);
    if (nowMs >= this.#endMs) {
      this.#event('end', { reason: 'ten minutes are over' });
      this.#client?.end();
    } else if (nowMs - this.#writtenMs >= HEARTBEAT_MS) {
      this.#write(':\n\n');
    }
  }

  /** Writes what has waited long enough, and what comes before it. */
  #tell(nowMs: number): void {
    const waiting = this.#waiting.sort((a, b) => a.step.atMs - b.step.atMs);
    const last = waiting.findLastIndex(({ cameMs }) => cameMs <= nowMs - ORDER_MS);
    for (const { step } of waiting.splice(0, last + 1)) {
      if ((this.#client?.bufferedBytes() ?? 0) > BUFFERED_BYTES_MAX) this.#lost++;
      else this.#event(step.event, step.data);
    }
    if (this.#lost === 0 || (this.#client?.bufferedBytes() ?? 0) > BUFFERED_BYTES_MAX) return;
    this.#event('lost', { steps: this.#lost });
    this.#lost = 0;
  }

  #event(name: string, data: object): void {
    this.#write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #write(text: string): void {
    this.#writtenMs = this.#now();
    this.#client?.write(text);
  }
}
