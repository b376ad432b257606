import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { LoadSocket, nowMicros, type SocketTarget } from '@ws-gateway/load-generator';

export interface TimedHandshake {
  readonly startMicros: number;
  /** Time from the request to the first frame. */
  readonly tookMs: number;
  /** Part of it in which the clock itself waited for its core. */
  readonly waitedMs: number;
}

/** Makes one handshake after the other, cuts each as soon as its first frame has come, and keeps how long it took. */
export class HandshakeClock {
  readonly #targets: readonly SocketTarget[];
  readonly #pauseMs: number;
  readonly #done: Promise<void>;
  #handshakes: TimedHandshake[] = [];
  readonly #stopping = new AbortController();

  /** The targets have turns. */
  constructor(targets: readonly SocketTarget[], { pauseMs }: { pauseMs: number }) {
    this.#targets = targets;
    this.#pauseMs = pauseMs;
    this.#done = this.#run();
    // A failure is told by `stop`.
    this.#done.catch(() => undefined);
  }

  /** The handshakes since the last call. */
  take(): TimedHandshake[] {
    const taken = this.#handshakes;
    this.#handshakes = [];
    return taken;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    for (let n = 0; !this.#stopping.signal.aborted; n++) {
      const waitedBeforeMs = waitedForCoreMs();
      const startMicros = nowMicros();
      await handshake(this.#targets[n % this.#targets.length]!);
      const tookMs = (nowMicros() - startMicros) / 1000;
      this.#handshakes.push({ startMicros, tookMs, waitedMs: waitedForCoreMs() - waitedBeforeMs });
      await delay(this.#pauseMs);
    }
  }
}

function handshake(target: SocketTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    new LoadSocket(0, target, {
      frame: (socket) => {
        socket.destroy();
        resolve();
      },
      closed: (_socket, why) => reject(new Error(`a handshake failed: ${why}`)),
    });
  });
}

/** Time in which this process's main thread could have run, and did not, since its start: the kernel counts it. */
function waitedForCoreMs(): number {
  const [, waitedNs] = readFileSync('/proc/self/schedstat', 'utf8').split(' ');
  return Number(waitedNs) / 1e6;
}
