/** Why what was posted was not taken. */
export interface PostFailure {
  /** Reason for the log: the status, or what the network says. */
  readonly reason: string;
  /** null: there was no answer. */
  readonly status: number | null;
}

/** An address that takes JSON by POST. A user and password in it are sent as HTTP authentication. */
export class JsonEndpoint {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(address: string) {
    // fetch refuses credentials in a URL.
    const url = new URL(address);
    const { username, password } = url;
    url.username = '';
    url.password = '';
    this.#url = url.href;
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    this.#headers = { 'content-type': 'application/json', ...(credentials === ':' ? {} : { authorization }) };
  }

  /** Resolves to null when it was taken. Never rejects. */
  async post(body: object, timeoutMs: number): Promise<PostFailure | null> {
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const request = { method: 'POST', headers: this.#headers, body: JSON.stringify(body), signal };
      const answer = await fetch(this.#url, request);
      await answer.arrayBuffer();
      return answer.ok ? null : { reason: `status ${answer.status}`, status: answer.status };
    } catch (error) {
      return { reason: reasonOf(error), status: null };
    }
  }
}

/** Names the reason. fetch tells what is wrong only in the cause. */
function reasonOf(error: unknown): string {
  const { name, cause } = error as Error & { cause?: { code?: unknown } };
  return typeof cause?.code === 'string' ? cause.code : name;
}
