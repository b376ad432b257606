import { describe, expect, it } from '@jest/globals';
import { sourceValue } from '../src/sources.js';

describe('sources of a command', () => {
  const options = JSON.parse('{"where":{"id":0,"none":null,"__proto__":{"own":1}},"a.b":1}') as unknown;

  it('follow a path into the options, or name the user', () => {
    expect(sourceValue('where.id', { options, user: null })).toBe(0);
    expect(sourceValue('where.none', { options, user: null })).toBeNull();
    expect(sourceValue('$user', { options, user: 'u1' })).toBe('u1');
    expect(sourceValue('$user', { options, user: null })).toBeUndefined();
  });

  it('find own members only', () => {
    for (const path of [
      'constructor',
      'constructor.name',
      'where.toString',
      'where.own',
      'a.b',
      'where.id.toFixed',
      '',
    ])
      expect(sourceValue(path, { options, user: 'u1' })).toBeUndefined();
    expect(sourceValue('where.__proto__.own', { options, user: 'u1' })).toBe(1);
    for (const nothing of [null, undefined, 1, 'text'])
      expect(sourceValue('length', { options: nothing, user: 'u1' })).toBeUndefined();
  });
});
