import { SentinelConnector, type Redis, type RedisOptions } from 'ioredis';

/** Of the library's own class, and hidden by its types. */
interface Hidden {
  connectToSentinel(...args: readonly unknown[]): Redis;
}

/** The library's own one, which writes a line to stderr whenever a Sentinel that it listens to is away. */
class QuietSentinelConnector extends SentinelConnector {
  constructor(options: ConstructorParameters<typeof SentinelConnector>[0]) {
    super(options);
    const hidden = this as unknown as Hidden;
    const connect = hidden.connectToSentinel.bind(this);
    hidden.connectToSentinel = (...args) => connect(...args).on('error', () => undefined);
  }
}

export const sentinelConnector = QuietSentinelConnector as NonNullable<RedisOptions['Connector']>;
