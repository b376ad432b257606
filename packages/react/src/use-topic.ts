import type { Client, Message } from '@ws-gateway/client';
import { useMemo, useSyncExternalStore } from 'react';
import type { ClientStores } from './client-stores.js';
import { useStores } from './gateway-provider.js';

export interface UseTopicOptions {
  /** Messages that are kept, the newest; default 100. */
  readonly limit?: number;
}

const NONE: readonly Message[] = [];

/**
 * Messages of a topic, or of a key of one (`quotes/k/AAPL`), since the component was mounted, newest last; over
 * reconnects, with what was missed. The topic is subscribed as long as a component uses it.
 */
export function useTopic<Payload = unknown>(
  topic: string,
  { limit = 100 }: UseTopicOptions = {},
): readonly Message<Payload>[] {
  const stores = useStores();
  const log = useMemo(() => new TopicLog(stores, topic, limit), [stores, topic, limit]);
  return useSyncExternalStore(log.subscribe, log.get, () => NONE) as readonly Message<Payload>[];
}

class TopicLog {
  readonly #client: Client;
  readonly #stores: ClientStores;
  readonly #topic: string;
  readonly #limit: number;
  #messages = NONE;

  constructor(stores: ClientStores, topic: string, limit: number) {
    this.#client = stores.client;
    this.#stores = stores;
    this.#topic = topic;
    this.#limit = limit;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    // By `message`: a topic may be named like an event of the client.
    const stop = this.#client.on('message', (message) => {
      const { event, key } = message;
      if (this.#topic !== event && this.#topic !== `${event}/k/${key}`) return;
      this.#messages = [...this.#messages, message].slice(-this.#limit);
      listener();
    });
    const end = this.#stores.topics.use(this.#topic);
    return () => {
      stop();
      end();
    };
  };

  readonly get = (): readonly Message[] => this.#messages;
}
