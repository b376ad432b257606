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
    const response = await fetch(`api/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}` },
      ...(body === undefined ? {} : { body }),
    });
    const answer = (await response.json()) as Answer & { error?: { code: string; message: string } };
    if (response.ok) return answer;
    throw new AdminRefusal(answer.error?.code ?? '', answer.error?.message ?? `status ${response.status}`);
  }
}
