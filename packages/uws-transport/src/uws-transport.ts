import {
  HANDSHAKES_IN_FLIGHT_MAX,
  PingWheel,
  type EdgeHandler,
  type HttpServer,
  type Logger,
  type Refusal,
  type RouteHandler,
  type Transport,
} from '@ws-gateway/core';
import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  WebSocket,
  WebSocketBehavior,
} from 'uWebSockets.js';
import { loadAddon } from './addon.js';
import { AppPool, type TlsFiles } from './app-pool.js';
import { closeOf } from './close-code.js';
import { CorkCarrier } from './cork-carrier.js';
import { DeferredTasks } from './deferred-tasks.js';
import type { RequestObserver } from './exchange.js';
import { idleTimeoutSeconds, pingIntervalMs } from './heartbeat.js';
import { copyHead, type ProxyTrust, type RequestHead } from './http-request.js';
import { HttpRoutes } from './http-routes.js';
import { bindListeners, closeListener, listenError, portOf } from './listener.js';
import { asksForWebSocket, Upgrader } from './upgrade.js';
import type { SocketData, UwsSocket } from './uws-socket.js';

export interface UwsTransportOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** A handshake that takes longer is answered 503. Sending the request itself may take 10 s (uWebSockets.js's own). */
  readonly handshakeTimeoutMs: number;
  /** A client that takes longer to receive an HTTP answer is cut off. */
  readonly writeTimeoutMs: number;
  /** A longer message closes the socket with 1009. */
  readonly maxPayloadBytes: number;
  /** A silent peer is pinged about this often and dropped (1006) if it doesn't answer. */
  readonly heartbeatMs: number;
  readonly tls?: TlsFiles | undefined;
  /** Handshakes the edge may think about at once; more are answered 503. Default HANDSHAKES_IN_FLIGHT_MAX. */
  readonly maxHandshakesInFlight?: number | undefined;
  /** Largest body of an HTTP request; more is answered 413. Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Several processes share the port (SO_REUSEPORT). Default: a port that is taken is an error. */
  readonly reusePort?: boolean | undefined;
  /** The peers whose PROXY header (version 2) is believed. Default: none, headers are skipped. */
  readonly proxyProtocol?: ProxyTrust | undefined;
  /** Paths that speak WebSocket: a plain request there is answered 426 instead of 404. */
  readonly isEndpoint?: ((path: string) => boolean) | undefined;
  /** Answer to a request for any other path. Default: `unknown_endpoint`. */
  readonly unknownEndpoint?: ((path: string) => Refusal) | undefined;
  readonly onRequest?: RequestObserver | undefined;
  /** Called for each connection that was ended unheard for want of descriptors. */
  readonly onDropped?: (() => void) | undefined;
  /** Called with what a handler threw. The socket concerned is closed with 1011. Default: logged. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

const MAX_BODY_BYTES = 1024 * 1024;

/**
 * How much more than `maxPayloadBytes` is still read. uWebSockets.js drops the connection without a close frame (the
 * client sees 1006) when its own limit is passed; so its limit lies higher, and in between the client is told 1009. It is
 * also what a message that is never finished may hold, so it goes with what is configured.
 */
const OVERSIZE_BYTES_MAX = 1024 * 1024;
const OVERSIZE_FACTOR = 16;

export function createUwsTransport(handler: EdgeHandler, options: UwsTransportOptions, logger: Logger): UwsTransport {
  return new UwsTransport(handler, options, logger);
}

/**
 * WebSocket and HTTP on one port. Drives the EdgeHandler, whose calls come one at a time; an exception in one of them
 * closes that socket (1011) and nothing else.
 */
export class UwsTransport implements Transport, HttpServer {
  readonly #handler: EdgeHandler;
  readonly #options: UwsTransportOptions;
  readonly #onError: (error: unknown) => void;
  readonly #apps: AppPool;
  readonly #carrier: CorkCarrier;
  readonly #routes: HttpRoutes;
  readonly #upgrader: Upgrader;
  readonly #pings: PingWheel;
  #listeners: us_listen_socket[] = [];
  #closed = false;

  constructor(handler: EdgeHandler, options: UwsTransportOptions, logger: Logger) {
    const {
      handshakeTimeoutMs,
      writeTimeoutMs,
      maxPayloadBytes,
      onRequest: observe,
      isEndpoint = () => false,
    } = options;
    const onError = options.onError ?? ((error) => logger.error('transport callback failed', { error }));
    this.#handler = handler;
    this.#options = options;
    this.#onError = onError;
    this.#pings = new PingWheel(pingIntervalMs(options.heartbeatMs));
    this.#carrier = new CorkCarrier(logger);
    const tasks = new DeferredTasks(onError);
    this.#routes = new HttpRoutes(tasks, {
      maxBodyBytes: options.maxBodyBytes ?? MAX_BODY_BYTES,
      writeTimeoutMs,
      isEndpoint,
      unknownEndpoint: options.unknownEndpoint,
      observe,
      onError,
    });
    const maxHandshakesInFlight = options.maxHandshakesInFlight ?? HANDSHAKES_IN_FLIGHT_MAX;
    this.#upgrader = new Upgrader(
      handler,
      { transport: this, tasks, carrier: this.#carrier },
      { handshakeTimeoutMs, writeTimeoutMs, maxPayloadBytes, maxHandshakesInFlight, isEndpoint, observe, onError },
    );
    this.#apps = new AppPool(options.tls, (app, socketClosed) => this.#serve(app, socketClosed), {
      isAnswering: () => tasks.areWaiting,
      onDropped: options.onDropped ?? (() => undefined),
    });
  }

  route(method: string, path: string, handle: RouteHandler): this {
    this.#routes.add(method, path, handle);
    return this;
  }

  /** Rejects with TransportError `address_in_use` or `cannot_listen`. */
  async listen(): Promise<{ port: number }> {
    const { host, port, reusePort = false } = this.#options;
    await this.#carrier.start();
    this.#listeners = bindListeners(this.#apps.listening, { host, port, reusePort });
    const [listener] = this.#listeners;
    if (listener === undefined) throw await listenError(host, port);
    return { port: portOf(listener) };
  }

  /**
   * Reads the certificate and its key again, for connections that come from now on. Throws TransportError
   * `bad_certificate`, and then all stays as it was. Without TLS there is nothing to do.
   */
  renewCertificate(): void {
    if (this.#options.tls !== undefined) this.#apps.renew(this.#options.tls);
  }

  /**
   * True: the process has hardly any descriptor left. Until that is over, connections that come have a second at most, and no
   * client is let in.
   */
  setShort(isShort: boolean): void {
    this.#apps.setShort(isShort);
  }

  /** No new connections from here on; the open ones live on, and what comes over them is still served. */
  stopListening(): void {
    for (const listener of this.#listeners) closeListener(listener);
    this.#listeners = [];
  }

  /** Kills what is left, without close frames: `closed` is called with 1006 for each. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Never from within a callback of uWebSockets.js: it would go on with the socket it is working on.
    await new Promise((resolve) => setImmediate(resolve));
    this.#pings.stop();
    this.#upgrader.stop();
    this.stopListening();
    this.#apps.close();
    this.#carrier.close();
  }

  /**
   * Frames for one socket that are published within one loop turn leave in one system call, at its end. A frame sent to
   * a socket directly does not overtake what was published before.
   */
  publish(group: string, frame: Uint8Array): void {
    this.#apps.publish(group, frame);
  }

  #serve(app: TemplatedApp, socketClosed: (() => void) | null): void {
    const isShort = socketClosed === null;
    app.ws('/*', this.#behavior(socketClosed));
    app.any('/*', (res, req) => {
      const head = this.#headOf(res, req, isShort);
      if (asksForWebSocket(head)) this.#upgrader.handle(res, head, null, isShort);
      else this.#routes.handle(res, head);
    });
  }

  #behavior(socketClosed: (() => void) | null): WebSocketBehavior<SocketData> {
    const { maxPayloadBytes, heartbeatMs } = this.#options;
    const isShort = socketClosed === null;
    return {
      maxPayloadLength: Math.min(maxPayloadBytes * OVERSIZE_FACTOR, maxPayloadBytes + OVERSIZE_BYTES_MAX),
      idleTimeout: idleTimeoutSeconds(heartbeatMs),
      // They would go out in one burst to all that came together.
      sendPingsAutomatically: false,
      // 0 means no limit. With one, uWebSockets.js skips a slow socket in silence; the edge bounds backlogs itself.
      maxBackpressure: 0,
      closeOnBackpressureLimit: false,
      // A compressed publish is deflated once for each subscriber.
      compression: loadAddon().DISABLED,
      upgrade: (res, req, context) => {
        const head = this.#headOf(res, req, isShort);
        // It is called for whatever has a key of 24 characters.
        if (asksForWebSocket(head)) this.#upgrader.handle(res, head, context, isShort);
        else this.#routes.handle(res, head);
      },
      open: (ws) => this.#opened(ws),
      message: (ws, data, isBinary) => this.#guard(socketOf(ws), (socket) => this.#message(socket, data, isBinary)),
      ping: (ws) => this.#guard(socketOf(ws), (socket) => this.#signalled(socket)),
      pong: (ws) => this.#guard(socketOf(ws), (socket) => this.#signalled(socket)),
      drain: (ws) => this.#guard(socketOf(ws), (socket) => this.#drained(socket)),
      close: (ws, code, reason) => {
        socketClosed?.();
        this.#guard(socketOf(ws), (socket) => this.#socketClosed(socket, code, reason));
      },
    };
  }

  /** `isShort`: the connection ends with the answer, because the next one waits for its descriptor. */
  #headOf(res: HttpResponse, req: HttpRequest, isShort: boolean): RequestHead {
    const head = copyHead(res, req, this.#options.proxyProtocol);
    return isShort ? { ...head, keepAlive: false } : head;
  }

  #opened(ws: WebSocket<SocketData>): void {
    const socket = socketOf(ws);
    socket.attach(ws);
    this.#pings.add(socket);
  }

  #guard(socket: UwsSocket, call: (socket: UwsSocket) => void): void {
    socket.guard(call, this.#onError);
  }

  #message(socket: UwsSocket, data: ArrayBuffer, isBinary: boolean): void {
    socket.heard();
    if (isBinary) socket.end(1003, 'text frames only');
    else if (data.byteLength > this.#options.maxPayloadBytes) socket.end(1009, 'message too big');
    else if (socket.connection === null) socket.waiting?.hold(data);
    else this.#handler.message(socket.connection, data);
  }

  #signalled(socket: UwsSocket): void {
    const close = socket.signalled();
    if (close === null) return;
    if (socket.connection === null) socket.end(close.code, close.reason);
    else this.#handler.abused(socket.connection, close.code, close.reason);
  }

  #drained({ connection }: UwsSocket): void {
    if (connection !== null) this.#handler.drained(connection);
  }

  #socketClosed(socket: UwsSocket, code: number, reason: ArrayBuffer): void {
    this.#pings.remove(socket);
    socket.detach();
    if (socket.connection === null) return socket.waiting?.closed();
    const close = closeOf(code, Buffer.from(reason).toString());
    this.#handler.closed(socket.connection, close.code, close.reason);
  }
}

function socketOf(ws: WebSocket<SocketData>): UwsSocket {
  return ws.getUserData().socket;
}
