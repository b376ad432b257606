import type { Client } from '@ws-gateway/client';
import { createContext, createElement, useContext, useEffect, type ReactElement, type ReactNode } from 'react';
import { ClientStores } from './client-stores.js';

/** A client of whatever topics: these members do not depend on them. */
export type AnyClient = Pick<Client, 'state' | 'connect' | 'close' | 'closed' | 'request' | 'positions'>;

export interface GatewayProviderProps {
  /** Made outside of components, or in state: it is the application's, which closes it when it is done with it. */
  readonly client: AnyClient;
  readonly children?: ReactNode;
}

const GatewayContext = createContext<Client | null>(null);

/** Gives the client to the hooks below it, and connects it if it was made with `autoConnect: false`. */
export function GatewayProvider({ client, children }: GatewayProviderProps): ReactElement {
  useEffect(() => client.connect(), [client]);
  // A context has one type: hooks say again what their topics carry.
  return createElement(GatewayContext.Provider, { value: client as Client }, children);
}

/** The client, for its events and commands. Throws outside of a GatewayProvider. */
export function useGateway<Topics extends object = Record<string, unknown>>(): Client<Topics> {
  const client = useContext(GatewayContext);
  if (client === null) throw new Error('there is no <GatewayProvider client={…}> above this component');
  return client as unknown as Client<Topics>;
}

export function useStores(): ClientStores {
  return ClientStores.of(useGateway());
}
