/** One event on its way to a line. */
export interface LogEvent {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly timestamp: Date;
}
