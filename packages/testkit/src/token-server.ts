import { generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { HttpServer } from './http-server.js';

export interface TokenQuestion {
  readonly authorization: string;
  readonly form: Readonly<Record<string, string>>;
}

/** An OAuth 2.0 server for one client: `/token` gives tokens for its credentials, `/jwks` the key that checks them. */
export class TokenServer extends HttpServer {
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

  private constructor(lifeSeconds: number) {
    super();
    this.lifeSeconds = lifeSeconds;
  }

  static start(lifeSeconds: number): Promise<TokenServer> {
    return new TokenServer(lifeSeconds).listen();
  }

  protected override async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
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
