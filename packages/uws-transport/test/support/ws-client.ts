import WebSocket, { type ClientOptions } from 'ws';
import { until } from './test-edge.js';

/** A proper client (package `ws`) that remembers what it saw. */
export class WsClient {
  readonly socket: WebSocket;
  readonly messages: string[] = [];
  close: { code: number; reason: string } | null = null;
  opened = false;
  pings = 0;

  private constructor(url: string, options: ClientOptions) {
    this.socket = new WebSocket(url, options);
    this.socket.on('message', (data: Buffer) => this.messages.push(data.toString()));
    this.socket.on('open', () => (this.opened = true));
    this.socket.on('ping', () => this.pings++);
    this.socket.on('close', (code, reason) => (this.close = { code, reason: reason.toString() }));
    // A failed handshake is told by the close that follows.
    this.socket.on('error', () => (this.close ??= { code: 1006, reason: 'failed' }));
  }

  static open(port: number, path = '/ws'): Promise<WsClient> {
    return WsClient.connect(`ws://127.0.0.1:${port}${path}`);
  }

  static async connect(url: string, options: ClientOptions = {}): Promise<WsClient> {
    const client = new WsClient(url, options);
    await until(() => client.opened || client.close !== null, 'the socket opened');
    if (!client.opened) throw new Error('the handshake failed');
    return client;
  }

  async closed(): Promise<{ code: number; reason: string }> {
    await until(() => this.close !== null, 'the client saw the close');
    return this.close!;
  }
}
