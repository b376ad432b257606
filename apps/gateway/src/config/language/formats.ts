import { isIP } from 'node:net';
import { isName } from '@ws-gateway/core';
import { isOptionType, optionTypes } from '@ws-gateway/http-backends/default-commands';

/**
 * What a value of the configuration may look like. `read` takes the written form (from YAML, JSON or a default) and gives
 * the value the program works with; it throws a FormatError. `fromText` turns an environment variable or a flag into the
 * written form and never throws: what makes no sense is left for `read`.
 */
export interface Format<T> {
  /** Name of the format in the documentation. */
  readonly name: string;
  /** The written form as JSON Schema, as far as that can say it: for checks that are made before there is a program. */
  readonly shape: Shape;
  read(written: unknown): T;
  fromText(text: string): unknown;
}

export interface Shape {
  readonly type: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly [keyword: string]: unknown;
}

export const TEXT: Shape = { type: 'string' };
export const TEXTS: Shape = { type: 'array', items: TEXT };

/** A value breaks the rule of its format. The message is the rule alone, "must be …"; whoever catches it says what came. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  /** The part of the value that is wrong, quoted; null: the whole of it. */
  readonly came: string | null;

  constructor(rule: string, came: string | null = null) {
    super(rule);
    this.came = came;
  }
}

export const text: Format<string> = {
  name: 'text',
  shape: TEXT,
  read: (written) => (typeof written === 'string' ? written : fail('must be text (put it in quotes)')),
  fromText: (value) => value,
};

export const flag: Format<boolean> = {
  name: 'true or false',
  shape: { type: 'boolean' },
  read: (written) => (typeof written === 'boolean' ? written : fail('must be true or false')),
  fromText: (value) => ({ true: true, false: false, '1': true, '0': false })[value.toLowerCase()] ?? value,
};

export function whole(min: number, max = Number.MAX_SAFE_INTEGER): Format<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `whole number from ${min}` : `whole number from ${min} to ${max}`;
  return {
    name: range,
    shape: { type: 'integer', minimum: min, maximum: max },
    read(written) {
      const good = Number.isSafeInteger(written) && (written as number) >= min && (written as number) <= max;
      return good ? (written as number) : fail(`must be a ${range}`);
    },
    fromText: numberFromText,
  };
}

/** A number from 0 to 1. */
export const share: Format<number> = {
  name: 'number from 0 to 1',
  shape: { type: 'number', minimum: 0, maximum: 1 },
  read: (written) =>
    typeof written === 'number' && written >= 0 && written <= 1 ? written : fail('must be a number from 0 to 1'),
  fromText: (value) => (/^\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : value),
};

export const port = whole(0, 65_535);

const DURATION_UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;
const DURATION_PATTERN = String.raw`^\s*(0|(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+)\s*$`;

/** A number without a unit is refused (0 apart): seconds and milliseconds would be mistaken for each other silently. */
export function duration(minMs = 0, maxMs = 366 * DURATION_UNITS_MS.d): Format<number> {
  return {
    name: minMs === 0 ? 'duration' : `duration from ${durationText(minMs)} to ${durationText(maxMs)}`,
    // As a number only 0 goes without a unit.
    shape: { type: ['string', 'integer'], pattern: DURATION_PATTERN, maximum: 0 },
    read(written) {
      const ms = durationMs(written);
      if (ms === null) fail('must be a duration with a unit, such as 10s, 500ms or 1h');
      if (ms < minMs || ms > maxMs) fail(`must be from ${durationText(minMs)} to ${durationText(maxMs)}`);
      return ms;
    },
    fromText: numberFromText,
  };
}

function durationMs(written: unknown): number | null {
  if (written === 0) return 0;
  if (typeof written !== 'string') return null;
  if (written.trim() === '0') return 0;
  const compact = written.replace(/\s+/g, '');
  if (!DURATION.test(compact)) return null;
  let ms = 0;
  for (const [, amount, , unit] of compact.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) {
    ms += Number(amount) * DURATION_UNITS_MS[unit as keyof typeof DURATION_UNITS_MS];
  }
  return Number.isSafeInteger(ms) ? ms : null;
}

function durationText(ms: number): string {
  if (ms === 0) return '0';
  const units = Object.entries(DURATION_UNITS_MS).reverse();
  const [unit, size] = units.find(([, unitMs]) => ms % unitMs === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

const SIZE_UNITS = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };
const SIZE_PATTERN = String.raw`^\s*\d+(\.\d+)?\s*([kKmMgG]?[bB])?\s*$`;

export function size(minBytes = 1): Format<number> {
  return {
    name: 'size',
    shape: { type: ['string', 'integer'], pattern: SIZE_PATTERN, minimum: 0 },
    read(written) {
      const bytes = sizeBytes(written);
      if (bytes === null) fail('must be a size in bytes or with a unit, such as 64kb or 1mb (kb = 1024 bytes)');
      if (bytes < minBytes) fail(`must be at least ${minBytes} bytes`);
      return bytes;
    },
    fromText: numberFromText,
  };
}

function sizeBytes(written: unknown): number | null {
  if (typeof written === 'number') return Number.isSafeInteger(written) && written >= 0 ? written : null;
  if (typeof written !== 'string') return null;
  const match = /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|)$/i.exec(written.trim());
  if (match === null) return null;
  const bytes = Number(match[1]) * SIZE_UNITS[match[2]!.toLowerCase() as keyof typeof SIZE_UNITS];
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/**
 * Makes the format of a choice among a few words; upper and lower case are the same, because SCRAM-SHA-256 and INFO are
 * often written so.
 */
export function choice<const T extends string>(...words: readonly T[]): Format<T> {
  const shown = words.map((word) => word || '""').join(', ');
  return {
    name: `one of ${shown}`,
    shape: { type: 'string', enum: [...new Set(words.flatMap((word) => [word, word.toUpperCase()]))] },
    read(written) {
      const found = words.find((word) => typeof written === 'string' && word.toLowerCase() === written.toLowerCase());
      return found ?? fail(`must be one of ${shown}`);
    },
    fromText: (value) => value,
  };
}

/** Reads words of former versions, too; documentation and errors name the present ones only. */
export function alsoReads<T>(format: Format<T>, former: Readonly<Record<string, NoInfer<T>>>): Format<T> {
  const { shape } = format;
  return {
    ...format,
    shape: shape.enum === undefined ? shape : { ...shape, enum: [...shape.enum, ...Object.keys(former)] },
    read: (written) =>
      typeof written === 'string' && Object.hasOwn(former, written) ? former[written]! : format.read(written),
  };
}

/** A list of `name` whose elements have to pass `check`; `shape` says what an element looks like. */
function listOf(name: string, shape: string, check: (element: string) => boolean): Format<readonly string[]> {
  return {
    name: `list of ${name}`,
    shape: TEXTS,
    read(written) {
      if (!Array.isArray(written)) fail(`must be a list of ${name}`);
      const wrong = (written as unknown[]).filter((element) => typeof element !== 'string' || !check(element));
      if (wrong.length > 0) fail(`must be a list of ${name}${shape}`, quoted(wrong));
      return written as string[];
    },
    fromText: listFromText,
  };
}

function quoted(elements: readonly unknown[]): string {
  return elements.map((element) => JSON.stringify(element)).join(', ');
}

export const texts = listOf('texts', '', () => true);

const NAME_SHAPE = '1 to 128 characters of A-Z a-z 0-9 . _ -';

export const names = listOf('names', ` (each ${NAME_SHAPE})`, isName);

export const words = <const T extends string>(...allowed: readonly T[]): Format<readonly T[]> =>
  listOf(`words out of ${allowed.join(', ')}`, '', (element) =>
    (allowed as readonly string[]).includes(element),
  ) as Format<readonly T[]>;

export const origins = listOf(
  'origins',
  ' such as https://app.example.com',
  (element) => element === 'null' || isOrigin(element),
);

function isOrigin(value: string): boolean {
  const parsed = URL.parse(value);
  return parsed !== null && `${parsed.protocol}//${parsed.host}` === value.toLowerCase() && parsed.host !== '';
}

export const networks = listOf('addresses or networks', ' such as 10.0.0.0/8', isNetwork);

function isNetwork(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

export const paths = listOf('paths', ' such as /web', isPath);

/** Text of one shape; `rule` completes the sentence "must be …". */
export function pattern(formatName: string, shape: RegExp, rule: string): Format<string> {
  return {
    name: formatName,
    shape: TEXT,
    read: (written) => (typeof written === 'string' && shape.test(written) ? written : fail(`must be ${rule}`)),
    fromText: (value) => value,
  };
}

export const name = pattern('name', /^[A-Za-z0-9._-]{1,128}$/, `a name: ${NAME_SHAPE}`);

/** '' where there is none. */
export const optionalName = pattern('name', /^[A-Za-z0-9._-]{0,128}$/, `a name: ${NAME_SHAPE}`);

/** Type of an option of a command. */
export const optionType: Format<string> = {
  name: 'type of an option',
  shape: TEXT,
  read(written) {
    if (typeof written === 'string' && isOptionType(written)) return written;
    return fail(`must be one of ${optionTypes.join(', ')}, or allowed texts such as unread|read`);
  },
  fromText: (value) => value,
};

/** Kafka's own rule for topic names; '' where the key has a default of its own making. */
export const kafkaTopic = pattern('Kafka topic', /^(?!\.{1,2}$)[A-Za-z0-9._-]{0,249}$/, 'a Kafka topic name');

export const path: Format<string> = {
  name: 'path',
  shape: TEXT,
  read: (written) =>
    typeof written === 'string' && isPath(written) ? written : fail('must be a path such as /metrics'),
  fromText: (value) => value,
};

function isPath(value: string): boolean {
  return /^\/[A-Za-z0-9._~/-]*$/.test(value);
}

/** '' means "not configured". */
export function url(...schemes: readonly string[]): Format<string> {
  const shown = schemes.map((scheme) => `${scheme}://`).join(' or ');
  return {
    name: `URL (${shown})`,
    shape: TEXT,
    read(written) {
      if (written === '') return '';
      const parsed = typeof written === 'string' ? URL.parse(written) : null;
      const good = parsed !== null && parsed.host !== '' && schemes.includes(parsed.protocol.slice(0, -1));
      return good ? (written as string) : fail(`must be a URL that begins with ${shown}`);
    },
    fromText: (value) => value,
  };
}

/** `host:port`, several of them separated by commas or as a list. */
export const addresses = addressList(1);
export const optionalAddresses = addressList(0);

function addressList(min: number): Format<readonly string[]> {
  return {
    name: 'host:port, or several of them',
    shape: { ...TEXTS, type: ['string', 'array'] },
    read(written) {
      const list = typeof written === 'string' ? splitList(written) : written;
      if (!Array.isArray(list) || list.length < min) fail('must be host:port, or several of them separated by commas');
      const wrong = (list as unknown[]).filter((element) => typeof element !== 'string' || !isAddress(element));
      if (wrong.length > 0) fail('must be host:port, or several of them separated by commas', quoted(wrong));
      return list as string[];
    },
    fromText: listFromText,
  };
}

function isAddress(value: string): boolean {
  const match = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(value);
  return match !== null && Number(match[1]) >= 1 && Number(match[1]) <= 65_535;
}

function splitList(value: string): string[] {
  return value
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

/** `["a","b"]` or `a,b`. */
export function listFromText(value: string): unknown {
  if (!value.trim().startsWith('[')) return splitList(value);
  return jsonFromText(value);
}

/** The text itself when it is no JSON: the format of the key then says what it should have been. */
export function jsonFromText(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

function numberFromText(value: string): unknown {
  return /^-?\d+$/.test(value.trim()) ? Number(value) : value;
}

export function fail(rule: string, came: string | null = null): never {
  throw new FormatError(rule, came);
}
