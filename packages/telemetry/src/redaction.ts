/**
 * The last line of defence: no token or secret gets into a log, and of a token's signature nothing at all. Whatever
 * writes a log should not have had the token; this catches the day it had.
 */
export const REDACTED = '[redacted]';

const SECRET_NAME =
  /^(?:proxy-)?authorization$|^(?:set-)?cookie$|^sec-websocket-protocol$|^jwt$|(?:token|secret|password|passwd)$/i;

/** Tells whether values under this name are never shown. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** Matches base64url of `{"`, as JWT headers begin, with up to five parts, also when the token was cut short. */
const TOKEN = /eyJ[\w-]{4,}(?:\.[\w-]*){0,4}/g;
/**
 * Matches headers that were written with white space behind the brace. The parts are longer, so that host names are
 * left alone.
 */
const SPACED_TOKEN = /(?<![\w-])e[wy][\w-]{14,}\.[\w-]{14,}\.[\w-]*/g;
/** Matches a header value in text, with or without its scheme. Quotes may be escaped once, inside JSON. */
const AUTHORIZATION = /(authorization\\?["']?\s*[:=]\s*\\?["']?)(?:[a-z]+[ ,]+)?[^\s"',;\\]+/gi;
/** Matches credentials behind their scheme, where the header's name is not in sight. */
const BEARER = /\b(Bearer|Basic|bearer,)\s+[^\s"',;\\]+/g;
const LOWER_BEARER = /\b(bearer)[\s,]+[^\s"',;\\]{16,}/gi;

/** Makes the function that masks finished lines. The characters it takes away are never part of JSON's own syntax. */
export function textMask(tokenParams: readonly string[]): (line: string) => string {
  const names = tokenParams.filter((name) => name !== '').map(escapePattern);
  const params = names.length === 0 ? null : new RegExp(`(?<![\\w-])(${names.join('|')})=[^&\\s"'\\\\#]+`, 'gi');
  return (line) => {
    const masked = line
      .replace(AUTHORIZATION, `$1${REDACTED}`)
      .replace(BEARER, `$1 ${REDACTED}`)
      .replace(LOWER_BEARER, `$1 ${REDACTED}`)
      .replace(TOKEN, REDACTED)
      .replace(SPACED_TOKEN, REDACTED);
    return params === null ? masked : masked.replace(params, `$1=${REDACTED}`);
  };
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
