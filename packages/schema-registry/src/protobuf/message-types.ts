import type { DescMessage, Registry } from '@bufbuild/protobuf';
import { MessageJson } from './message-json.js';

/** The message types of one schema. Each is compiled once. */
export class MessageTypes {
  readonly #registry: Registry;
  readonly #known = new Map<DescMessage, MessageJson>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  of(desc: DescMessage): MessageJson {
    let type = this.#known.get(desc);
    if (type === undefined) this.#known.set(desc, (type = new MessageJson(desc, this)));
    return type;
  }

  /** null: the schema has no such type. */
  named(typeName: string): MessageJson | null {
    const desc = this.#registry.getMessage(typeName);
    return desc === undefined ? null : this.of(desc);
  }
}
