/** Faults of the `commands` or `backends` section. */
export type CommandTableErrorCode = 'bad_command' | 'bad_backend';

/** Thrown when the table is made; the message starts with the key path. */
export class CommandTableError extends Error {
  override readonly name = 'CommandTableError';
  readonly code: CommandTableErrorCode;
  readonly retryable = false;

  constructor(code: CommandTableErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
