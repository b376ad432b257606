/** JSON that is shown as it was written: 1.10 stays 1.10, and 20 digits stay 20 digits. */

/** Functions newer than the types: what JSON.parse tells of a number's text, and how JSON.stringify takes it back. */
interface RawJson {
  parse(text: string, reviver: (key: string, value: unknown, context?: { source?: string }) => unknown): unknown;
  rawJSON?(text: string): unknown;
}

export function parseExact(text: string): unknown {
  const json = JSON as unknown as RawJson;
  if (json.rawJSON === undefined) return JSON.parse(text);
  return json.parse(text, (_key, value, context) => {
    const source = context?.source;
    const changed = typeof value === 'number' && source !== undefined && String(value) !== source;
    return changed ? json.rawJSON!(source) : value;
  });
}
