/**
 * One command as data: which call to which backend answers it. A new command is a new entry, not a release.
 *
 * A source says where a value comes from: a path into the request's options (`where.types`), or `$user` for the user of
 * the connection. What is absent is left out.
 */
export interface CommandSpec {
  readonly name: string;
  /** Paths of the endpoints that have it; elsewhere it is unknown. */
  readonly endpoints: readonly string[];
  /** Name in `backends.http`. */
  readonly backend: string;
  /** Unknown rather than unavailable when its backend is not configured: the gateway has its own answer then. */
  readonly onlyWithBackend?: true;
  /** Default GET. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Added to the backend's URL; `{where.id}` is replaced by that source, percent-encoded. */
  readonly path?: string;
  /** Query parameter → source. A list becomes a parameter per item. */
  readonly query?: Readonly<Record<string, string>>;
  /** Member of the JSON body → source. Absent: no body. */
  readonly body?: Readonly<Record<string, string>>;
  /** Source of the Authorization header; default: what the client gave at its handshake. */
  readonly authorization?: string;
  /** JSON schema of the options. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Option paths that must be there, in addition to the schema. */
  readonly required?: readonly string[];
  /** Member of the payload → path in the backend's answer. Absent: the answer is the payload. */
  readonly answer?: Readonly<Record<string, string>>;
  /** Paths in the backend's answer, the first one present: the id of the user whom it has authenticated. */
  readonly user?: readonly string[];
  /** What a good answer subscribes the connection to. */
  readonly subscription?: SubscriptionSpec;
}

export interface SubscriptionSpec {
  readonly resource: string;
  /**
   * What is hashed into the id. By member: sources, in this order. As text: the bytes of that member of the options as
   * the client wrote them, without white space.
   */
  readonly where: string | Readonly<Record<string, string>>;
}
