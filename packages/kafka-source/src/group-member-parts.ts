import type { Logger, RecordSink, RouterStats } from '@ws-gateway/core';
import type { GroupExit } from './group-exit.js';
import type { KafkaConnectionOptions } from './options.js';
import type { StartPositions } from './start-positions.js';
import type { TopicTrouble } from './topic-trouble.js';

export interface GroupMemberOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  /** The member before this one: one that crashed could perhaps not leave, and the group would wait for it. */
  readonly predecessor: string | null;
}

export interface GroupMemberParts {
  readonly connection: KafkaConnectionOptions;
  readonly exit: GroupExit;
  readonly positions: StartPositions;
  readonly trouble: TopicTrouble;
  readonly sink: RecordSink;
  readonly logger: Logger;
  readonly stats?: Pick<RouterStats, 'kafkaErrors'> | undefined;
}
