export { CommandTable, createCommandTable, type BackendsOptions } from './command-table.js';
export { CommandTableError, type CommandTableErrorCode } from './command-table-error.js';
export type { CommandEntries, CommandEntry } from './command-entry.js';
export { outcomeCodes } from './outcome.js';
