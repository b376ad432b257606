import { mapMembers, type MapMember, type Scalar } from '@ws-gateway/core';
import { fail, jsonFromText, listFromText, TEXT, TEXTS, type Format } from './formats.js';

/** A selector as it is written. What it may say depends on the topic's format, so a rule looks at that. */
export const selector: Format<string> = {
  name: 'selector',
  shape: TEXT,
  read: (written) => (typeof written === 'string' ? written : fail('must be a selector such as value:/id or key')),
  fromText: (value) => value,
};

/** One selector, or several that are tried in turn. */
export const selectors: Format<readonly string[]> = {
  name: 'selector, or list of selectors',
  shape: { ...TEXTS, type: ['string', 'array'] },
  read(written) {
    // A rule says that it is missing.
    if (written === '') return [];
    const list = Array.isArray(written) ? (written as unknown[]) : [written];
    const isGood = list.length > 0 && list.every((element) => typeof element === 'string' && element !== '');
    return isGood ? (list as string[]) : fail('must be a selector such as value:/id or key, or a list of them');
  },
  fromText: (value) => (value.trim().startsWith('[') ? listFromText(value) : value),
};

export const mapMember: Format<string> = {
  name: 'member of a map',
  shape: { type: 'string', enum: mapMembers },
  read: (written) =>
    mapMembers.includes(written as MapMember) ? (written as string) : fail(`must be one of ${mapMembers.join(', ')}`),
  fromText: (value) => value,
};

/** Who may have which keys of a topic; null: everybody any. */
export const keyAccess: Format<string | null> = {
  name: 'any, or claim:<name>',
  shape: TEXT,
  read(written) {
    if (written === 'any') return null;
    const claim = typeof written === 'string' ? /^claim:(.+)$/s.exec(written)?.[1] : undefined;
    return claim ?? fail('must be any, or claim: and the name of a claim');
  },
  fromText: (value) => value,
};

/** Texts, numbers, true and false. */
export const scalars: Format<readonly Scalar[]> = {
  name: 'list of texts, numbers, true or false',
  shape: { type: 'array', items: { type: ['string', 'number', 'boolean'] } },
  read(written) {
    const isScalar = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);
    const isGood = Array.isArray(written) && written.every(isScalar);
    return isGood ? (written as Scalar[]) : fail('must be a list of texts, numbers, true or false');
  },
  fromText: jsonFromText,
};

/** '' means that nothing is asked. */
export const optionalFlag: Format<boolean | null> = {
  name: 'true or false',
  shape: { type: ['boolean', 'string'], enum: [true, false, ''] },
  read: (written) => (written === '' ? null : typeof written === 'boolean' ? written : fail('must be true or false')),
  fromText: (value) => ({ true: true, false: false })[value] ?? value,
};
