import { CodedError } from '@ws-gateway/core';

/** Why a call to Kafka failed. */
export type KafkaErrorCode =
  /** No broker answered in time; the outcome is unknown. */
  | 'unavailable'
  /** The group is handing its partitions out anew: commit again after `assigned`, if it is still ours. */
  | 'rebalancing'
  /** The partition belongs to another member. */
  | 'not_owned'
  | 'authentication_failed'
  | 'not_authorized'
  | 'record_too_large'
  /** The topic does not exist. */
  | 'unknown_topic'
  | 'queue_full'
  | 'stopped'
  | 'internal';

export class KafkaError extends CodedError<KafkaErrorCode> {
  override readonly name = 'KafkaError';

  /** Kafka's own word for it (see errorLabel). */
  get reason(): string {
    return this.cause === undefined ? this.code : errorLabel(this.cause);
  }

  override get retryable(): boolean {
    return this.code === 'unavailable' || this.code === 'rebalancing' || this.code === 'queue_full';
  }
}

const CODES: Readonly<Record<string, KafkaErrorCode>> = {
  REBALANCE_IN_PROGRESS: 'rebalancing',
  ILLEGAL_GENERATION: 'rebalancing',
  UNKNOWN_MEMBER_ID: 'rebalancing',
  KafkaJSSASLAuthenticationError: 'authentication_failed',
  SASL_AUTHENTICATION_FAILED: 'authentication_failed',
  TOPIC_AUTHORIZATION_FAILED: 'not_authorized',
  GROUP_AUTHORIZATION_FAILED: 'not_authorized',
  CLUSTER_AUTHORIZATION_FAILED: 'not_authorized',
  MESSAGE_TOO_LARGE: 'record_too_large',
  RECORD_LIST_TOO_LARGE: 'record_too_large',
  login_token_refused: 'authentication_failed',
  login_token_unavailable: 'unavailable',
  KafkaJSTimeout: 'unavailable',
  KafkaJSLockTimeout: 'unavailable',
};

/** kafkajs' errors wrap one another; the innermost one that says something decides. */
export function toKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error;
  const message = error instanceof Error ? error.message : String(error);
  for (const inner of causes(error)) {
    const code = CODES[inner.type ?? ''] ?? CODES[inner.code ?? ''] ?? CODES[inner.name ?? ''];
    if (code) return new KafkaError(code, message, { cause: error });
  }
  const retriable = causes(error).some((inner) => inner.retriable === true);
  return new KafkaError(retriable ? 'unavailable' : 'internal', message, { cause: error });
}

/** Kafka's own name of an error (`UNKNOWN_TOPIC_OR_PARTITION`) or the system's (`ECONNREFUSED`): for logs and counters. */
export function errorLabel(error: unknown): string {
  for (const inner of causes(error)) {
    const label = inner.type ?? inner.code;
    if (typeof label === 'string' && label.length > 0) return label;
  }
  return causes(error)[0]?.name ?? 'unknown';
}

export function errorFields(error: unknown): { error: string; message: string } {
  return { error: errorLabel(error), message: error instanceof Error ? error.message : String(error) };
}

/** The error is about a topic that the broker does not know. */
export function isUnknownTopic(error: unknown): boolean {
  return causes(error).some((inner) => inner.type === 'UNKNOWN_TOPIC_OR_PARTITION');
}

/** The broker won't tell about a topic: this client has no right to it, or it does not exist where rights are checked. */
export function isForbiddenTopic(error: unknown): boolean {
  return causes(error).some((inner) => inner.type === 'TOPIC_AUTHORIZATION_FAILED');
}

interface KafkajsErrorShape {
  readonly name?: string;
  readonly type?: string;
  readonly code?: string | number;
  readonly retriable?: boolean;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
}

const CAUSES_MAX = 10;

/** The error and what it wraps, innermost first. */
function causes(error: unknown): KafkajsErrorShape[] {
  const found: KafkajsErrorShape[] = [];
  let next: unknown = error;
  while (typeof next === 'object' && next !== null && found.length < CAUSES_MAX) {
    const shape: KafkajsErrorShape = next;
    found.unshift(shape);
    next = shape.cause ?? shape.errors?.[0];
  }
  return found;
}
