export { CommandTable, createCommandTable, type BackendsOptions } from './command-table.js';
export { CommandTableError, type CommandTableErrorCode } from './command-table-error.js';
export { commandSpecsOf, type CommandEntry } from './command-entries.js';
export type { CommandSpec, SubscriptionSpec } from './command-spec.js';
export { defaultCommands } from './default-commands.js';
export { outcomeCodes } from './outcome.js';
