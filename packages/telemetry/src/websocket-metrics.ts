import type { LabelCounter } from '@ws-gateway/core';
import type { MetricDefinition } from './metric-definition.js';

export const websocketMetrics: readonly MetricDefinition[] = [
  {
    ...{ name: 'websocket_active_connections', type: 'gauge', labels: [] },
    help: 'Sockets open now. Falls to zero in a drain; far from its siblings for long: connections are not spread.',
    read: ({ edge }) => edge.activeConnections,
  },
  {
    ...{ name: 'websocket_connections_limit', type: 'gauge', labels: [] },
    help: 'Sockets that this process holds at most (limits.connections). Close to websocket_active_connections: add nodes.',
    read: ({ edge }) => edge.connectionsMax,
  },
  {
    ...{ name: 'websocket_active_users', type: 'gauge', labels: [] },
    help: 'Users with at least one open socket here. Summed over workers, so a user with sockets on two counts twice.',
    read: ({ edge }) => edge.users,
  },
  {
    ...{ name: 'websocket_connections_total', type: 'counter', labels: [] },
    help: 'Completed handshakes. Growing much faster than active connections: clients reconnect in a loop.',
    read: ({ edge }) => edge.connectionsTotal,
  },
  {
    ...{ name: 'websocket_connection_duration_seconds', type: 'histogram', labels: [] },
    help: 'Life of a socket, observed at its end. Many short ones: clients are turned away or their network is bad.',
    read: ({ edge }) => edge.connectionSeconds,
  },
  {
    ...{ name: 'websocket_unexpected_close_total', type: 'counter', labels: [] },
    help: 'Sockets that ended without a close frame. Lasting growth: networks or proxies cut connections.',
    read: ({ edge }) => edge.unexpectedCloses,
  },
  {
    ...{ name: 'websocket_closes_total', type: 'counter', labels: ['code'] },
    help: 'Closed sockets by close code. 4000-4499 ask the client to reconnect, 4500-4999 not to. `client`: a code from 3000 to 4999 that a client invented.',
    read: ({ edge }) => edge.closes,
  },
  {
    ...{ name: 'descriptors_exhausted', type: 'gauge', labels: [] },
    help: '1 while the process has hardly any file descriptor left: new clients are refused. Raise the limit, or look who holds them.',
    read: ({ edge }) => Number(edge.isShortOfDescriptors),
  },
  {
    ...{ name: 'tcp_connections_dropped_total', type: 'counter', labels: [] },
    help: 'Connections ended before they were heard, for want of file descriptors. Grows: somebody opens connections and is silent.',
    read: ({ edge }) => edge.connectionsDropped,
  },
  {
    ...{ name: 'websocket_handshakes_in_flight', type: 'gauge', labels: [] },
    help: 'Handshakes that are not decided yet. High for long: Redis, the key set or auth.callback answers slowly.',
    read: ({ edge }) => edge.handshakesInFlight,
  },
  {
    ...{ name: 'websocket_refusals_total', type: 'counter', labels: ['code'] },
    help: 'Handshakes that were refused, by code. The first of each code and address in a minute is a line of the log.',
    read: ({ edge }) => edge.refusals,
  },
  {
    ...{ name: 'websocket_auth_errors_total', type: 'counter', labels: [] },
    help: 'Handshakes refused for their token. A step up: a key was changed on one side only, or clients do not renew.',
    read: ({ edge }) => total(edge.authErrors),
  },
  {
    ...{ name: 'auth_key_set_age_seconds', type: 'gauge', labels: ['issuer'], aggregator: 'max' },
    help: 'Time since the key set of an issuer was last read, or since the start when it never was. Well above 600: the issuer is away, and its last keys are used on until auth.jwksMaxStale.',
    read: ({ edge }) =>
      new Map([...edge.keySetReadMs].map(([issuer, ms]) => [issuer, (performance.now() - ms) / 1000])),
  },
  {
    ...{ name: 'websocket_messages_sent_total', type: 'counter', labels: ['type'] },
    help: 'Frames written to sockets, by the default type of their topic, or what else they are.',
    read: ({ edge }) => edge.messagesSent,
  },
  {
    ...{ name: 'websocket_messages_received_total', type: 'counter', labels: ['type'] },
    help: 'Frames read from sockets, by type. Growing without connections growing: a client floods.',
    read: ({ edge }) => edge.messagesReceived,
  },
  {
    ...{ name: 'websocket_bytes_sent_total', type: 'counter', labels: [] },
    help: 'Bytes of frames written to sockets, before compression.',
    read: ({ edge }) => edge.bytesSent,
  },
  {
    ...{ name: 'websocket_bytes_received_total', type: 'counter', labels: [] },
    help: 'Bytes of frames read from sockets.',
    read: ({ edge }) => edge.bytesReceived,
  },
  {
    ...{ name: 'websocket_message_latency_seconds', type: 'histogram', labels: [] },
    help: 'From a batch reaching this node to the write to the socket. Lasting high values: this process is too busy.',
    read: ({ edge }) => edge.messageLatency,
  },
  {
    ...{ name: 'websocket_message_buffer_size', type: 'gauge', labels: [] },
    help: 'Frames that wait for slow clients now; what the transport holds for a socket counts as one. Never back to zero: some client reads too slowly for its topics.',
    read: ({ edge }) => edge.bufferedFrames + edge.transportBacklogs,
  },
  {
    ...{ name: 'websocket_message_buffer_bytes', type: 'gauge', labels: [] },
    help: 'Bytes that slow clients have not taken: live frames, replays and answers, in queues and in the transport. Bounded by queueBytes a topic and client.',
    read: ({ edge }) => edge.bufferedBytes,
  },
  {
    ...{ name: 'websocket_message_buffer_overflow_total', type: 'counter', labels: [] },
    help: 'Times the queue of a slow client was full. Growth: raise queueBytes, or have the topic conflate.',
    read: ({ edge }) => edge.bufferOverflows,
  },
  {
    ...{ name: 'message_age_seconds', type: 'histogram', labels: ['topic'] },
    help: 'From the time of the Kafka record to the write to the socket. Includes the clocks of the producers.',
    read: ({ edge }) => edge.messageAge,
  },
  {
    ...{ name: 'resumes_total', type: 'counter', labels: ['result'] },
    help: 'Streams resumed, by result. Not recovered in numbers: the history is too short for how long clients are away.',
    read: ({ edge }) => edge.resumes,
  },
  {
    ...{ name: 'slow_consumer_actions_total', type: 'counter', labels: ['policy'] },
    help: 'What was done to slow clients, by policy. Lasting growth: clients do not keep up with their topics.',
    read: ({ edge }) => edge.slowConsumerActions,
  },
  {
    ...{ name: 'drain_remaining_connections', type: 'gauge', labels: [] },
    help: 'Sockets a drain has still to close; zero when none is under way. Standing still: the drain is stuck.',
    read: ({ edge }) => edge.drainRemaining,
  },
  {
    ...{ name: 'blocks_enforced_total', type: 'counter', labels: [] },
    help: 'Connections closed or refused because their user is blocked.',
    read: ({ edge }) => edge.blocksEnforced,
  },
];

function total(counter: LabelCounter): number {
  let sum = 0;
  for (const value of counter.values.values()) sum += value;
  return sum;
}
