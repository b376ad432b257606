import type { TemplatedApp } from 'uWebSockets.js';
import { loadAddon } from './addon.js';
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
 * The apps of uWebSockets.js behind one port. A certificate is an app's for good, so with TLS one app accepts connections
 * and hands each to the app with the newest certificate. A renewal replaces the latter between two connections: none is
 * refused, and sockets that are open stay with the app that they came to.
 */
export class AppPool {
  /** The app that listens. */
  readonly listening: TemplatedApp;
  readonly #serve: (app: TemplatedApp) => void;
  /** Apps that have or had connections, the newest last. */
  readonly #apps: TemplatedApp[] = [];

  /** `serve` gives an app its handlers. Throws TransportError `bad_certificate`. */
  constructor(tls: TlsFiles | undefined, serve: (app: TemplatedApp) => void) {
    this.#serve = serve;
    if (tls === undefined) {
      this.listening = this.#add(loadAddon().App());
    } else {
      this.listening = secureApp(tls);
      this.renew(tls);
    }
  }

  /** Connections that come from now on get the certificate that the files hold now. Throws TransportError `bad_certificate`. */
  renew(tls: TlsFiles): void {
    const before = this.#apps.at(-1);
    const app = this.#add(secureApp(tls));
    accepting(this.listening).addChildAppDescriptor(accepting(app).getDescriptor());
    if (before !== undefined) {
      accepting(this.listening).removeChildAppDescriptor(accepting(before).getDescriptor());
    }
  }

  publish(group: string, frame: Uint8Array): void {
    for (const app of this.#apps) app.publish(group, frame, false, false);
  }

  close(): void {
    this.listening.close();
    for (const app of this.#apps) if (app !== this.listening) app.close();
  }

  #add(app: TemplatedApp): TemplatedApp {
    this.#serve(app);
    this.#apps.push(app);
    return app;
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
