import { describe, expect, it } from '@jest/globals';
import specs from '@asyncapi/specs';
import { Ajv } from 'ajv';
import { closeCodes } from '@ws-gateway/core';
import { defaultCommands } from '@ws-gateway/http-backends/default-commands';
import { asyncApi } from './asyncapi-document.js';

function* references(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (name === '$ref') yield member as string;
    else yield* references(member);
  }
}

function resolves(reference: string): boolean {
  const parts = reference.replace('#/', '').split('/');
  let at: unknown = asyncApi;
  for (const part of parts) at = (at as Record<string, unknown> | undefined)?.[part];
  return at !== undefined;
}

describe('docs/asyncapi.yaml', () => {
  it('is an AsyncAPI 3 document', () => {
    // The AsyncAPI schema brings draft 07 along, as one of its own definitions.
    const ajv = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false });
    const validate = ajv.compile(specs.schemas['3.0.0'] as object);
    validate(asyncApi);
    expect(validate.errors).toBeNull();
  });

  it('refers to nothing that is not there', () => {
    const all = [...references(asyncApi)];
    expect(all.length).toBeGreaterThan(100);
    expect(all.filter((reference) => !resolves(reference))).toEqual([]);
  });

  it('has the close codes of the program', () => {
    const described = Object.entries(asyncApi['x-close-codes']).filter(([code]) => Number(code) >= 4000);
    const names = described.map(([code, text]) => [text.split('.')[0], Number(code)]);
    expect(Object.fromEntries(names)).toEqual(closeCodes);
  });

  it('has an operation with an answer for each command of the table', () => {
    const answered = Object.entries(asyncApi.operations).filter(([, { reply }]) => reply !== undefined);
    expect(answered.map(([name]) => name)).toEqual(expect.arrayContaining(Object.keys(defaultCommands)));
  });
});
