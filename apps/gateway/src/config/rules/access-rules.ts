import { X509Certificate } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Finding } from '../language/finding.js';
import type { SchemaValues } from '../schema/schema.js';
import { when, type Rule } from './rule.js';

/** Parameters of a handshake that mean something else. */
const RESERVED_PARAMETERS = ['topics', 'recover'];

/** RFC 7518 3.2: a key of HS256 is at least as long as its hash; a shorter one can be guessed from a single token. */
const SECRET_BYTES_MIN = 32;

/** Keys, tokens, files, limits. */
export const accessRules: readonly Rule[] = [
  {
    doc: 'A node that holds sockets needs `auth.secret` or `auth.secrets` when an HS algorithm is allowed (`dev` makes one), unless `auth.issuers` or `auth.callback.url` say who clients are.',
    reads: ['auth.algorithms', 'auth.secret', 'auth.secrets', 'auth.issuers', 'auth.callback.url'],
    check({ auth, role }, purpose) {
      const needed = purpose === 'serve' && role !== 'router' && auth.algorithms.some((name) => name.startsWith('HS'));
      const message =
        'missing: needed for the HS algorithms; set JWT_SECRET in the environment, or auth.secret in the file';
      return when(
        needed && auth.secret === '' && auth.secrets.length === 0 && !hasOthers(auth),
        'auth.secret',
        message,
      );
    },
  },
  {
    doc: `Secrets of HS algorithms have at least ${SECRET_BYTES_MIN} bytes. They, the tokens of \`admin\` and \`grpc.token\` have no white space at their ends.`,
    reads: ['auth.secret', 'auth.secrets', 'auth.issuers', 'admin', 'grpc.token'],
    check: ({ auth, admin, grpc }) => [
      ...weakSecret('auth.secret', auth.secret),
      ...auth.secrets.flatMap((secret, index) => [
        ...when(secret === '', `auth.secrets[${index}]`, 'must not be empty'),
        ...weakSecret(`auth.secrets[${index}]`, secret),
      ]),
      ...auth.issuers.flatMap(({ secret }, index) => weakSecret(`auth.issuers[${index}].secret`, secret)),
      ...adminTokens(admin).flatMap(({ path, token }) => untrimmed(path, token)),
      ...untrimmed('grpc.token', grpc.token),
    ],
  },
  {
    doc: 'Each token of `admin` is one person’s: none is empty, none is there twice, and nobody has two or is called `admin`.',
    reads: ['admin'],
    check: ({ admin }, purpose) => [
      ...adminTokens(admin).flatMap(({ path, token }) =>
        when(token === '' && path !== 'admin.token', path, 'must not be empty'),
      ),
      // A tool is told one token of the gateway, beside the configuration that lists them all.
      ...(purpose === 'tool' ? [] : repeatedTokens(admin)),
      ...repeatedActors(admin),
    ],
  },
  {
    doc: 'RS, PS, ES and EdDSA need `auth.publicKeyFile` or `auth.jwksUrl`; only one of them can be given.',
    reads: ['auth.algorithms', 'auth.publicKeyFile', 'auth.jwksUrl', 'auth.issuers', 'auth.callback.url'],
    check({ auth, role }) {
      const asymmetric = auth.algorithms.filter((name) => !name.startsWith('HS'));
      const keyed = auth.publicKeyFile !== '' || auth.jwksUrl !== '';
      return [
        ...when(auth.algorithms.length === 0, 'auth.algorithms', 'must name at least one algorithm'),
        ...when(
          asymmetric.length > 0 && !keyed && role !== 'router' && !hasOthers(auth),
          'auth.algorithms',
          `${asymmetric.join(', ')} needs auth.publicKeyFile or auth.jwksUrl`,
        ),
        ...when(
          auth.publicKeyFile !== '' && auth.jwksUrl !== '',
          'auth.jwksUrl',
          'cannot be used together with auth.publicKeyFile',
        ),
        ...when(
          asymmetric.length === 0 && auth.algorithms.length > 0 && keyed,
          'auth.algorithms',
          'none of them uses the public key that is configured',
        ),
      ];
    },
  },
  {
    doc: 'Each of `auth.issuers` has a name of its own, and one of `secret`, `publicKeyFile` and `jwksUrl`.',
    reads: ['auth.issuers', 'auth.issuer'],
    check: ({ auth }) => issuerFindings(auth),
  },
  {
    doc: '`auth.queryParams` names at least one parameter, and none that means something else.',
    reads: ['auth.queryParams'],
    check: ({ auth }) => [
      ...when(auth.queryParams.length === 0, 'auth.queryParams', 'must name at least one parameter'),
      ...RESERVED_PARAMETERS.flatMap((name) =>
        when(auth.queryParams.includes(name), 'auth.queryParams', `${name} is a parameter of its own`),
      ),
    ],
  },
  {
    doc: '`auth.userClaim` is not empty.',
    reads: ['auth.userClaim'],
    check: ({ auth }) => when(auth.userClaim === '', 'auth.userClaim', 'must name a claim'),
  },
  {
    doc: '`sessions.policy: replace` needs `sessions.max`.',
    reads: ['sessions'],
    check: ({ sessions }) =>
      when(
        sessions.max === 0 && sessions.policy === 'replace',
        'sessions.policy',
        'replace needs sessions.max of 1 or more',
      ),
  },
  {
    doc: 'A certificate and its key come together and fit, and configured files can be read.',
    reads: [
      'server.tls',
      'grpc.tls',
      'grpc.descriptorFiles',
      'kafka.tls',
      'schemaRegistry.tls',
      'redis.tlsFiles',
      'auth.publicKeyFile',
      'auth.issuers',
    ],
    check: ({ server, grpc, kafka, schemaRegistry, redis, auth }, purpose) => [
      ...certificatePair('server.tls', server.tls),
      ...certificatePair('grpc.tls', grpc.tls),
      ...certificatePair('kafka.tls', kafka.tls),
      ...certificatePair('schemaRegistry.tls', schemaRegistry.tls),
      ...certificatePair('redis.tlsFiles', redis.tlsFiles),
      ...(grpc.tls.certFile === '' ? [] : authorities('grpc.tls.clientCaFile', grpc.tls.clientCaFile)),
      ...when(
        grpc.tls.clientCaFile !== '' && grpc.tls.certFile === '',
        'grpc.tls.certFile',
        'missing: clientCaFile needs TLS',
      ),
      ...grpc.descriptorFiles.flatMap((file, index) => unreadable(`grpc.descriptorFiles[${index}]`, file)),
      ...(purpose === 'serve' ? unreadable('auth.publicKeyFile', auth.publicKeyFile) : []),
      ...(purpose === 'serve'
        ? auth.issuers.flatMap(({ publicKeyFile }, index) =>
            unreadable(`auth.issuers[${index}].publicKeyFile`, publicKeyFile),
          )
        : []),
    ],
  },
  {
    doc: '`server.proxyProtocol` without `server.tls`: the header of the proxy comes before TLS, so the proxy has to end it.',
    reads: ['server.proxyProtocol', 'server.tls'],
    check: ({ server: { proxyProtocol, tls } }) =>
      when(
        proxyProtocol && tls.certFile !== '',
        'server.proxyProtocol',
        'cannot be used together with server.tls: let the proxy end TLS',
      ),
  },
];

/** Somebody else than the keys of the section says who clients are. */
function hasOthers({ issuers, callback }: SchemaValues['auth']): boolean {
  return issuers.length > 0 || callback.url !== '';
}

function weakSecret(path: string, secret: string): Finding[] {
  const bytes = Buffer.byteLength(secret);
  const message = `must have at least ${SECRET_BYTES_MIN} bytes, not ${bytes}: a shorter one can be guessed from a token`;
  return [...when(bytes > 0 && bytes < SECRET_BYTES_MIN, path, message), ...untrimmed(path, secret)];
}

function untrimmed(path: string, secret: string): Finding[] {
  const message = 'must not begin or end with white space; there is some, such as the line break that echo writes';
  return when(secret.trim() !== secret, path, message);
}

interface AdminToken {
  readonly path: string;
  readonly token: string;
}

function adminTokens({ token, tokens, readOnlyTokens }: SchemaValues['admin']): AdminToken[] {
  const named = (group: string, entries: Readonly<Record<string, string>>): AdminToken[] =>
    Object.entries(entries).map(([name, token]) => ({ path: `admin.${group}.${name}`, token }));
  return [{ path: 'admin.token', token }, ...named('tokens', tokens), ...named('readOnlyTokens', readOnlyTokens)];
}

/** Tokens that are there twice: the log could not tell which of the two it was. */
function repeatedTokens(admin: SchemaValues['admin']): Finding[] {
  const paths = new Map<string, string>();
  return adminTokens(admin).flatMap(({ path, token }) => {
    const first = paths.get(token);
    if (first === undefined) paths.set(token, path);
    return when(token !== '' && first !== undefined, path, `must differ from ${first}: it is the same token`);
  });
}

function repeatedActors({ tokens, readOnlyTokens }: SchemaValues['admin']): Finding[] {
  const message = 'must be called something else: this is the actor of admin.token';
  return [
    ...when(Object.hasOwn(tokens, 'admin'), 'admin.tokens.admin', message),
    ...when(Object.hasOwn(readOnlyTokens, 'admin'), 'admin.readOnlyTokens.admin', message),
    ...Object.keys(readOnlyTokens).flatMap((name) =>
      when(Object.hasOwn(tokens, name), `admin.readOnlyTokens.${name}`, 'must not be in admin.tokens, too'),
    ),
  ];
}

function issuerFindings({ issuers, issuer: own }: SchemaValues['auth']): Finding[] {
  const names = new Set([own].filter((name) => name !== ''));
  return issuers.flatMap(({ issuer, secret, publicKeyFile, jwksUrl }, index) => {
    const path = `auth.issuers[${index}]`;
    const isRepeated = names.has(issuer);
    names.add(issuer);
    const sources = [secret, publicKeyFile, jwksUrl].filter((source) => source !== '').length;
    return [
      ...when(issuer === '', `${path}.issuer`, 'missing: tokens are told apart by it'),
      ...when(isRepeated, `${path}.issuer`, `must differ from the others, not be ${issuer} again`),
      ...when(sources !== 1, path, `must have one of secret, publicKeyFile and jwksUrl, not ${sources} of them`),
    ];
  });
}

interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile?: string;
}

function certificatePair(path: string, { certFile, keyFile, caFile = '' }: CertificateFiles): Finding[] {
  const findings = [
    ...when(certFile !== '' && keyFile === '', `${path}.keyFile`, 'missing: certFile needs its key'),
    ...when(certFile === '' && keyFile !== '', `${path}.certFile`, 'missing: keyFile needs its certificate'),
    ...unreadable(`${path}.certFile`, certFile),
    ...unreadable(`${path}.keyFile`, keyFile),
  ];
  return [
    ...(findings.length > 0 || certFile === '' ? findings : unusable(path, certFile, keyFile)),
    ...authorities(`${path}.caFile`, caFile),
  ];
}

/** OpenSSL takes a file without any authority, and then trusts nobody. */
function authorities(path: string, file: string): Finding[] {
  const findings = unreadable(path, file);
  if (file === '' || findings.length > 0) return findings;
  try {
    new X509Certificate(readFileSync(file));
    return [];
  } catch (error) {
    return [
      {
        path,
        message: `must hold the certificate of an authority, not what is in ${file}: ${(error as Error).message}`,
      },
    ];
  }
}

function unusable(path: string, certFile: string, keyFile: string): Finding[] {
  try {
    createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
    return [];
  } catch (error) {
    return [{ path, message: `cannot use ${certFile} with ${keyFile}: ${(error as Error).message}` }];
  }
}

function unreadable(path: string, file: string): Finding[] {
  if (file === '') return [];
  try {
    accessSync(file, constants.R_OK);
    return [];
  } catch (error) {
    return [{ path, message: `cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}` }];
  }
}
