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

let servesOn = false;

/** `ws-gateway listen … | head -1` is a normal end, not an error. */
export function endQuietlyWithoutReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (servesOn) return;
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
}

/** A node has sockets to keep: whoever reads its lines may go, and its disk may fill up. */
export function serveWithoutReader(): void {
  servesOn = true;
  process.stderr.on('error', () => undefined);
}
