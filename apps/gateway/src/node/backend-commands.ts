import { createCommandTable, type CommandTable } from '@ws-gateway/http-backends';
import type { BackendRequestStats } from '@ws-gateway/core';
import type { Config } from '../config/config.js';

/** The commands of the configuration over its HTTP backends. Throws CommandTableError for a table that cannot work. */
export function createBackendCommands(config: Config, stats: BackendRequestStats): CommandTable {
  const { requestPoolSize, requestQueueSize, http } = config.backends;
  return createCommandTable(config.commands, { requestPoolSize, requestQueueSize, http }, stats);
}
