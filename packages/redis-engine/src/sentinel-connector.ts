import { SentinelConnector, type Redis, type RedisOptions } from 'ioredis';
import { DISCONNECT_TIMEOUT_MS } from './slot-connector.js';

/** Of the library's own class, and hidden by its types. */
interface Hidden {
  connectToSentinel(endpoint: unknown, options?: RedisOptions): Redis;
}

/**
 * The library's own one, which writes a line to stderr whenever a Sentinel that it listens to is away, and keeps the
 * process for two seconds after the last of them was let go.
 */
class QuietSentinelConnector extends SentinelConnector {
  constructor(options: ConstructorParameters<typeof SentinelConnector>[0]) {
    super(options);
    const hidden = this as unknown as Hidden;
    const connect = hidden.connectToSentinel.bind(this);
    hidden.connectToSentinel = (endpoint, own) =>
      connect(endpoint, { disconnectTimeout: DISCONNECT_TIMEOUT_MS, ...own }).on('error', () => undefined);
  }
}

export const sentinelConnector = QuietSentinelConnector as NonNullable<RedisOptions['Connector']>;
