import { hubStream, hubTopic, userStream } from '../streams.js';
import type { StreamPolicy } from '../topics.js';
import type { JoinRequest } from './joiner.js';

/** What is said in a hub is not kept. */
const HUB_POLICY: StreamPolicy = {
  name: 'hub',
  type: 'hub',
  retention: null,
  slow: 'queue',
  queueBytes: 256 * 1024,
  snapshot: false,
  ack: false,
};

/** The streams of every connection of a hub: what is said to all of it, and to the user within it. */
export function hubRequests(hub: string | null, user: string | null): JoinRequest[] {
  if (hub === null || user === null) return [];
  const target = { kind: 'hub', name: hub, policy: HUB_POLICY, after: null } as const;
  return [
    { ...target, stream: hubStream(hub), shared: true },
    { ...target, stream: userStream(hubTopic(hub), user), shared: false },
  ];
}
