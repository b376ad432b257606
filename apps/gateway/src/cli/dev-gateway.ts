import type { TopicPolicy } from '@ws-gateway/core';
import type { LocalServers } from '@ws-gateway/local-servers';
import type { Config } from '../config/config.js';
import type { RunningGateway } from '../node/serve.js';

/** What `dev` has started. */
export interface DevGateway {
  /** Configuration file as the user wrote it; null: none. */
  readonly file: string | null;
  readonly config: Config;
  readonly servers: LocalServers;
  readonly gateway: RunningGateway;
  readonly user: string;
  readonly token: string;
  /** The topic of the examples that `dev` prints; null: none can be had. */
  readonly topic: TopicPolicy | null;
}
