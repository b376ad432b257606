import kafkajs, {
  type AuthenticationProviderArgs,
  type Authenticator,
  type KafkaConfig,
  type Mechanism,
  type SASLOptions,
} from 'kafkajs';
import type { KafkaSasl } from '../options.js';
import type { SharedLoginToken } from './shared-login-token.js';

/** The error of kafkajs, whose types leave the message out. */
const AuthenticationError = kafkajs.KafkaJSSASLAuthenticationError as unknown as new (message: string) => Error;

const LENGTH_BYTES = 4;

/** What ends a refusal: the broker says why, and gives the refusal itself only when the client has answered with this. */
const KVSEP = '\x01';

/** A mechanism with a step beyond kafkajs' types: our patch waits for it before a login begins. */
interface PreparedMechanism extends Mechanism {
  prepare(): Promise<unknown>;
}

/** The login as kafkajs takes it. */
export function saslOptions(sasl: KafkaSasl): NonNullable<KafkaConfig['sasl']> {
  if (sasl.mechanism !== 'oauthbearer') return { ...sasl } as SASLOptions;
  const { tokens } = sasl;
  const login: PreparedMechanism = {
    mechanism: 'oauthbearer',
    // Behind the handshake a failure would leave a connection that no second login can use.
    prepare: () => tokens.get(),
    authenticationProvider: (connection) => tokenLogin(connection, tokens),
  };
  return login;
}

/**
 * Logs in with a token (RFC 7628). kafkajs has a provider of its own for that, which takes a refusal for a success: it
 * does not read the answer, so that the next request finds a closed connection and nobody learns why.
 */
function tokenLogin(
  { saslAuthenticate, host, port }: AuthenticationProviderArgs,
  tokens: SharedLoginToken,
): Authenticator {
  const say = async (text: string): Promise<string> => {
    const answer = await saslAuthenticate<string>({
      request: { encode: () => withLength(text) },
      response: { decode: (data) => data, parse: (data) => data.subarray(LENGTH_BYTES).toString('utf8') },
    });
    return answer ?? '';
  };
  return {
    async authenticate() {
      const token = await tokens.get();
      const refuse = (reason: string): Error => {
        tokens.refused(token);
        return new AuthenticationError(`${host}:${port} refuses the login token: ${reason}`);
      };
      const reason = await say(`n,,${KVSEP}auth=Bearer ${token}${KVSEP}${KVSEP}`).catch((error: unknown) => {
        throw isRefusal(error) ? refuse(error.message) : error;
      });
      if (reason === '') return;
      await say(KVSEP).catch(() => undefined);
      throw refuse(reason);
    },
  };
}

function isRefusal(error: unknown): error is Error {
  return error instanceof Error && (error as { readonly type?: unknown }).type === 'SASL_AUTHENTICATION_FAILED';
}

function withLength(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
