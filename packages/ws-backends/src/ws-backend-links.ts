import type { BackendLinks, CloseReason, EdgeStats, Logger, PipeClient, PipeHost } from '@ws-gateway/core';
import { BackendLink } from './backend-link.js';
import { BackendLinksError } from './backend-links-error.js';
import { withDefaults, type WsBackendLinksOptions } from './options.js';

/** Implements BackendLinks over ws: one WebSocket for each backend. */
export class WsBackendLinks implements BackendLinks {
  readonly #links: ReadonlyMap<string, BackendLink>;

  /** Throws BackendLinksError for a URL that no WebSocket can be opened to. */
  constructor(deps: { stats: EdgeStats; logger: Logger }, options: WsBackendLinksOptions) {
    const settings = withDefaults(options);
    const links = options.backends.map((backend): [string, BackendLink] => {
      const { name, url } = backend;
      checkUrl(name, url);
      const link = { stats: deps.stats.link(name), logger: deps.logger.child({ backend: name }) };
      return [name, new BackendLink(backend, link, settings)];
    });
    this.#links = new Map(links);
  }

  start(host: PipeHost): void {
    for (const link of this.#links.values()) link.start(host);
  }

  accepts(pipe: string): boolean {
    return this.#link(pipe).accepts;
  }

  opened(pipe: string, client: PipeClient): boolean {
    return this.#link(pipe).opened(client);
  }

  message(pipe: string, client: PipeClient, message: string): boolean {
    return this.#link(pipe).message(client, message);
  }

  closed(pipe: string, client: PipeClient, close: CloseReason): void {
    this.#link(pipe).closed(client, close);
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#links.values(), (link) => link.close()));
  }

  #link(pipe: string): BackendLink {
    const link = this.#links.get(pipe);
    if (link === undefined) throw new Error(`no backend is called ${pipe}`);
    return link;
  }
}

/** Checks the URL, because ws would throw only at the first attempt. */
function checkUrl(name: string, url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed !== null && ['ws:', 'wss:'].includes(parsed.protocol) && parsed.hash === '') return;
  throw new BackendLinksError('bad_url', `backends.ws: the url of ${name} must be ws:// or wss:// without a fragment`);
}
