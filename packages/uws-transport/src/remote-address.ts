/**
 * A binary address as uWebSockets.js gives it (4 or 16 bytes; none when the peer is gone already) in its usual text, so
 * that it compares equal to what other programs write: IPv4-mapped addresses as IPv4, IPv6 in the short form.
 */
export function addressText(binary: ArrayBuffer): string {
  const bytes = new Uint8Array(binary);
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return '';
  if (isIpv4Mapped(bytes)) return bytes.subarray(12).join('.');

  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at]! << 8) | bytes[at + 1]!).toString(16));
  // The URL parser shortens the longest run of zero groups as RFC 5952 says.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function isIpv4Mapped(bytes: Uint8Array): boolean {
  return bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
}
