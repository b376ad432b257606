import type { Logger, Notification, Notifier } from '@ws-gateway/core';
import { createGrpcApi, type GrpcApi, type GrpcApiOptions } from '../../src/index.js';
import { TestClient, type TestClientOptions } from './clients.js';

interface Sent {
  readonly to: string;
  readonly hub: string | null;
  readonly notification: Notification;
}

/** Records what it is given; `answer` decides how a call ends. */
class RecordingNotifier implements Notifier {
  readonly sent: Sent[] = [];
  answer: () => Promise<void> = () => Promise.resolve();

  broadcast(notification: Notification, hub: string | null): Promise<void> {
    return this.#take({ to: 'all', hub, notification });
  }

  notifyRoom(room: string, notification: Notification, hub: string | null): Promise<void> {
    return this.#take({ to: `room ${room}`, hub, notification });
  }

  privateNotify(user: string, notification: Notification, hub: string | null): Promise<void> {
    return this.#take({ to: `user ${user}`, hub, notification });
  }

  #take(sent: Sent): Promise<void> {
    this.sent.push(sent);
    return this.answer();
  }
}

/** Keeps what was logged as "level message". */
class RecordingLogger implements Logger {
  readonly lines: string[] = [];
  error = (message: string): void => void this.lines.push(`error ${message}`);
  warn = (message: string): void => void this.lines.push(`warn ${message}`);
  info = (message: string): void => void this.lines.push(`info ${message}`);
  debug = (message: string): void => void this.lines.push(`debug ${message}`);
  child = (): Logger => this;
}

/** A running API with its clients; `close` ends all of it. */
export class TestApi {
  readonly notifier = new RecordingNotifier();
  readonly logger = new RecordingLogger();
  readonly api: GrpcApi;
  ports: number[] = [];
  readonly #clients: TestClient[] = [];

  constructor(options: Partial<GrpcApiOptions> = {}) {
    const defaults = {
      ports: [{ port: 0, hub: null }],
      host: '127.0.0.1',
      token: '',
      tls: null,
      maxMessageBytes: 65_536,
    };
    this.api = createGrpcApi({ notifier: this.notifier, logger: this.logger }, { ...defaults, ...options });
  }

  static async start(options: Partial<GrpcApiOptions> = {}): Promise<TestApi> {
    const started = new TestApi(options);
    started.ports = await started.api.start();
    return started;
  }

  client(service: string, options: TestClientOptions & { readonly place?: number } = {}): TestClient {
    const { place = 0, ...rest } = options;
    const client = new TestClient(service, this.ports[place] ?? 0, rest);
    this.#clients.push(client);
    return client;
  }

  notifications(options: TestClientOptions & { readonly place?: number } = {}): TestClient {
    return this.client('notificationspb.NotificationService', options);
  }

  health(options: TestClientOptions = {}): TestClient {
    return this.client('grpc.health.v1.Health', options);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.api.stop(0);
  }
}
