import { hubStream, hubTopic, pipeTopic, subscriptionStream, userStream } from '../../streams.js';
import { unretainedPolicy } from '../../stream-policy.js';
import type { SubscribeRequest } from '../delivery/connection.js';

/** Policy of hubs: what is said there is not kept. */
const HUB_POLICY = unretainedPolicy('hub');
/** Policy of pipes: what a back end sends is not kept. */
const PIPE_POLICY = unretainedPolicy('pipe');
/** Updates to a subscription id are not kept: a client that comes back asks its command again. */
const SUBSCRIPTION_POLICY = unretainedPolicy('subscription');

/** The streams of every connection of a hub: what is said to all of it, and to the user within it. */
export function hubSubscriptions(hub: string | null, user: string | null): SubscribeRequest[] {
  if (hub === null || user === null) return [];
  const target = { kind: 'hub', name: hub, policy: HUB_POLICY, after: null } as const;
  return [
    { ...target, stream: hubStream(hub), shared: true },
    { ...target, stream: userStream(hubTopic(hub), user), shared: false },
  ];
}

/** The stream of a connection that is piped to a back end: what that sends this user, over whichever node's link. */
export function pipeSubscriptions(backend: string, user: string | null): SubscribeRequest[] {
  if (user === null) return [];
  const stream = userStream(pipeTopic(backend), user);
  return [{ kind: 'pipe', name: backend, policy: PIPE_POLICY, stream, shared: false, after: null }];
}

/** The stream of a subscription id. */
export function idSubscription(id: string): SubscribeRequest {
  const stream = subscriptionStream(id);
  return { kind: 'subscription', name: id, policy: SUBSCRIPTION_POLICY, stream, shared: true, after: null };
}
