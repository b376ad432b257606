/** Values that the sources of a command (see CommandEntry) are read from. */
export interface SourceValues {
  readonly options: unknown;
  readonly user: string | null;
}

const USER = '$user';

/** Reads a source; undefined when it is absent, and for a guest's user. */
export function sourceValue(source: string, values: SourceValues): unknown {
  return source === USER ? (values.user ?? undefined) : valueAt(values.options, source);
}

export function needsUser(sources: Readonly<Record<string, string>>): boolean {
  return Object.values(sources).includes(USER);
}

/** Follows a dotted path through own members only: `constructor` finds nothing. */
export function valueAt(value: unknown, path: string): unknown {
  let at = value;
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}
