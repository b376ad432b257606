import { own } from '@ws-gateway/core';
import { numberText, quoted, shortestFloat } from '../json-text.js';
import { SchemaDataError } from '../value-reader.js';
import { logicalWrite } from './logical-types.js';
import type { Write } from './avro-write.js';

type Schema = Readonly<Record<string, unknown>>;

const primitives: Readonly<Record<string, Write>> = {
  null: (input) => input.put('null'),
  boolean: (input) => input.put(input.byte() === 0 ? 'false' : 'true'),
  int: (input) => input.put(input.digits()),
  long: (input) => input.put(input.digits()),
  float: (input) => input.put(number(shortestFloat(input.bytes(4).readFloatLE()))),
  double: (input) => input.put(number(input.bytes(8).readDoubleLE())),
  bytes: (input) => input.put(`"${input.bytes(input.index()).toString('base64')}"`),
  string: (input) => input.put(quoted(input.text())),
};

/** Compiles Avro schemas. Names of one schema may be used by those that are compiled after it. */
export class AvroTypes {
  readonly #named = new Map<string, Write>();

  /** Throws an Error that says what is wrong with the schema. */
  compile(schema: unknown, namespace = ''): Write {
    if (typeof schema === 'string') return own(primitives, schema) ?? this.#byName(schema, namespace);
    if (Array.isArray(schema)) return this.#union(schema as unknown[], namespace);
    if (typeof schema !== 'object' || schema === null) throw new Error('a schema is neither text nor an object');
    const { type } = schema as Schema;
    const logical = logicalWrite(schema as Schema);
    if (logical !== null) {
      if (type === 'fixed') this.#define(schema as Schema, namespace, () => logical);
      return logical;
    }
    switch (type) {
      case 'record':
      case 'error':
        return this.#define(schema as Schema, namespace, (inner) => this.#record(schema as Schema, inner));
      case 'enum':
        return this.#define(schema as Schema, namespace, () => enumeration(schema as Schema));
      case 'fixed':
        return this.#define(schema as Schema, namespace, () => fixed(schema as Schema));
      case 'array':
        return array(this.compile((schema as Schema)['items'], namespace));
      case 'map':
        return map(this.compile((schema as Schema)['values'], namespace));
      default:
        return this.compile(type, namespace);
    }
  }

  #byName(name: string, namespace: string): Write {
    const full = fullName(name, namespace);
    if (!this.#named.has(full) && !this.#named.has(name)) throw new Error(`there is no type ${full}`);
    // A type may be inside itself, so it is looked up when it is there.
    return (input) => (this.#named.get(full) ?? this.#named.get(name)!)(input);
  }

  #define(schema: Schema, namespace: string, make: (namespace: string) => Write): Write {
    const own = typeof schema['namespace'] === 'string' ? schema['namespace'] : namespace;
    const full = fullName(String(schema['name']), own);
    const inner = full.includes('.') ? full.slice(0, full.lastIndexOf('.')) : '';
    const names = [full, ...aliases(schema).map((alias) => fullName(alias, inner))];
    for (const name of names) this.#named.set(name, notYet);
    const write = make(inner);
    for (const name of names) this.#named.set(name, write);
    return write;
  }

  #record(schema: Schema, namespace: string): Write {
    const fields = (schema['fields'] as { name: string; type: unknown }[]).map(({ name, type }, index) => ({
      head: `${index === 0 ? '' : ','}${JSON.stringify(name)}:`,
      write: this.compile(type, namespace),
    }));
    return (input) => {
      input.enter();
      input.put('{');
      for (const { head, write } of fields) {
        input.put(head);
        write(input);
      }
      input.put('}');
      input.leave();
    };
  }

  #union(branches: readonly unknown[], namespace: string): Write {
    const writes = branches.map((branch) => this.compile(branch, namespace));
    return (input) => {
      const index = input.index();
      const write = writes[index];
      if (write === undefined) throw new SchemaDataError(`a union has no branch ${index}`);
      write(input);
    };
  }
}

function notYet(): never {
  throw new Error('a type is used before it is complete');
}

function array(item: Write): Write {
  return (input) => {
    input.enter();
    input.put('[');
    input.blocks((first) => {
      if (!first) input.put(',');
      item(input);
    });
    input.put(']');
    input.leave();
  };
}

function map(value: Write): Write {
  return (input) => {
    input.enter();
    input.put('{');
    input.blocks((first) => {
      input.put(`${first ? '' : ','}${JSON.stringify(input.text())}:`);
      value(input);
    });
    input.put('}');
    input.leave();
  };
}

function enumeration(schema: Schema): Write {
  const symbols = (schema['symbols'] as string[]).map((symbol) => JSON.stringify(symbol));
  return (input) => {
    const index = input.index();
    const symbol = symbols[index];
    if (symbol === undefined) throw new SchemaDataError(`an enum has no symbol ${index}`);
    input.put(symbol);
  };
}

function fixed(schema: Schema): Write {
  const size = Number(schema['size']);
  return (input) => input.put(`"${input.bytes(size).toString('base64')}"`);
}

function aliases(schema: Schema): string[] {
  return Array.isArray(schema['aliases']) ? (schema['aliases'] as string[]) : [];
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

/** JSON has no word for what is no number. */
function number(value: number): string {
  if (!Number.isFinite(value)) throw new SchemaDataError(`${value} is no number that JSON has`);
  return numberText(value);
}
