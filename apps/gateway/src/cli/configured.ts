import type { Config } from '../config/config.js';
import { loadConfig, type FlagValue, type Loaded } from '../config/load.js';
import type { Purpose } from '../config/rules/rule.js';
import { badConfig } from './exit.js';

export interface ConfigFlags {
  readonly config?: string;
}

/** The option that every command with a configuration has. */
export const configOption = [
  '-c, --config <file>',
  'configuration file (default: ./config.yaml, if there is one)',
] as const;

/** Command-line flags by the key path they stand for. */
export type Flags = Readonly<Record<string, FlagValue | undefined>>;

export function flag(name: string, text: string | undefined): FlagValue | undefined {
  return text === undefined ? undefined : { flag: `--${name}`, text };
}

/** Ends the command (exit 2) with everything that is wrong. */
export function configured(options: ConfigFlags, purpose: Purpose, flags: Flags = {}): Config {
  return checked(options, purpose, flags).config;
}

export function checked(options: ConfigFlags, purpose: Purpose, flags: Flags = {}): Loaded {
  const loaded = read(options, purpose, flags);
  if (loaded.findings.length > 0) throw badConfig(loaded.findings);
  return loaded;
}

/** Everything that is wrong is in `findings`. */
export function read(options: ConfigFlags, purpose: Purpose, flags: Flags = {}): Loaded {
  return loadConfig({ file: options.config, env: process.env, purpose, flags });
}
