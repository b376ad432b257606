import { builtInPathNames } from '@ws-gateway/core';

/**
 * One command as data: which call to which backend answers it. A new command is a new entry, not a release.
 *
 * A source says where a value comes from: a path into the request's options (`where.types`), or `$user` for the user of
 * the connection. What is absent is left out.
 */
export interface CommandEntry {
  /** Paths of the endpoints that have it; elsewhere it is unknown. */
  readonly endpoints: readonly string[];
  /** Name in `backends.http`. */
  readonly backend: string;
  /**
   * True: the command is unknown, not unavailable, when its backend is not configured: the gateway has its own answer
   * then.
   */
  readonly onlyWithBackend: boolean;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path that is added to the backend's URL; `{where.id}` is replaced by that source, percent-encoded. */
  readonly path: string;
  /** Option path → its type (see option-type.ts); others may be anything. */
  readonly options: Readonly<Record<string, string>>;
  /** Option paths that must be there. */
  readonly required: readonly string[];
  /** Query parameter → source. A list becomes a parameter per item. */
  readonly query: Readonly<Record<string, string>>;
  /** Member of the JSON body → source. Empty: no body. */
  readonly body: Readonly<Record<string, string>>;
  /** Source of the Authorization header; '': what the client gave at its handshake. */
  readonly authorization: string;
  /** Member of the payload → path in the backend's answer. Empty: the answer is the payload. */
  readonly answer: Readonly<Record<string, string>>;
  /** Paths in the backend's answer, the first one present: the id of the user whom it has authenticated. */
  readonly user: readonly string[];
  /** Resource that a good answer subscribes the connection to; '': none. */
  readonly subscribe: string;
  /**
   * Members that are hashed into the subscription id: member → source, in this order. Empty: the option `where` as it
   * came.
   */
  readonly subscribeBy: Readonly<Record<string, string>>;
}

/** Entries by the name of the command. What is left out is as in NO_ENTRY. */
export type CommandEntries = Readonly<Record<string, Partial<CommandEntry>>>;

export const NO_ENTRY: CommandEntry = {
  endpoints: builtInPathNames,
  backend: '',
  onlyWithBackend: false,
  method: 'GET',
  path: '',
  options: {},
  required: [],
  query: {},
  body: {},
  authorization: '',
  answer: {},
  user: [],
  subscribe: '',
  subscribeBy: {},
};
