import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Makes an authority or, with `issuer`, a certificate of it for localhost. */
export async function makeCertificate(name: string, issuer?: Certificate): Promise<Certificate> {
  const altNames = [
    { type: 2 as const, value: 'localhost' },
    { type: 7 as const, ip: '127.0.0.1' },
  ];
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ...(issuer === undefined ? {} : { ca: issuer }),
    extensions: [
      { name: 'basicConstraints', cA: issuer === undefined, critical: true },
      { name: 'subjectAltName', altNames },
    ],
  });
  return { cert: made.cert, key: made.private };
}

/** Writes files into a directory of their own; `remove` deletes them. */
export async function writeFiles(contents: Readonly<Record<string, string>>) {
  const directory = await mkdtemp(join(tmpdir(), 'certificates-'));
  await Promise.all(Object.entries(contents).map(([name, text]) => writeFile(join(directory, name), text)));
  return { path: (name: string) => join(directory, name), remove: () => rm(directory, { recursive: true }) };
}
