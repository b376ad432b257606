import type { TemplatedApp } from 'uWebSockets.js';
import { loadAddon } from './addon.js';
import { OverflowApps } from './overflow-apps.js';
import { TransportError } from './transport-error.js';

export interface TlsFiles {
  /** Path of the certificate chain, PEM. */
  readonly certFile: string;
  /** Path of the private key, PEM. */
  readonly keyFile: string;
}

/** uWebSockets.js has these for apps in several threads; the package's types lack them. */
interface AcceptingApp {
  getDescriptor(): unknown;
  addChildAppDescriptor(descriptor: unknown): void;
  removeChildAppDescriptor(descriptor: unknown): void;
}

/**
 * Gives an app its handlers; they call `socketClosed` at each end of a WebSocket. null: there shall be none, because the
 * process has hardly any descriptor left.
 */
export type ServeApp = (app: TemplatedApp, socketClosed: (() => void) | null) => void;

/** An app, and how many of its connections are open. */
interface PooledApp {
  readonly app: TemplatedApp;
  connections: number;
  /** A look at the apps has found it replaced and without connections. */
  wasIdle: boolean;
}

const LOOK_MS = 60_000;

interface AppPoolOptions {
  readonly lookMs?: number;
  /** Answers wait to be written. */
  readonly isAnswering: () => boolean;
  /** Called for each connection that was ended unheard for want of descriptors. */
  readonly onDropped: () => void;
}

/**
 * The apps of uWebSockets.js behind one port. A certificate is an app's for good, so with TLS one app accepts connections
 * and hands each to the app with the newest certificate. A renewal replaces the latter between two connections: none is
 * refused, and sockets that are open stay with the app that they came to. One that was replaced is closed when it has no
 * connection left, so there are never more of them than connections.
 */
export class AppPool {
  /** The app that listens. */
  readonly listening: TemplatedApp;
  readonly #serve: ServeApp;
  readonly #options: AppPoolOptions;
  /** App that takes the connections that come; the one that listens, or a child of it. */
  #accepting: TemplatedApp;
  #overflow: OverflowApps | null = null;
  /** Apps that have or had connections, the newest last. */
  #apps: readonly PooledApp[] = [];
  #looking: NodeJS.Timeout | undefined;

  /** Throws TransportError `bad_certificate`. */
  constructor(tls: TlsFiles | undefined, serve: ServeApp, options: AppPoolOptions) {
    this.#serve = serve;
    this.#options = options;
    if (tls === undefined) {
      const app = loadAddon().App();
      this.#add({ app, connections: 0, wasIdle: false });
      this.listening = app;
      this.#accepting = app;
      this.#overflow = this.#makeOverflow(() => loadAddon().App());
    } else {
      this.listening = secureApp(tls);
      this.#accepting = this.listening;
      this.renew(tls);
    }
  }

  /** Connections that come from now on get the certificate that the files hold now. Throws TransportError `bad_certificate`. */
  renew(tls: TlsFiles): void {
    const before = this.#apps.at(-1);
    const pooled: PooledApp = { app: secureApp(tls), connections: 0, wasIdle: false };
    // A connection that becomes a WebSocket is not counted out here.
    pooled.app.filter((_, change) => {
      pooled.connections += Number(change);
    });
    this.#add(pooled);
    if (this.#overflow === null || !this.#overflow.isTaking) {
      this.#overflow?.close();
      this.#overflow = this.#makeOverflow(() => secureApp(tls));
      this.#accept(pooled.app);
    }
    if (before === undefined) return;
    this.#looking ??= setInterval(() => this.#closeIdle(), this.#options.lookMs ?? LOOK_MS).unref();
  }

  publish(group: string, frame: Uint8Array): void {
    for (const { app } of this.#apps) app.publish(group, frame, false, false);
  }

  /** True: the process has hardly any descriptor left, and connections that come from now on have a second at most. */
  setShort(isShort: boolean): void {
    if (isShort) this.#overflow?.start();
    else this.#overflow?.stop();
  }

  close(): void {
    clearInterval(this.#looking);
    this.#overflow?.close();
    this.listening.close();
    for (const { app } of this.#apps) if (app !== this.listening) app.close();
  }

  #makeOverflow(make: () => TemplatedApp): OverflowApps {
    const made = (): TemplatedApp => {
      const app = make();
      this.#serve(app, null);
      return app;
    };
    const accept = (app: TemplatedApp | null): void => this.#accept(app ?? this.#apps.at(-1)!.app);
    return new OverflowApps(made, { ...this.#options, accept });
  }

  /** Connections that come from now on go to the app. */
  #accept(app: TemplatedApp): void {
    const before = this.#accepting;
    if (app === before) return;
    this.#accepting = app;
    if (app !== this.listening) accepting(this.listening).addChildAppDescriptor(accepting(app).getDescriptor());
    if (before !== this.listening)
      accepting(this.listening).removeChildAppDescriptor(accepting(before).getDescriptor());
  }

  #add(pooled: PooledApp): void {
    this.#serve(pooled.app, () => pooled.connections--);
    this.#apps = [...this.#apps, pooled];
  }

  /** Closes one at the second look: a connection may have been on its way to it when it was replaced. */
  #closeIdle(): void {
    const newest = this.#apps.at(-1);
    this.#apps = this.#apps.filter((pooled) => {
      if (pooled === newest || pooled.connections > 0) return true;
      if (pooled.wasIdle) pooled.app.close();
      const isLeft = !pooled.wasIdle;
      pooled.wasIdle = true;
      return isLeft;
    });
    if (this.#apps.length > 1) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }
}

function secureApp({ certFile, keyFile }: TlsFiles): TemplatedApp {
  try {
    return loadAddon().SSLApp({ cert_file_name: certFile, key_file_name: keyFile });
  } catch (cause) {
    throw new TransportError('bad_certificate', `cannot use ${certFile} with ${keyFile}`, { cause });
  }
}

function accepting(app: TemplatedApp): AcceptingApp {
  return app as unknown as AcceptingApp;
}
