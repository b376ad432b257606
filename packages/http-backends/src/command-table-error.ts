import { CodedError } from '@ws-gateway/core';

/** Faults of the `commands` or `backends` section. */
export type CommandTableErrorCode = 'bad_command' | 'bad_backend';

/** Thrown when the table is made; the message starts with the key path. */
export class CommandTableError extends CodedError<CommandTableErrorCode> {
  override readonly name = 'CommandTableError';
}
