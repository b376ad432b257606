import type * as ClientPackage from '@ws-gateway/client';
import type { Client, Message, SavedPositions } from '@ws-gateway/client';
import { byId, el, onSubmit, setTone, type Tone } from './dom.js';
import { parseExact } from './exact-json.js';
import { FrameList } from './frames.js';
import type { Settings } from './settings.js';
import { StreamTable } from './streams.js';

// The package under the address it is served at: a bare name would need an import map, which is a script in the page.
const clientUrl = new URL('./client/index.js', import.meta.url).href;
const { createClient } = (await import(clientUrl)) as typeof ClientPackage;

const TOKEN_KEY = 'ws-gateway.token';

/** The form, the connection that it makes, its streams and its frames. */
export class LiveConnection {
  readonly #token = byId('token', HTMLInputElement);
  readonly #topics = byId('topics', HTMLInputElement);
  readonly #disconnectButton = byId('disconnect', HTMLButtonElement);
  readonly #frames = new FrameList();
  readonly #streams = new StreamTable();
  #client: Client | null = null;
  /** Number of the latest click: a second click takes the place of the first before that has had its effect. */
  #turn = 0;
  /** Positions of the last connection, with the token they belong to: another user's are of no use. */
  #left: { readonly token: string; readonly positions: SavedPositions } | null = null;

  constructor(settings: Settings, given: URLSearchParams) {
    if (settings.sockets !== null) {
      const { port, tls } = settings.sockets;
      byId('endpoint', HTMLInputElement).value = `${tls ? 'wss' : 'ws'}://${location.hostname}:${port}/ws`;
    }
    this.#token.value = given.get('token') ?? sessionStorage.getItem(TOKEN_KEY) ?? '';
    this.#topics.value = given.get('topics') ?? settings.topics.slice(0, 1).join('');
    byId('topic-names').append(...settings.topics.map((name) => option(name)));
    onSubmit(byId('connect', HTMLFormElement), () => this.#connect());
    this.#disconnectButton.addEventListener('click', () => void this.#client?.close());
    if (settings.role === 'router') this.#note('This node is a router: it takes no connections.', 'warn');
    else if (given.has('token')) void this.#connect();
  }

  async #connect(): Promise<void> {
    // The old connection ends first: the next one resumes where it was.
    const turn = ++this.#turn;
    await this.#client?.close();
    if (turn !== this.#turn) return;
    this.#note('', 'plain');
    const token = this.#token.value.trim();
    sessionStorage.setItem(TOKEN_KEY, token);
    const resumes = byId('resume', HTMLInputElement).checked && this.#left?.token === token;
    try {
      const client = createClient({
        url: byId('endpoint', HTMLInputElement).value,
        token,
        topics: names(this.#topics.value),
        parse: parseExact,
        ...(resumes && this.#left !== null ? { positions: this.#left.positions } : {}),
      });
      this.#listen(client, token);
    } catch (error) {
      this.#note((error as Error).message, 'bad');
    }
  }

  #listen(client: Client, token: string): void {
    this.#client = client;
    this.#state('connecting', 'plain');
    this.#disconnectButton.disabled = false;
    client.on('connected', (connected) => {
      this.#state(`connected as ${connected.user ?? 'a guest'}`, 'good');
      this.#note('', 'plain');
      this.#streams.connected(connected);
      this.#told('connected', `to ${connected.node} as connection ${connected.connection}`);
    });
    client.on('recovered', (news) => {
      this.#streams.resumed(news);
      // The table says enough about streams where nothing happened.
      if (news.replayed > 0) this.#told('recovered', `${news.stream}: nothing is missing, ${news.replayed} replayed`);
    });
    client.on('lost', (news) => {
      this.#streams.resumed(news);
      this.#told('lost', `${news.stream}: something may be missing (${news.why}), ${news.replayed} replayed`);
    });
    client.on('message', (message) => this.#message(message));
    client.on('disconnected', ({ code, reason }) => this.#told('disconnected', `${code} ${reason}`));
    client.on('reconnecting', ({ delayMs }) => {
      this.#state(`reconnecting in ${(delayMs / 1000).toFixed(1)} s`, 'warn');
    });
    client.on('error', ({ message }) => this.#note(message, 'warn'));
    client.on('refused', ({ code, message }) => this.#told('refused', `${code}: ${message}`));
    client.on('closed', ({ code, reason, why, refusal }) => {
      this.#left = { token, positions: client.positions() };
      if (why !== 'client') this.#told('closed', `for good (${why})`);
      this.#client = null;
      this.#disconnectButton.disabled = true;
      if (why === 'client') this.#state('not connected', 'plain');
      else this.#state(`closed: ${code} ${refusal?.message ?? reason}`, 'bad');
    });
  }

  #message(message: Message): void {
    const replayed = this.#streams.message(message);
    this.#frames.add({
      at: new Date(),
      kind: replayed ? 'replayed' : 'frame',
      name: message.event,
      offset: message.offset ?? null,
      text: JSON.stringify(message.payload),
      detail: () => JSON.stringify(message, null, 2),
    });
  }

  #told(name: string, text: string): void {
    this.#frames.add({ at: new Date(), kind: 'told', name, offset: null, text: text.trim(), detail: null });
  }

  #state(text: string, tone: Tone): void {
    setTone(byId('live-state'), text.trim(), tone);
  }

  #note(text: string, tone: Tone): void {
    setTone(byId('live-note'), text, tone);
  }
}

function names(text: string): string[] {
  return text.split(/[\s,]+/).filter((name) => name !== '');
}

function option(name: string): HTMLOptionElement {
  const element = el('option');
  element.value = name;
  return element;
}
