import type { Client } from '@ws-gateway/client';
import { StatusStore } from './status-store.js';
import { TopicUsers } from './topic-users.js';

const storesByClient = new WeakMap<Client, ClientStores>();

/** Things that all hooks with the same client share. Lives as long as the client does. */
export class ClientStores {
  readonly client: Client;
  readonly status: StatusStore;
  readonly topics: TopicUsers;

  static of(client: Client): ClientStores {
    const stores = storesByClient.get(client) ?? new ClientStores(client);
    storesByClient.set(client, stores);
    return stores;
  }

  private constructor(client: Client) {
    this.client = client;
    this.status = new StatusStore(client);
    this.topics = new TopicUsers(client, this.status);
  }
}
