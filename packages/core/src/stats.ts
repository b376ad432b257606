import { closeCodes } from './close-codes.js';
import { refusalStatuses } from './edge/refusals.js';
import { engineErrorCodes } from './errors.js';
import { outcomes } from './outcomes/outcome.js';
import type { TopicTroubleState } from './record-source.js';
import { slowPolicyNames } from './slow-policies.js';

/**
 * Plain counters: the hot path adds to a number, and telemetry reads them when it is scraped (a bound prom-client child
 * costs thirty times as much a call). No third-party code here; names of the series are telemetry's business.
 */

/** A counter with one label of few values. Values beyond `labelsMax` are counted as `other`, so no series can run away. */
export class LabelCounter {
  readonly values = new Map<string, number>();
  readonly #labelsMax: number;

  constructor(labelsMax = 200) {
    this.#labelsMax = labelsMax;
  }

  /** These are there from the start: a series that begins with 1 has not grown for whoever asks for its increase. */
  static of(labels: readonly string[]): LabelCounter {
    const counter = new LabelCounter();
    for (const label of labels) counter.add(label, 0);
    return counter;
  }

  add(label: string, amount = 1): void {
    const value = this.values.get(label);
    if (value !== undefined) this.values.set(label, value + amount);
    else if (this.values.size < this.#labelsMax) this.values.set(label, amount);
    else this.values.set('other', (this.values.get('other') ?? 0) + amount);
  }
}

/** Cumulative histogram with fixed upper bounds in the unit observed (seconds, by Prometheus' convention). */
export class Histogram {
  readonly bounds: readonly number[];
  /** One count per bound and one beyond the last; not cumulative. */
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    counts[bucket]!++;
    this.sum += value;
    this.count++;
  }
}

/** From half a millisecond up to ten seconds. */
export const LATENCY_BOUNDS_SECONDS = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

/** Of RFC 6455, those that clients and networks bring about every day. */
const WIRE_CODES = [1000, 1001, 1005, 1006] as const;

const CONNECTION_BOUNDS_SECONDS = [1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400] as const;

export class EdgeStats {
  activeConnections = 0;
  users = 0;
  /** Sockets that this process may hold; 0: no limit. */
  connectionsMax = 0;
  connectionsTotal = 0;
  /** The process has hardly any file descriptor left. */
  isShortOfDescriptors = false;
  /** Connections that were ended unheard, because the process had no descriptor for them. */
  connectionsDropped = 0;
  /** Handshakes that are not decided yet. */
  handshakesInFlight = 0;
  unexpectedCloses = 0;
  readonly authErrors = new LabelCounter();
  /** By issuer: when its key set was last read, in ms of `performance.now()`. */
  readonly keySetReadMs = new Map<string, number>();
  readonly closes = LabelCounter.of([...WIRE_CODES, ...Object.values(closeCodes), 'client'].map(String));
  /** Handshakes that were refused, by code. */
  readonly refusals = LabelCounter.of([...Object.keys(refusalStatuses), 'upgrade_required']);
  readonly connectionSeconds = new Histogram(CONNECTION_BOUNDS_SECONDS);
  /** By message type (`notification`, `room`, `response`, …). */
  readonly messagesSent = new LabelCounter();
  readonly messagesReceived = new LabelCounter();
  bytesSent = 0;
  bytesReceived = 0;
  /** Time from the engine's batch arriving here to the socket write. */
  readonly messageLatency = new Histogram(LATENCY_BOUNDS_SECONDS);
  /** Record timestamp to socket write, by topic. */
  readonly messageAge = new Map<string, Histogram>();
  /** Frames that wait in slow queues, a second ago at most. */
  bufferedFrames = 0;
  /** Bytes of them and of what transports hold for slow sockets, a second ago at most. */
  bufferedBytes = 0;
  /** Sockets for which a transport holds something, a second ago at most. */
  transportBacklogs = 0;
  /** Connections that do not keep up, a second ago at most. */
  slowConnections = 0;
  /** Times that a slow queue was full. */
  bufferOverflows = 0;
  readonly slowConsumerActions = LabelCounter.of(slowPolicyNames);
  readonly resumes = LabelCounter.of(['recovered', 'lost']);
  /** Unacknowledged messages that the history lost before their user came back, by topic. */
  readonly expired = new LabelCounter();
  blocksEnforced = 0;
  /** Presence and subscription events that Kafka was away for too long for, by topic. */
  readonly eventsDropped = new LabelCounter();
  drainRemaining = 0;
  readonly backendRequests = new BackendRequestStats();
  /** By backend, of the configured ones. */
  readonly links = new Map<string, BackendLinkStats>();

  link(backend: string): BackendLinkStats {
    let link = this.links.get(backend);
    if (link === undefined) this.links.set(backend, (link = new BackendLinkStats()));
    return link;
  }
}

/** The link to one backend. */
export class BackendLinkStats {
  up = false;
  connects = 0;
  losses = 0;
  clients = 0;
  waitingEvents = 0;
  waitingBytes = 0;
  /** Bytes of messages over their client's rate, which wait before they count as waiting. */
  heldBytes = 0;
  /** Clients closed because no more could wait. */
  overflows = 0;
  /** Written to the link, by event. */
  readonly events = new LabelCounter();
  /** What the backend asked for: the action, or why it was not carried out. */
  readonly actions = new LabelCounter();
}

/** Calls of commands to HTTP backends. Labels are names of configured commands, so they are few. */
export class BackendRequestStats {
  inFlight = 0;
  queued = 0;
  /** By command: the call itself, without the wait for a place. */
  readonly seconds = new Map<string, Histogram>();
  /** By command and reason. */
  readonly errors = new Map<string, LabelCounter>();

  observe(command: string, seconds: number): void {
    let histogram = this.seconds.get(command);
    if (histogram === undefined) this.seconds.set(command, (histogram = new Histogram(LATENCY_BOUNDS_SECONDS)));
    histogram.observe(seconds);
  }

  failed(command: string, reason: string): void {
    let counter = this.errors.get(command);
    if (counter === undefined) this.errors.set(command, (counter = new LabelCounter()));
    counter.add(reason);
  }
}

export class RouterStats {
  /** By topic. */
  readonly messagesProcessed = new LabelCounter();
  readonly deadLetters = new Map<string, LabelCounter>();
  /** Dead letters that the broker refused for good, by the refusal's code. */
  readonly deadLettersLost = new LabelCounter();
  /** When the last of them was lost (performance.now). */
  deadLettersLostMs = -Infinity;
  readonly expired = new LabelCounter();
  /** Records that `when` or `tombstone: skip` wants no message of. */
  readonly skipped = new LabelCounter();
  deserializeErrors = 0;
  /** Besides these the codes of the driver. */
  readonly kafkaErrors = LabelCounter.of(['commit', 'dead_letter_write', 'queue_full']);
  readonly messagesByType = new LabelCounter(100);
  readonly messagesByUser = new LabelCounter(1_000_000);
  /** See RecordSourceStatus.troubles. */
  topicTroubles: readonly TopicTroubleState[] = [];
  /** Lag in records by topic, then partition. */
  readonly lag = new Map<string, Map<number, number>>();
  /** Messages of topics with deliveries, by what became of them. */
  readonly outcomes = LabelCounter.of(outcomes);
  /** Messages whose outcome nobody hears of, because too many waited, or Kafka refuses it as too large. */
  outcomesLost = 0;
  /** Messages that are not decided yet. */
  outcomesPending = 0;
  routed = 0;
  offline = 0;
  duplicates = 0;

  /** Notes the lag of a partition. */
  setLag(topic: string, partition: number, records: number): void {
    let partitions = this.lag.get(topic);
    if (partitions === undefined) this.lag.set(topic, (partitions = new Map()));
    partitions.set(partition, records);
  }
}

export class EngineStats {
  registrations = 0;
  unregistrations = 0;
  /** Batches handed to nodes. */
  publications = 0;
  readonly operationSeconds = new Histogram(LATENCY_BOUNDS_SECONDS);
  readonly operationErrors = LabelCounter.of(engineErrorCodes);
  /** Batches that came to this node, by what brought them: the channel, or a look into the inbox. */
  readonly inboxBatches = LabelCounter.of(['announced', 'read']);
  /** Messages that came to this node and wait for a turn of the event loop. */
  inboxWaitingMessages = 0;
  /** Times that no more was asked for because enough waited. */
  inboxReadsPutOff = 0;
  readonly gapRepairs = LabelCounter.of(['repaired', 'lost']);
  presenceRowsReaped = 0;
  /** Messages and commands of a kind that this release does not know, from a newer node. */
  unknownMessages = 0;
  /** By policy, 1: a server evicts keys by it, 0: it did. */
  readonly evictionPolicies = new Map<string, number>();
}
