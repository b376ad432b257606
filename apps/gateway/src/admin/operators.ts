import type { Config } from '../config/config.js';

/** Somebody who may use the admin API, as the log names him. */
export interface Operator {
  readonly actor: string;
  readonly token: string;
  readonly readOnly: boolean;
}

/** Lists those who have a token. An empty text is nobody's: it would be equal to what somebody brings who has none. */
export function operatorsOf({ token, tokens, readOnlyTokens }: Config['admin']): readonly Operator[] {
  const named = (entries: Readonly<Record<string, string>>, readOnly: boolean): Operator[] =>
    Object.entries(entries).map(([actor, own]) => ({ actor, token: own, readOnly }));
  return [{ actor: 'admin', token, readOnly: false }, ...named(tokens, false), ...named(readOnlyTokens, true)].filter(
    (operator) => operator.token !== '',
  );
}
