/** Makes JSON text of the bytes behind the schema id. Throws SchemaDataError. */
export type ValueReader = (data: Buffer, lengthMax: number) => string;

/** The bytes are not what their schema says. */
export class SchemaDataError extends Error {
  override readonly name = 'SchemaDataError';
  readonly tooLarge: boolean;

  constructor(message: string, tooLarge = false) {
    super(message);
    this.tooLarge = tooLarge;
  }
}
