const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const PROXY = 0x21;
const LOCAL = 0x20;

/** A header of the PROXY protocol, version 2, as a proxy sends it for a client with this address (4 or 16 bytes). */
export function proxyHeader(source: readonly number[]): Buffer {
  const [family, destination] = source.length === 4 ? [0x11, 4] : [0x21, 16];
  const ports = Buffer.from([0x1f, 0x90, 0x00, 0x50]);
  return header(PROXY, family!, Buffer.concat([Buffer.from(source), Buffer.alloc(destination!), ports]));
}

/** The proxy speaks for itself: a health check. */
export function localHeader(): Buffer {
  return header(LOCAL, 0, Buffer.alloc(0));
}

function header(command: number, family: number, addresses: Buffer): Buffer {
  const head = Buffer.from([command, family, 0, addresses.length]);
  return Buffer.concat([SIGNATURE, head, addresses]);
}
