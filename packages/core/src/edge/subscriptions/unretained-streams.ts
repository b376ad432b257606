import { hubStream, hubTopic, userStream, pipeTopic } from '../../streams.js';
import type { StreamPolicy } from '../../topics.js';
import type { Endpoint } from '../endpoints.js';
import type { HandshakeQuery } from '../handshake/handshake-query.js';
import { RefusalError } from '../refusals.js';
import type { SubscribeRequest } from './subscriber.js';

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
export function hubSubscriptions(hub: string | null, user: string | null): SubscribeRequest[] {
  if (hub === null || user === null) return [];
  const target = { kind: 'hub', name: hub, policy: HUB_POLICY, after: null } as const;
  return [
    { ...target, stream: hubStream(hub), shared: true },
    { ...target, stream: userStream(hubTopic(hub), user), shared: false },
  ];
}

/** What a backend sends is not kept. */
const PIPE_POLICY: StreamPolicy = {
  name: 'pipe',
  type: 'pipe',
  retention: null,
  slow: 'queue',
  queueBytes: 256 * 1024,
  snapshot: false,
  ack: false,
};

/** The stream of a connection that is piped to a backend: what the backend sends this user, over whichever node's link. */
export function pipeSubscriptions({ pipe }: Endpoint, user: string | null): SubscribeRequest[] {
  if (pipe === null || user === null) return [];
  const stream = userStream(pipeTopic(pipe.name), user);
  return [{ kind: 'pipe', name: pipe.name, policy: PIPE_POLICY, stream, shared: false, after: null }];
}

/** There is no frame that could carry a topic: who asks for one must not believe that it is subscribed. */
export function rejectTopicsOnPipe({ pipe }: Endpoint, query: HandshakeQuery): void {
  if (pipe === null || (query.topics.length === 0 && query.recover.size === 0)) return;
  throw new RefusalError('bad_request', 'topics, recover: not here; all of this endpoint is piped to a backend');
}
