import type { BackendLinkStats, EdgeStats } from '@ws-gateway/core';
import type { MetricDefinition } from './metric-definition.js';
import type { Reading } from './reading.js';

const requestMetrics: readonly MetricDefinition[] = [
  {
    ...{ name: 'backend_requests_in_flight', type: 'gauge', labels: [] },
    help: 'Calls of commands to HTTP backends under way, of at most backends.requestPoolSize. At it for long: a backend is too slow.',
    read: ({ edge }) => edge.backendRequests.inFlight,
  },
  {
    ...{ name: 'backend_requests_queued', type: 'gauge', labels: [] },
    help: 'Calls that wait for a place, of at most backends.requestQueueSize; beyond it the answer is busy.',
    read: ({ edge }) => edge.backendRequests.queued,
  },
  {
    ...{ name: 'backend_request_duration_seconds', type: 'histogram', labels: ['command'] },
    help: 'Time of a call, the wait for a place not included, also of one that failed.',
    read: ({ edge }) => edge.backendRequests.seconds,
  },
  {
    ...{ name: 'backend_request_errors_total', type: 'counter', labels: ['command', 'reason'] },
    help: 'Calls without a usable answer: busy, timeout, unreachable, too_large, bad_answer, circuit_open (the backend gave no answer for too often, and was not asked), or by status. Growth: see that backend.',
    read: ({ edge }) => edge.backendRequests.errors,
  },
];

const linkMetrics: readonly MetricDefinition[] = [
  {
    ...{ name: 'backend_link_up', type: 'gauge', labels: ['backend'] },
    help: 'Links to the backend that are open, one a node. Fewer than nodes for long: the backend is away for some.',
    read: ({ edge }) => ofLinks(edge, ({ up }) => (up ? 1 : 0)),
  },
  {
    ...{ name: 'backend_link_connects_total', type: 'counter', labels: ['backend'] },
    help: 'Links made. Lasting growth: they do not hold.',
    read: ({ edge }) => ofLinks(edge, ({ connects }) => connects),
  },
  {
    ...{ name: 'backend_link_losses_total', type: 'counter', labels: ['backend'] },
    help: 'Links that broke or were closed by the backend.',
    read: ({ edge }) => ofLinks(edge, ({ losses }) => losses),
  },
  {
    ...{ name: 'backend_link_clients', type: 'gauge', labels: ['backend'] },
    help: 'Clients of the endpoint, those included whose end the backend has still to be told.',
    read: ({ edge }) => ofLinks(edge, ({ clients }) => clients),
  },
  {
    ...{ name: 'backend_link_waiting_events', type: 'gauge', labels: ['backend'] },
    help: 'Events that wait for the link. Growing while it is up: the backend reads too slowly.',
    read: ({ edge }) => ofLinks(edge, ({ waitingEvents }) => waitingEvents),
  },
  {
    ...{ name: 'backend_link_waiting_bytes', type: 'gauge', labels: ['backend'] },
    help: 'Bytes of the events that wait for the link, of at most queueBytes of the backend, and of messages over the rate of their clients.',
    read: ({ edge }) => ofLinks(edge, ({ waitingBytes, heldBytes }) => waitingBytes + heldBytes),
  },
  {
    ...{ name: 'backend_link_overflows_total', type: 'counter', labels: ['backend'] },
    help: 'Clients closed with 1013 because no more events could wait, or because they had most waiting. Any growth: the backend is away or too slow.',
    read: ({ edge }) => ofLinks(edge, ({ overflows }) => overflows),
  },
  {
    ...{ name: 'backend_link_events_total', type: 'counter', labels: ['backend', 'event'] },
    help: 'Events written to the link. An open is written again to each new link.',
    read: ({ edge }) => ofLinks(edge, ({ events }) => events),
  },
  {
    ...{ name: 'backend_link_actions_total', type: 'counter', labels: ['backend', 'result'] },
    help: 'What the backend asked for: the action, or why it was not carried out. Errors in numbers: ask its makers.',
    read: ({ edge }) => ofLinks(edge, ({ actions }) => actions),
  },
];

/** Metrics of back ends that are asked by HTTP, and of those behind sockets. */
export const backendMetrics: readonly MetricDefinition[] = [...requestMetrics, ...linkMetrics];

/** Reads one figure of each link, by back end. */
function ofLinks(edge: EdgeStats, read: (link: BackendLinkStats) => Reading): Map<string, Reading> {
  return new Map(Array.from(edge.links, ([backend, link]) => [backend, read(link)]));
}
