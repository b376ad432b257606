import { styleText } from 'node:util';

/** Prints data to standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

/** Prints what happens meanwhile to standard error, so that it never mixes with data. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function complain(message: string): void {
  note(`ws-gateway: ${message}`);
}

type Style = Parameters<typeof styleText>[0];

/** Styles text only for a terminal that wants it (NO_COLOR). */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** Makes the end of the reader a normal end, as in `ws-gateway listen … | head -1`. */
export function endQuietlyWithoutReader(): void {
  process.stdout.on('error', endOnBrokenPipe);
}

/** Keeps a node running when the reader of its lines goes, or a disk fills up: it has sockets to keep. */
export function serveWithoutReader(): void {
  process.stdout.off('error', endOnBrokenPipe);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

function endOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}
