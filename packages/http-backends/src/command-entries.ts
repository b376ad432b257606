import type { CommandSpec } from './command-spec.js';
import { defaultCommands } from './default-commands.js';

/** One entry of `commands` in the configuration, with all keys; '' and {} mean none (backend, body: as the default). */
export interface CommandEntry {
  readonly endpoints: readonly string[];
  readonly backend: string;
  readonly method: NonNullable<CommandSpec['method']>;
  readonly path: string;
  readonly required: readonly string[];
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, string>>;
  readonly subscribe: string;
}

/**
 * The table of the configuration. An entry with the name of a default command keeps what a configuration has no key for
 * (schema of the options, shape of the answer, what the subscription id is made of); defaults without an entry stay.
 */
export function commandSpecsOf(entries: Readonly<Record<string, CommandEntry>>): readonly CommandSpec[] {
  const specs = new Map(defaultCommands.map((spec) => [spec.name, spec]));
  for (const [name, entry] of Object.entries(entries)) specs.set(name, specOf(name, entry, specs.get(name)));
  return [...specs.values()];
}

function specOf(name: string, entry: CommandEntry, base: CommandSpec | undefined): CommandSpec {
  const { subscribe, body, backend, ...call } = entry;
  const { subscription: baseSubscription, ...kept } = base ?? { backend };
  const hasBody = Object.keys(body).length > 0;
  return {
    ...kept,
    ...call,
    ...(hasBody ? { body } : {}),
    ...(subscribe === '' ? {} : { subscription: subscriptionOf(subscribe, baseSubscription) }),
    backend: backend || kept.backend,
    name,
  };
}

function subscriptionOf(resource: string, base: CommandSpec['subscription']): NonNullable<CommandSpec['subscription']> {
  return base?.resource === resource ? base : { resource, where: 'where' };
}
