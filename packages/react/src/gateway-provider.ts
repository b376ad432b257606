import type { Client } from '@ws-gateway/client';
import { createContext, createElement, useContext, useEffect, type ReactElement, type ReactNode } from 'react';
import { ClientStores } from './client-stores.js';

export interface GatewayProviderProps {
  /** Made outside of components, or in state: it is the application's, which closes it when it is done with it. */
  readonly client: Client;
  readonly children?: ReactNode;
}

const GatewayContext = createContext<Client | null>(null);

/** Gives the client to the hooks below it, and connects it if it was made with `autoConnect: false`. */
export function GatewayProvider({ client, children }: GatewayProviderProps): ReactElement {
  useEffect(() => client.connect(), [client]);
  return createElement(GatewayContext.Provider, { value: client }, children);
}

/** The client, for its events and commands. Throws outside of a GatewayProvider. */
export function useGateway(): Client {
  const client = useContext(GatewayContext);
  if (client === null) throw new Error('there is no <GatewayProvider client={…}> above this component');
  return client;
}

export function useStores(): ClientStores {
  return ClientStores.of(useGateway());
}
