import { freePort } from '@ws-gateway/local-servers';
import { startKafka, type OwnServer } from './servers.js';
import { TokenServer } from './token-server.js';

const SECURITY = 'org.apache.kafka.common.security.oauthbearer';
/** Longer than any token of the tests: what ends a session is the token. */
const SESSION_MS_MAX = 600_000;

/**
 * A Kafka with a listener for clients with login tokens (OAUTHBEARER), which ends a session with its token, and a plain
 * one for the test itself.
 */
export class TokenKafka {
  readonly tokens: TokenServer;
  readonly #server: OwnServer;
  readonly #port: number;

  private constructor(tokens: TokenServer, server: OwnServer, port: number) {
    this.tokens = tokens;
    this.#server = server;
    this.#port = port;
  }

  static async start(lifeSeconds: number): Promise<TokenKafka> {
    const tokens = await TokenServer.start(lifeSeconds);
    const port = await freePort();
    const jwks = `${tokens.url}/jwks`;
    const server = await startKafka({
      listeners: [{ name: 'TOKEN', port, protocol: 'SASL_PLAINTEXT' }],
      settings: [
        'listener.name.token.sasl.enabled.mechanisms=OAUTHBEARER',
        `listener.name.token.oauthbearer.sasl.jaas.config=${SECURITY}.OAuthBearerLoginModule required;`,
        `listener.name.token.oauthbearer.sasl.server.callback.handler.class=${SECURITY}.OAuthBearerValidatorCallbackHandler`,
        `listener.name.token.oauthbearer.connections.max.reauth.ms=${SESSION_MS_MAX}`,
        // By itself it takes the validator of clients, which looks at no signature.
        `sasl.oauthbearer.jwt.validator.class=${SECURITY}.BrokerJwtValidator`,
        `sasl.oauthbearer.jwks.endpoint.url=${jwks}`,
        `sasl.oauthbearer.expected.audience=${TokenServer.audience}`,
      ],
      properties: { 'org.apache.kafka.sasl.oauthbearer.allowed.urls': jwks },
    });
    return new TokenKafka(tokens, server, port);
  }

  /** Address of the plain listener. */
  get brokers(): string {
    return this.#server.address;
  }

  get tokenBrokers(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await this.tokens.stop();
  }
}
