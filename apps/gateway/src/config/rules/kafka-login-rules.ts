import type { Finding } from '../language/finding.js';
import { valueAt } from '../language/tree.js';
import type { SchemaValues } from '../schema/schema.js';
import { when, type Rule } from './rule.js';

export const kafkaLoginRules: readonly Rule[] = [
  {
    doc: 'SASL needs mechanism and what belongs to it together: user name and password; `tokenUrl`, `clientId` and `clientSecret`; or a region.',
    reads: ['kafka.sasl'],
    check: ({ kafka: { sasl } }) => saslFindings(sasl),
  },
];

/** What each kind of login needs, and what else belongs to it. */
const SASL_KEYS: Readonly<
  Record<string, { readonly needed: readonly string[]; readonly optional: readonly string[] }>
> = {
  'plain or scram-…': { needed: ['username', 'password'], optional: [] },
  oauthbearer: { needed: ['oauth.tokenUrl', 'oauth.clientId', 'oauth.clientSecret'], optional: ['oauth.scope'] },
  'aws-msk-iam': { needed: ['awsMskIam.region'], optional: ['awsMskIam.roleArn'] },
};

/** A key of another kind of login would be a login that somebody believes in and that does not happen. */
function saslFindings(sasl: SchemaValues['kafka']['sasl']): Finding[] {
  const { mechanism } = sasl;
  const chosen = mechanism === '' || mechanism in SASL_KEYS ? mechanism : 'plain or scram-…';
  return Object.entries(SASL_KEYS).flatMap(([kind, { needed, optional }]) => {
    const isSet = (name: string): boolean => valueAt(sasl, name.split('.')) !== '';
    if (kind === chosen) {
      const missing = needed.filter((name) => !isSet(name));
      const message = `missing: kafka.sasl.mechanism ${mechanism} needs ${needed.join(', ')}`;
      return missing.map((name) => ({ path: `kafka.sasl.${name}`, message }));
    }
    const foreign = [...needed, ...optional].find(isSet);
    return when(foreign !== undefined, 'kafka.sasl.mechanism', `must be ${kind} where kafka.sasl.${foreign} is set`);
  });
}
