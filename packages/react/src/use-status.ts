import { useSyncExternalStore } from 'react';
import { useStores } from './gateway-provider.js';
import type { Status } from './status-store.js';

const ON_SERVER: Status = { state: 'connecting' };

/** The state of the connection, and why it is not there. */
export function useStatus(): Status {
  const { status } = useStores();
  return useSyncExternalStore(status.subscribe, status.get, () => ON_SERVER);
}
