import net from 'node:net';
import tls from 'node:tls';
import kafkajs, { type ISocketFactory, type Kafka, type KafkaConfig, type RetryOptions } from 'kafkajs';
import type { Logger } from '@ws-gateway/core';
import { registerCodecs } from './codecs.js';
import { saslOptions } from './login/sasl.js';
import { LOGIN_AHEAD_MS } from './login/shared-login-token.js';
import type { KafkaConnectionOptions } from './options.js';

const CONNECTION_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_DELAY_MS = 60_000;

/**
 * Retries without an end. With kafkajs' default of five slow retries a broker restart ends in a crash and a ghost
 * member; with these it flows again 0.3 s after the broker does (docs/kafkajs.md, rule 1). Who must not wait that long
 * keeps a deadline.
 */
export const PATIENT_RETRY = {
  initialRetryTime: 100,
  maxRetryTime: 1_000,
  retries: 1e6,
} as const satisfies RetryOptions;

interface ClientOptions {
  readonly retry: RetryOptions;
  /** Once aborted, whatever the client still tries for ever ends at its next attempt to connect. */
  readonly retired: AbortSignal;
  /**
   * Called when a connection is made after another one broke, before anything is sent on it: what answers there may know
   * nothing of before.
   */
  readonly reconnected?: () => void;
}

export function createClient(
  connection: KafkaConnectionOptions,
  { retry, retired, reconnected }: ClientOptions,
): Kafka {
  registerCodecs();
  const { brokers, clientId, tls: ssl, sasl, logger } = connection;
  const config: KafkaConfig = {
    // kafkajs cannot be told to give up; without an address to try it does.
    brokers: () => (retired.aborted ? [] : [...brokers]),
    clientId,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    reauthenticationThreshold: LOGIN_AHEAD_MS,
    retry,
    socketFactory: socketFactoryOf(reconnected),
    logLevel: kafkajs.logLevel.WARN,
    logCreator: () => logTo(logger),
  };
  if (ssl) config.ssl = ssl;
  if (sasl) config.sasl = saslOptions(sasl);
  return new kafkajs.Kafka(config);
}

/** kafkajs' own one, but without Nagle's delay: commits and small writes are a request of one packet each. */
function socketFactoryOf(reconnected: (() => void) | undefined): ISocketFactory {
  let isBroken = false;
  return ({ host, port, ssl, onConnect }) => {
    const connected = (): void => {
      if (isBroken) reconnected?.();
      isBroken = false;
      onConnect();
    };
    // kafkajs passes undefined for a plain connection, against its types.
    const options: tls.ConnectionOptions | undefined = ssl;
    const name = net.isIP(host) ? {} : { servername: host };
    const socket = options
      ? tls.connect({ host, port, ...name, ...options }, connected)
      : net.connect({ host, port }, connected);
    socket.once('close', () => (isBroken = true));
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    socket.setNoDelay(true);
    return socket;
  };
}

/**
 * Sends kafkajs' log to debug. What kafkajs warns of (each attempt to connect, say) is noise; this package logs what
 * somebody must act on.
 */
function logTo(logger: Logger): (entry: { namespace: string; log: { message: string } }) => void {
  return ({ namespace, log: { message, ...fields } }) =>
    logger.debug('kafkajs', { namespace, ...fields, kafkajsMessage: message });
}
