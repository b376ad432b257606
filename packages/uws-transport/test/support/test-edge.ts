import type {
  Admission,
  Arrival,
  Attempt,
  EdgeHandler,
  Handshake,
  Logger,
  Reception,
  Refusal,
  Socket,
  TransportConnection,
} from '@ws-gateway/core';
import { createUwsTransport, type UwsTransport, type UwsTransportOptions } from '../../src/index.js';

/** A connection of the test edge: what was reported for it, in order. */
export class TestConnection {
  readonly path: string;
  socket: Socket | null = null;
  readonly messages: string[] = [];
  drained = 0;
  readonly closes: { code: number; reason: string }[] = [];

  constructor(path: string) {
    this.path = path;
  }
}

interface TestArrival extends Arrival {
  readonly handshake: Handshake;
}

/** Admits everything after a turn of the event loop, and records. Tests replace the functions they care about. */
export class TestEdge implements EdgeHandler {
  readonly handshakes: Handshake[] = [];
  readonly connections: TestConnection[] = [];
  /** Codes of refusals that the transport made. */
  readonly refusals: string[] = [];
  /** Selects what it names. */
  select: (handshake: Handshake) => string | null = () => null;
  decide: (handshake: Handshake, attempt: Attempt) => Promise<Admission> = async (handshake) => {
    await new Promise((resolve) => setImmediate(resolve));
    return this.admitted(handshake);
  };
  onConfirm: (connection: TestConnection) => Refusal | null = () => null;
  onOpened: (connection: TestConnection, socket: Socket) => void = () => {};
  onMessage: (connection: TestConnection, text: string) => void = () => {};

  admitted(handshake: Handshake): Admission {
    const connection = new TestConnection(handshake.path);
    this.connections.push(connection);
    return { admitted: true, connection };
  }

  receive(handshake: Handshake): Reception {
    this.handshakes.push(handshake);
    const readsRefusals = handshake.protocols.includes('wsg.v1');
    const protocol = readsRefusals ? 'wsg.v1' : this.select(handshake);
    const arrival: TestArrival = { handshake, readsRefusals, protocol };
    return { received: true, arrival };
  }

  admit(arrival: Arrival, attempt: Attempt): Promise<Admission> {
    return this.decide((arrival as TestArrival).handshake, attempt);
  }

  refused(_: Handshake, { code }: Refusal): void {
    this.refusals.push(code);
  }

  confirm(connection: TransportConnection): Refusal | null {
    return this.onConfirm(connection as TestConnection);
  }

  opened(connection: TransportConnection, socket: Socket): void {
    (connection as TestConnection).socket = socket;
    this.onOpened(connection as TestConnection, socket);
  }

  message(connection: TransportConnection, text: ArrayBuffer): void {
    const message = Buffer.from(text).toString();
    (connection as TestConnection).messages.push(message);
    this.onMessage(connection as TestConnection, message);
  }

  abused(connection: TransportConnection, code: number, reason: string): void {
    (connection as TestConnection).socket!.end(code, reason);
  }

  drained(connection: TransportConnection): void {
    (connection as TestConnection).drained++;
  }

  closed(connection: TransportConnection, code: number, reason: string): void {
    (connection as TestConnection).closes.push({ code, reason });
  }
}

interface Observed {
  readonly method: string;
  readonly route: string;
  readonly status: number;
}

export interface Running {
  readonly edge: TestEdge;
  readonly transport: UwsTransport;
  readonly port: number;
  readonly requests: Observed[];
  readonly errors: unknown[];
  stop(): Promise<void>;
}

const ENDPOINTS = /^\/(ws|web|mobile|websocket\/.*)$/;

const silentLogger: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silentLogger,
};

export function makeTransport(options: Partial<UwsTransportOptions> = {}): Omit<Running, 'port'> {
  const edge = new TestEdge();
  const requests: Observed[] = [];
  const errors: unknown[] = [];
  const transport = createUwsTransport(
    edge,
    {
      host: '127.0.0.1',
      port: 0,
      handshakeTimeoutMs: 5000,
      writeTimeoutMs: 5000,
      maxPayloadBytes: 64 * 1024,
      heartbeatMs: 25_000,
      isEndpoint: (path) => ENDPOINTS.test(path),
      onRequest: (method, route, status) => requests.push({ method, route, status }),
      onError: (error) => errors.push(error),
      ...options,
    },
    silentLogger,
  );
  return { edge, transport, requests, errors, stop: () => transport.close() };
}

export async function startTransport(options: Partial<UwsTransportOptions> = {}): Promise<Running> {
  const made = makeTransport(options);
  const { port } = await made.transport.listen();
  return { ...made, port };
}

/** Waits for a condition, not for a time. */
export async function until(condition: () => boolean, what: string, deadlineMs = 10_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
