import type { Logger, TopicPolicy } from '@ws-gateway/core';
import { AuthConfigError } from '@ws-gateway/jwt-auth';
import type { Config } from '../config/config.js';
import { findingText } from '../config/language/finding.js';
import { mergeLive } from '../config/language/live-merge.js';
import type { Tree } from '../config/language/tree.js';
import type { Loaded } from '../config/load.js';
import { configOf } from '../config/resolve.js';
import { schema } from '../config/schema/schema.js';

/** A part that has to act when a live key changes. Those that read their options where they use them need not. */
export interface Reloadable {
  /** Throws the part's own error when it could not work with this configuration, before any part has changed. */
  check?(config: Config): void;
  reload(config: Config): void;
}

/** Changes that a new configuration brought, by key path. */
export interface ConfigChanges {
  readonly changed: readonly string[];
  readonly waiting: readonly string[];
}

/**
 * The configuration that applies now. Live keys get new values while the node runs; all others keep those of the start,
 * so that a part which was made from them is never at odds with one that looks later.
 */
export class LiveConfig {
  #config: Config;
  #tree: Tree;
  readonly #parts: Reloadable[] = [];

  constructor(config: Config, tree: Tree) {
    this.#config = config;
    this.#tree = tree;
  }

  get config(): Config {
    return this.#config;
  }

  /** The same in written form. */
  get tree(): Tree {
    return this.#tree;
  }

  /** The part is told of each change from here on. */
  add(part: Reloadable): void {
    this.#parts.push(part);
  }

  /** `next` is complete and has no findings. Throws what a part says of it; then nothing has changed. */
  replace(next: Tree): ConfigChanges {
    const { tree, changed, waiting } = mergeLive(schema, this.#tree, next);
    const config = configOf(tree);
    for (const part of this.#parts) part.check?.(config);
    this.#config = { ...config, topics: updated(this.#config.topics, config.topics) };
    this.#tree = tree;
    for (const part of this.#parts) part.reload(this.#config);
    return { changed, waiting };
  }
}

/** False: it was not taken over. `waiting` names the keys that differ from what runs and need a restart. */
export function reloaded(live: LiveConfig, next: Pick<Loaded, 'tree' | 'findings'>, logger: Logger): boolean {
  const refuse = (problems: readonly string[]): boolean => {
    logger.error('configuration not reloaded, it has problems', { problems });
    return false;
  };
  if (next.findings.length > 0) return refuse(next.findings.map(findingText));
  try {
    logger.info('configuration reloaded', { ...live.replace(next.tree) });
    return true;
  } catch (error) {
    if (!(error instanceof AuthConfigError)) throw error;
    return refuse([error.message]);
  }
}

type Topics = ReadonlyMap<string, TopicPolicy>;

/** Subscriptions of open connections hold the policies themselves, so the values change in these. */
function updated(running: Topics, next: Topics): Topics {
  for (const [name, policy] of running) {
    const { slow, queueBytes, ttlMs } = next.get(name) ?? policy;
    Object.assign(policy, { slow, queueBytes, ttlMs });
  }
  return running;
}
