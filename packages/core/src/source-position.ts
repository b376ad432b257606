/** What tells a log from another one under the same name. */
export interface SourceMark {
  /** A record of the log. */
  readonly offset: number;
  /** What a record of another log at that offset has not in common with it. Without spaces. */
  readonly proof: string;
  /** The broker's own identity of the topic, '' where it gives none. Without spaces. */
  readonly log: string;
  /** Id of the Kafka cluster, '' where it gives none, or of a release that did not note it. Without spaces. */
  readonly cluster: string;
}

export interface SourcePosition {
  /** Up to here everything was applied that concerns this part of the store; -1: there is no row. */
  readonly offset: number;
  /** null: no row, or one without a mark. */
  readonly mark: SourceMark | null;
  /** Up to where this engine was told that it is applied; -1: nothing. */
  readonly confirmed: number;
  /** The row as it was read, for `claimSource`. */
  readonly row: string;
}

export interface SourceClaim {
  readonly seen: readonly SourcePosition[];
  readonly forget: boolean;
}
