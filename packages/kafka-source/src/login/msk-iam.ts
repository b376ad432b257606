import { assumedRole, awsCredentials } from './aws-credentials.js';
import { presign } from './aws-signature.js';
import type { LoginToken, LoginTokenIssuer } from './login-token.js';

export interface MskIamOptions {
  readonly region: string;
  /** Role to take on before logging in; '': the identity that the process has is used as it is. */
  readonly roleArn: string;
}

/** How long Amazon MSK accepts a token, s. */
const LIFE_SECONDS_MAX = 900;

/**
 * Login tokens of Amazon MSK: a signed question whether this identity may connect, which the broker asks in its place.
 * Nothing is asked of AWS to make one, unless the credentials themselves have to be fetched.
 */
export class MskIam implements LoginTokenIssuer {
  readonly #options: MskIamOptions;
  readonly #env: NodeJS.ProcessEnv;

  constructor(options: MskIamOptions, env: NodeJS.ProcessEnv = process.env) {
    this.#options = options;
    this.#env = env;
  }

  get address(): string {
    return `kafka.${this.#options.region}.amazonaws.com`;
  }

  async issue(): Promise<LoginToken> {
    const { region, roleArn } = this.#options;
    const own = await awsCredentials(region, this.#env);
    const credentials = roleArn === '' ? own : await assumedRole(own, { region, roleArn }, this.#env);
    const expiresIn = Math.floor(Math.min(LIFE_SECONDS_MAX, credentials.livesMs / 1000));
    const url = new URL(`https://${this.address}/?Action=kafka-cluster%3AConnect`);
    const signed = presign(credentials, { url, service: 'kafka-cluster', region, expiresIn, atMs: Date.now() });
    return {
      value: Buffer.from(`${signed.href}&User-Agent=ws-gateway`).toString('base64url'),
      livesMs: expiresIn * 1000,
    };
  }
}
