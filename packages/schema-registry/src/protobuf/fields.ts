import type { DescField } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence as Presence } from '@bufbuild/protobuf/wkt';
import { quoted } from '../json-text.js';
import type { MessageJson } from './message-json.js';
import type { MessageTypes } from './message-types.js';
import { enumeration, scalars, type Scalar } from './scalars.js';
import { WireType, type WireInput } from './wire-input.js';

/**
 * What was read of a field: JSON; that of each element behind a comma; where the parts of a message are; or JSON by the
 * key of a map.
 */
export type Slot = string | number[] | Map<string, string>;

/** What was read of each field, by the place of the field. */
export type Slots = (Slot | undefined)[];

export interface Field {
  /** `"name":` */
  readonly head: string;
  /** Takes a value from the input. False: a value of this wire type is not the field's. */
  read(slots: Slots, wireType: number, input: WireInput): boolean;
  /** JSON of what was read; null: it is left out. */
  text(slot: Slot, input: WireInput): string | null;
}

export interface FieldPlace {
  readonly desc: DescField;
  readonly index: number;
  /** Indexes of the others in its oneof: of these the last one counts. */
  readonly peers: readonly number[];
}

export function compileField({ desc, index, peers }: FieldPlace, types: MessageTypes): Field {
  const place = { head: `${quoted(desc.name)}:` };
  switch (desc.fieldKind) {
    case 'scalar':
    case 'enum': {
      const scalar = desc.fieldKind === 'enum' ? enumeration(desc.enum) : scalars[desc.scalar];
      return { ...place, ...single(scalar, { index, peers, isImplicit: desc.presence === Presence.IMPLICIT }) };
    }
    case 'message':
      return { ...place, ...message(types.of(desc.message), { index, peers, extent: extentOf(desc) }) };
    case 'list':
      return desc.listKind === 'message'
        ? { ...place, ...messages(types.of(desc.message), index, extentOf(desc)) }
        : { ...place, ...list(desc.listKind === 'enum' ? enumeration(desc.enum) : scalars[desc.scalar], index) };
    case 'map':
      return { ...place, ...map(entryOf(desc, types), index) };
  }
}

type Reading = Pick<Field, 'read' | 'text'>;

/** The last value counts. One that is as if it had not been written is left out, as proto3 JSON has it. */
function single(
  { wireType: own, read, zero }: Scalar,
  { index, peers, isImplicit }: { index: number; peers: readonly number[]; isImplicit: boolean },
): Reading {
  return {
    read(slots, wireType, input) {
      if (wireType !== own) return false;
      const text = read(input);
      input.budget.spend(text.length);
      for (const peer of peers) slots[peer] = undefined;
      slots[index] = text;
      return true;
    },
    text: (slot) => (isImplicit && slot === zero ? null : (slot as string)),
  };
}

/** Elements come one by one, or packed, whatever the schema says. */
function list({ wireType: own, read }: Scalar, index: number): Reading {
  const add = (slots: Slots, input: WireInput): void => {
    const text = read(input);
    input.budget.spend(text.length + 1);
    slots[index] = `${(slots[index] as string | undefined) ?? ''},${text}`;
  };
  return {
    read(slots, wireType, input) {
      if (wireType === own) add(slots, input);
      else if (wireType === WireType.Bytes) {
        const start = input.skipBytes();
        input.within(start, input.at, () => {
          while (input.at < input.end) add(slots, input);
        });
      } else return false;
      return true;
    },
    text: (slot) => `[${(slot as string).slice(1)}]`,
  };
}

/** Where a message is that comes behind a tag; null: behind this one comes none. */
type Extent = (wireType: number, input: WireInput) => { readonly start: number; readonly end: number } | null;

function extentOf({ number, delimitedEncoding }: DescField & { readonly delimitedEncoding: boolean }): Extent {
  if (delimitedEncoding) {
    return (wireType, input) => {
      const start = input.at;
      return wireType === WireType.StartGroup ? { start, end: input.skipGroup(number) } : null;
    };
  }
  return behindLength;
}

/** Finds a message that has its length before it, as all have but groups. */
function behindLength(wireType: number, input: WireInput): ReturnType<Extent> {
  return wireType === WireType.Bytes ? { start: input.skipBytes(), end: input.at } : null;
}

/** A message may come in parts: it is what their bytes are one behind the other. */
function message(
  inner: MessageJson,
  { index, peers, extent }: { index: number; peers: readonly number[]; extent: Extent },
): Reading {
  return {
    read(slots, wireType, input) {
      const found = extent(wireType, input);
      if (found === null) return false;
      for (const peer of peers) slots[peer] = undefined;
      const parts = (slots[index] ??= []) as number[];
      parts.push(found.start, found.end);
      return true;
    },
    text(slot, input) {
      const parts = slot as number[];
      if (parts.length === 2) return inner.json(input, parts[0]!, parts[1]!);
      const pieces: Buffer[] = [];
      for (let at = 0; at < parts.length; at += 2) pieces.push(input.bytes.subarray(parts[at], parts[at + 1]));
      const bytes = Buffer.concat(pieces);
      return inner.json(input.over(bytes), 0, bytes.length);
    },
  };
}

function messages(inner: MessageJson, index: number, extent: Extent): Reading {
  return {
    read(slots, wireType, input) {
      const found = extent(wireType, input);
      if (found === null) return false;
      input.budget.spend(1);
      const text = inner.json(input, found.start, found.end);
      slots[index] = `${(slots[index] as string | undefined) ?? ''},${text}`;
      return true;
    },
    text: (slot) => `[${(slot as string).slice(1)}]`,
  };
}

/** Reads an entry of a map: the JSON of its key and of its value. */
type Entry = (input: WireInput, start: number, end: number) => { readonly key: string; readonly value: string };

/** Of two entries with one key the last one counts. */
function map(entry: Entry, index: number): Reading {
  return {
    read(slots, wireType, input) {
      if (wireType !== WireType.Bytes) return false;
      const start = input.skipBytes();
      const { key, value } = entry(input, start, input.at);
      input.budget.spend(key.length + value.length + 2);
      const entries = (slots[index] ??= new Map<string, string>()) as Map<string, string>;
      entries.set(key, value);
      return true;
    },
    text: (slot) => `{${[...(slot as Map<string, string>)].map(([key, value]) => `${key}:${value}`).join(',')}}`,
  };
}

function entryOf(desc: DescField & { readonly fieldKind: 'map' }, types: MessageTypes): Entry {
  const key = single(scalars[desc.mapKey], { index: 0, peers: [], isImplicit: false });
  const keyZero = scalars[desc.mapKey].zero;
  const [value, valueZero] = entryValue(desc, types);
  return (input, start, end) =>
    input.within(start, end, () => {
      const slots: Slots = [undefined, undefined];
      while (input.at < input.end) {
        const number = input.tag();
        const wireType = input.low & 7;
        const member = number === 1 ? key : number === 2 ? value : null;
        if (member === null || !member.read(slots, wireType, input)) input.skip(wireType, number);
      }
      const keyText = (slots[0] as string | undefined) ?? keyZero;
      return {
        // Names of members are texts, whatever the key is.
        key: keyText.startsWith('"') ? keyText : `"${keyText}"`,
        value: slots[1] === undefined ? valueZero(input) : value.text(slots[1], input)!,
      };
    });
}

function entryValue(
  desc: DescField & { readonly fieldKind: 'map' },
  types: MessageTypes,
): [Reading, (input: WireInput) => string] {
  if (desc.mapKind === 'message') {
    const inner = types.of(desc.message);
    return [
      message(inner, { index: 1, peers: [], extent: behindLength }),
      (input) => inner.json(input, input.end, input.end),
    ];
  }
  const scalar = desc.mapKind === 'enum' ? enumeration(desc.enum) : scalars[desc.scalar];
  return [single(scalar, { index: 1, peers: [], isImplicit: false }), () => scalar.zero];
}
