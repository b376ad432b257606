/** Entry point of the process that holds clients of one topic: WebSockets, or streams of server-sent events. */
import { connect, type Socket } from 'node:net';
import { LoadSocket, serveParent, type SocketListener } from '@ws-gateway/load-generator';

export interface TransportTask {
  readonly kind: 'websocket' | 'sse';
  readonly host: string;
  readonly port: number;
  readonly topic: string;
  /** Tokens, one for each client. */
  readonly tokens: readonly string[];
}

interface Counting {
  /** Messages of the topic that came. */
  count: number;
  destroy(): void;
}

/** What each message of the topic has once, and nothing else has. */
const MARK = '"offset":';

class CountingSocket implements Counting, SocketListener {
  count = 0;
  readonly connected = Promise.withResolvers<void>();
  readonly #socket: LoadSocket;

  constructor(task: TransportTask, at: number) {
    const { host, port, topic, tokens } = task;
    this.#socket = new LoadSocket(at, { host, port, path: `/ws?topics=${topic}`, token: tokens[at]! }, this);
  }

  frame(_socket: LoadSocket, bytes: Buffer, { start, end }: { start: number; end: number }): void {
    if (bytes.toString('latin1', start, start + 64).includes('"event":"connected"')) this.connected.resolve();
    else if (bytes.lastIndexOf(MARK, end) >= start) this.count++;
  }

  closed(_socket: LoadSocket, why: string): void {
    this.connected.reject(new Error(why));
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** Counts messages in the bytes of the answer; a mark that two reads part is found in the next one. */
class CountingStream implements Counting {
  count = 0;
  readonly connected = Promise.withResolvers<void>();
  readonly #socket: Socket;
  #rest = '';
  #isConnected = false;

  constructor({ host, port, topic, tokens }: TransportTask, at: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => this.#take(this.#rest + text));
    this.#socket.once('error', (error) => this.connected.reject(error));
    this.#socket.once('close', () => this.connected.reject(new Error('the stream ended')));
    this.#socket.write(
      `GET /sse?topics=${topic} HTTP/1.1\r\nHost: ${host}:${port}\r\nAccept: text/event-stream\r\n` +
        `Authorization: Bearer ${tokens[at]!}\r\n\r\n`,
    );
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    if (!this.#isConnected) {
      this.#rest = text;
      const end = text.indexOf('\n\n', text.indexOf('event: connected'));
      if (!text.includes('event: connected') || end < 0) return;
      this.#isConnected = true;
      this.connected.resolve();
      this.#rest = text.slice(end);
      return;
    }
    let from = 0;
    for (let at = text.indexOf(MARK); at >= 0; at = text.indexOf(MARK, from)) {
      this.count++;
      from = at + MARK.length;
    }
    this.#rest = text.slice(Math.max(from, text.length - MARK.length + 1));
  }
}

let clients: (CountingSocket | CountingStream)[] = [];

serveParent({
  async connect(task: TransportTask) {
    const Client = task.kind === 'sse' ? CountingStream : CountingSocket;
    clients = [];
    for (let at = 0; at < task.tokens.length; at++) {
      const client = new Client(task, at);
      clients.push(client);
      await client.connected.promise;
    }
  },
  /** Smallest and largest number of messages of a client. */
  counts: () => {
    const counts = clients.map(({ count }) => count);
    return { least: Math.min(...counts), most: Math.max(...counts) };
  },
  cut() {
    for (const client of clients) client.destroy();
    clients = [];
  },
});
