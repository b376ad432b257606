import { styleText } from 'node:util';

/** Data, on standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

/** What happens meanwhile, on standard error: it never mixes with data. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function complain(message: string): void {
  note(`ws-gateway: ${message}`);
}

type Style = Parameters<typeof styleText>[0];

/** Only where there is a terminal that wants it (NO_COLOR). */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** `ws-gateway listen … | head -1` is a normal end, not an error. */
export function endQuietlyWithoutReader(): void {
  process.stdout.on('error', endOnBrokenPipe);
}

/** A node has sockets to keep: whoever reads its lines may go, and its disk may fill up. */
export function serveWithoutReader(): void {
  process.stdout.off('error', endOnBrokenPipe);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

function endOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}
