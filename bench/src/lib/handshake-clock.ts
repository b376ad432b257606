import { setTimeout as delay } from 'node:timers/promises';
import { LoadSocket, nowMicros, type SocketTarget } from '@ws-gateway/load-generator';

export interface TimedHandshake {
  readonly startMicros: number;
  /** Time from the request to the first frame. */
  readonly tookMs: number;
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
      const startMicros = nowMicros();
      await handshake(this.#targets[n % this.#targets.length]!);
      this.#handshakes.push({ startMicros, tookMs: (nowMicros() - startMicros) / 1000 });
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
