import { jest } from '@jest/globals';
import { createClient, type Client, type ClientEvents, type ClientOptions } from '../src/index.js';
import { ScriptedGateway } from './scripted-gateway.js';

export interface Play {
  readonly client: Client;
  readonly gateway: ScriptedGateway;
  /** Everything the client told, in order. */
  readonly told: { readonly name: string; readonly detail: unknown }[];
  /** Names only, or the details of one name. */
  names(): string[];
  of<Name extends keyof ClientEvents>(name: Name): ClientEvents[Name][];
}

const EVENTS = [
  'message',
  'connected',
  'disconnected',
  'reconnecting',
  'refused',
  'recovered',
  'lost',
  'error',
  'closed',
] as const;

/** A client whose other end the test plays. Needs fake timers; the backoff's draw is always the longest. */
export async function play(options: Partial<ClientOptions> = {}): Promise<Play> {
  jest.spyOn(Math, 'random').mockReturnValue(0.999_999);
  const gateway = new ScriptedGateway();
  jest.spyOn(globalThis, 'fetch').mockImplementation(() => gateway.fetch());
  const { WebSocket } = gateway;
  const client = createClient({ url: 'ws://one/ws', token: 'h.p.s', topics: ['a'], WebSocket, ...options });
  const told: Play['told'] = [];
  for (const name of EVENTS) client.on(name, (detail: unknown) => void told.push({ name, detail }));
  await turn();
  return {
    client,
    gateway,
    told,
    names: () => told.map(({ name }) => name),
    of: <Name extends keyof ClientEvents>(name: Name) =>
      told.filter((event) => event.name === name).map(({ detail }) => detail as ClientEvents[Name]),
  };
}

/** Lets promises settle; no time passes. */
export function turn(): Promise<void> {
  return jest.advanceTimersByTimeAsync(0);
}
