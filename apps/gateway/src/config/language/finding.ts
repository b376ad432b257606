/** One thing that is wrong with the configuration. */
export interface Finding {
  /** Key path such as `server.port`, or the name of an environment variable that means nothing. */
  readonly path: string;
  readonly message: string;
  /** Place the value came from: the file, an environment variable or a flag; absent for a default. */
  readonly source?: string;
  /** Line in the file, from 1. */
  readonly line?: number;
  /** Column of the key in that line, from 1. */
  readonly column?: number;
}

/** Lists everything that is wrong, at once. */
export function findingsText(findings: readonly Finding[]): string {
  const count = findings.length === 1 ? '1 problem' : `${findings.length} problems`;
  return [`${count} in the configuration:`, ...findings.map((finding) => `  ${findingText(finding)}`)].join('\n');
}

export function findingText({ path, message, source, line, column }: Finding): string {
  if (source === undefined) return `${path}: ${message}`;
  return `${path}: ${message} (${source}${line === undefined ? '' : `:${line}:${column}`})`;
}
