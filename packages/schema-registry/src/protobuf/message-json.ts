import type { DescMessage } from '@bufbuild/protobuf';
import { compileField, type Field, type Slots } from './fields.js';
import type { MessageTypes } from './message-types.js';
import { specialJson, type SpecialJson } from './special-json.js';
import type { WireInput } from './wire-input.js';

/** Makes proto3 JSON, with the names of the .proto file, of messages of one type. */
export class MessageJson {
  readonly #desc: DescMessage;
  readonly #types: MessageTypes;
  readonly #special: SpecialJson | null;
  #fields: readonly Field[] | null = null;
  readonly #byNumber = new Map<number, Field>();

  constructor(desc: DescMessage, types: MessageTypes) {
    this.#desc = desc;
    this.#types = types;
    this.#special = specialJson(desc.typeName);
  }

  /** Types with a form of their own have no members. */
  get isSpecial(): boolean {
    return this.#special !== null;
  }

  /** Reads the message that is in `start` to `end` of the input. */
  json(input: WireInput, start: number, end: number): string {
    return input.within(start, end, () => {
      const texts = this.#texts(input);
      return this.#special === null ? `{${this.#members(input, texts)}}` : this.#special(texts, input, this.#types);
    });
  }

  /** JSON of each field, in the order of their declaration; null: it is left out. */
  #texts(input: WireInput): (string | null)[] {
    // A type may be inside itself, so its fields are compiled when they are needed.
    const fields = (this.#fields ??= this.#compile());
    const slots: Slots = new Array<undefined>(fields.length).fill(undefined);
    while (input.at < input.end) {
      const number = input.tag();
      const wireType = input.low & 7;
      const field = this.#byNumber.get(number);
      // What does not fit the schema counts as what the schema does not know, as in all implementations.
      if (field === undefined || !field.read(slots, wireType, input)) input.skip(wireType, number);
    }
    return fields.map((field, index) => {
      const slot = slots[index];
      return slot === undefined ? null : field.text(slot, input);
    });
  }

  #members(input: WireInput, texts: readonly (string | null)[]): string {
    let members = '';
    for (let index = 0; index < texts.length; index++) {
      const text = texts[index]!;
      if (text === null) continue;
      const { head } = this.#fields![index]!;
      input.budget.spend(head.length + 1);
      members += members === '' ? head + text : `,${head}${text}`;
    }
    input.budget.spend(2);
    return members;
  }

  #compile(): Field[] {
    const { fields } = this.#desc;
    return fields.map((desc, index) => {
      const peers = (desc.oneof?.fields ?? []).filter((peer) => peer !== desc).map((peer) => fields.indexOf(peer));
      const field = compileField({ desc, index, peers }, this.#types);
      this.#byNumber.set(desc.number, field);
      return field;
    });
  }
}
