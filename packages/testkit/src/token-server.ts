import { generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface TokenQuestion {
  readonly authorization: string;
  readonly form: Readonly<Record<string, string>>;
}

/** An OAuth 2.0 server for one client: `/token` gives tokens for its credentials, `/jwks` the key that checks them. */
export class TokenServer {
  static readonly client = { clientId: 'gate:way', clientSecret: 'token-secret/+%' } as const;
  static readonly audience = 'kafka';

  /** How long tokens live from now on, s. */
  lifeSeconds: number;
  /** Tokens are signed with a key that nobody knows. */
  forging = false;
  /** Every question is answered with this status. */
  failingWith: number | null = null;
  /** The questions so far. */
  readonly questions: TokenQuestion[] = [];
  readonly #keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  readonly #stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  readonly #keyId = randomUUID();
  readonly #server: Server;

  private constructor(lifeSeconds: number) {
    this.lifeSeconds = lifeSeconds;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(lifeSeconds: number): Promise<TokenServer> {
    const server = new TokenServer(lifeSeconds);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.url === '/jwks') return say(200, { keys: [this.#publicKey()] });
    const form = Object.fromEntries(new URLSearchParams(await text(request)));
    const { authorization = '' } = request.headers;
    this.questions.push({ authorization, form });
    if (this.failingWith !== null) return say(this.failingWith, { error: 'out_of_order' });
    if (authorization !== expectedAuthorization()) return say(401, { error: 'invalid_client' });
    say(200, { access_token: this.#token(), token_type: 'Bearer', expires_in: this.lifeSeconds });
  }

  #publicKey(): object {
    return { ...this.#keys.publicKey.export({ format: 'jwk' }), kid: this.#keyId, alg: 'RS256', use: 'sig' };
  }

  #token(): string {
    const iat = Math.floor(Date.now() / 1000);
    const own = { iss: this.url, aud: TokenServer.audience, sub: TokenServer.client.clientId, jti: randomUUID() };
    const claims = { ...own, iat, exp: iat + this.lifeSeconds };
    return signed(claims, this.#keyId, this.forging ? this.#stranger : this.#keys.privateKey);
  }
}

function expectedAuthorization(): string {
  const { clientId, clientSecret } = TokenServer.client;
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

function signed(claims: object, kid: string, key: KeyObject): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const body = `${encode({ alg: 'RS256', typ: 'JWT', kid })}.${encode(claims)}`;
  return `${body}.${sign('sha256', Buffer.from(body), key).toString('base64url')}`;
}
