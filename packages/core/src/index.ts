export * from './backend-commands.js';
export * from './backend-links.js';
export * from './close-codes.js';
export { Deadlines, type Expiring } from './deadlines.js';
export { endByDefect } from './defects.js';
export * from './engine.js';
export * from './inbox.js';
export { Backoff, sleep, type BackoffOptions } from './backoff.js';
export { GuessLimiter } from './guess-limiter.js';
export * from './errors.js';
export * from './handshakes.js';
export * from './history-text.js';
export * from './http-server.js';
export { isObject, objectIn, own } from './json.js';
export { LeaseObserver, type Life, type ShownLease } from './lease-observer.js';
export * from './logger.js';
export { livingOf, type MessageLife } from './message-life.js';
export * from './memory-engine/memory-engine.js';
export * from './names.js';
export { initialStatus } from './node-status.js';
export * from './node-commands.js';
export * from './outcomes/outcome.js';
export * from './paths.js';
export { PingWheel, type Pinged } from './ping-wheel.js';
export * from './record-source.js';
export { refusalAnswer } from './refusal-answer.js';
export { formatStartNote } from './router/commit-note.js';
export { SseTransport, type SseTransportOptions } from './sse/sse-transport.js';
export type { Revocation, TokenTraits } from './revocation.js';
export type { RouterBeat, ShownBeat } from './router-beat.js';
export { slowPolicies, slowPolicyNames, type SlowPolicyName } from './slow-policies.js';
export type { SourceClaim, SourceMark, SourcePosition } from './source-position.js';
export { proofOf } from './router/log-identity.js';
export * from './stats.js';
export * from './streams.js';
export * from './token-verifier.js';
export { unretainedPolicy, type StreamPolicy } from './stream-policy.js';
export * from './topics.js';
export * from './transport.js';
export { audienceText } from './trace/audience-text.js';
export { traceEvents, type TraceStep, type TraceSubject } from './trace/trace-command.js';
export { Traces, type OpenTrace, type TraceListener } from './trace/traces.js';
export { nothingTraced, publishTraced, TraceSwitch, type Tracing } from './trace/tracing.js';
export { createEdge, type EdgeDeps, type EdgeOptions } from './edge/create-edge.js';
export { Edge } from './edge/edge.js';
export {
  connectedFrame,
  errorFrame,
  pushHead,
  reconnectFrame,
  refusedFrame,
  responseFrame,
  type ConnectedPayload,
  type ConnectedStream,
  type ConnectedTopic,
  type PushFields,
  type ResponseStatus,
} from './frame.js';
export { Router, type RouterDeps, type RouterOptions } from './router/router.js';
export { pipeErrorCodes } from './edge/pipes/action-text.js';
export { refusalStatuses } from './edge/refusals.js';
export { requestErrorCodes } from './edge/commands/command-dispatcher.js';
export { EngineNotifier } from './engine-notifier.js';
export type { SentMessage, SentMessages } from './edge/commands/send-command.js';
export { formatGivenTime, parseRfc3339 } from './records/rfc3339.js';
export { memberText } from './records/json/member-text.js';
export { RecordDecoder } from './records/record-decoder.js';
export { APPLIED_HEADER } from './records/headers.js';
export { formats, recordFormats, type Format, type RecordFormat } from './records/formats/formats.js';
export {
  audienceMembers,
  mapMembers,
  parseSelector,
  type Condition,
  type AudienceMember,
  type MapMember,
  type RecordMap,
  type Scalar,
} from './records/map/selector.js';
export type { SchemaFormat, SchemaReader, SchemaValue } from './records/schema-reader.js';
export {
  reject,
  rejectionCodes,
  type RejectionCode,
  type Rejection,
  type DecodeContext,
  type Decoded,
  type Pending,
} from './records/decoded.js';
export {
  ClusterSurvey,
  type ClusterSurveyDeps,
  type RoomMembers,
  type SubscriptionCounts,
} from './edge/node/cluster-survey.js';
export type { ConnectionRow } from './edge/node/connection-survey.js';
export type { NodeReading, ReadingLog } from './node-readings.js';
export { connectionViews, type ConnectionView } from './presence-view.js';
export * from './notifier.js';
export { EventLog } from './outgoing/event-log.js';
export { OutcomeReporter } from './outgoing/outcome-reporter.js';
export { PresenceEvents } from './outgoing/presence-events.js';
export type { Span, SpanSink } from './spans/span.js';
export { SubscriptionEvents } from './outgoing/subscription-events.js';
export { SentRecords } from './outgoing/sent-records.js';
