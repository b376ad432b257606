import { SentinelConnector, type Redis, type RedisOptions } from 'ioredis';
import { closedSocket, DISCONNECT_TIMEOUT_MS } from './slot-connector.js';

/** Members of the library's own class that its types hide. */
interface Hidden {
  connectToSentinel(endpoint: unknown, options?: RedisOptions): Redis;
}

type Connected = ReturnType<SentinelConnector['connect']>;

/**
 * The library's own one, which writes a line to stderr whenever a Sentinel that it listens to is away, keeps the process
 * for two seconds after the last of them was let go, and gives the connection up for ever when one of them names a new
 * master while another is being asked for it.
 */
class LastingSentinelConnector extends SentinelConnector {
  constructor(options: ConstructorParameters<typeof SentinelConnector>[0]) {
    super(options);
    const hidden = this as unknown as Hidden;
    const connect = hidden.connectToSentinel.bind(this);
    hidden.connectToSentinel = (endpoint, own) =>
      connect(endpoint, { disconnectTimeout: DISCONNECT_TIMEOUT_MS, ...own }).on('error', () => undefined);
  }

  override connect(emit: Parameters<SentinelConnector['connect']>[0]): Connected {
    return super.connect(emit).catch((error: unknown) => {
      this.firstError = error as Error;
      return closedSocket();
    });
  }
}

export const sentinelConnector = LastingSentinelConnector as NonNullable<RedisOptions['Connector']>;
