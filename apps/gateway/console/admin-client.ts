const KEY = 'ws-gateway.admin-token';

/** A refusal of the admin API, in its own words. */
export class AdminRefusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Calls the admin API with the token of this tab. The token is kept for the tab only, and goes nowhere but to this
 * node.
 */
export class AdminClient {
  #token = sessionStorage.getItem(KEY) ?? '';

  get hasToken(): boolean {
    return this.#token !== '';
  }

  use(token: string): void {
    this.#token = token;
    if (token === '') sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  }

  /**
   * Makes one call; `path` is below /api/. Rejects with AdminRefusal, or with what fetch rejects with when the node
   * does not answer.
   */
  async call<Answer>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: string): Promise<Answer> {
    const response = await this.#fetch(path, { method, ...(body === undefined ? {} : { body }) });
    if (response.ok) return (await response.json()) as Answer;
    throw await refusalOf(response);
  }

  /** Asks for an answer that goes on. */
  async open(path: string, signal: AbortSignal): Promise<Response> {
    const response = await this.#fetch(path, { signal });
    if (response.ok) return response;
    throw await refusalOf(response);
  }

  async #fetch(path: string, options: RequestInit): Promise<Response> {
    try {
      return await fetch(`api/${path}`, { ...options, headers: { authorization: `Bearer ${this.#token}` } });
    } catch (cause) {
      // What browsers say here differs, and tells nobody anything.
      throw new Error('this node does not answer', { cause });
    }
  }
}

async function refusalOf(response: Response): Promise<AdminRefusal> {
  const { error } = (await response.json()) as { error?: { code: string; message: string } };
  return new AdminRefusal(error?.code ?? '', error?.message ?? `status ${response.status}`);
}
