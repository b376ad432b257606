import { Agent, buildConnector, request } from 'undici';

export interface RegistryClientOptions {
  /** Without a slash at its end. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** '' or a bearer token, which then takes the place of user name and password. */
  readonly token: string;
  readonly timeoutMs: number;
  /** Copied for each connection, so that getters can give each the certificate of its time. */
  readonly tls?: buildConnector.BuildOptions;
}

export interface RegisteredSchema {
  /** AVRO, PROTOBUF or JSON. */
  readonly type: string;
  readonly schema: string;
  /** What it refers to, each once, what is referred to before what refers to it. */
  readonly references: readonly ReferencedSchema[];
}

export interface ReferencedSchema {
  readonly name: string;
  readonly schema: string;
}

interface SchemaAnswer {
  readonly schema?: unknown;
  readonly schemaType?: unknown;
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly version: number }[];
}

const NOT_FOUND = 404;
/** References may refer to others; a circle of them must come to an end. */
const REFERENCES_MAX = 200;

/** The part of the registry's API that readers need. Everything but 200 and 404 is the registry's fault, and rejects. */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #agent: Agent;

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    const { tls } = options;
    this.#agent = new Agent({ connections: 4, ...(tls === undefined ? {} : { connect: connectorWith(tls) }) });
  }

  /** null: the registry has no schema of this id. */
  async schema(id: number): Promise<RegisteredSchema | null> {
    const answer = await this.#get(`/schemas/ids/${id}`);
    if (answer === null || typeof answer.schema !== 'string') return null;
    const references = new Map<string, ReferencedSchema>();
    await this.#follow(answer.references ?? [], references);
    return {
      type: typeof answer.schemaType === 'string' ? answer.schemaType : 'AVRO',
      schema: answer.schema,
      references: [...references.values()],
    };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #follow(
    references: NonNullable<SchemaAnswer['references']>,
    found: Map<string, ReferencedSchema>,
  ): Promise<void> {
    for (const { name, subject, version } of references) {
      if (found.has(name) || found.size >= REFERENCES_MAX) continue;
      const answer = await this.#get(`/subjects/${encodeURIComponent(subject)}/versions/${version}`);
      if (answer === null || typeof answer.schema !== 'string') continue;
      await this.#follow(answer.references ?? [], found);
      found.set(name, { name, schema: answer.schema });
    }
  }

  async #get(path: string): Promise<SchemaAnswer | null> {
    const { url, timeoutMs } = this.#options;
    const { statusCode, body } = await request(`${url}${path}`, {
      dispatcher: this.#agent,
      headers: { accept: 'application/vnd.schemaregistry.v1+json, application/json', ...this.#authorization() },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await body.text();
    if (statusCode === NOT_FOUND) return null;
    if (statusCode !== 200) throw new Error(`the schema registry answered ${statusCode}`);
    return JSON.parse(text) as SchemaAnswer;
  }

  #authorization(): Record<string, string> {
    const { username, password, token } = this.#options;
    if (token !== '') return { authorization: `Bearer ${token}` };
    if (username === '') return {};
    return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
  }
}

/** A connector of undici keeps options and sessions as they were when it was made, so each connection gets a new one. */
function connectorWith(tls: buildConnector.BuildOptions): buildConnector.connector {
  return (options, callback) => buildConnector({ ...tls })(options, callback);
}
