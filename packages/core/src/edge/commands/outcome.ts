import type { ResponseStatus } from '../../frame.js';
import type { Connection } from '../delivery/connection.js';
import { RefusalError } from '../refusals.js';
import type { ClientRequest } from './client-request.js';

/** Result of a command. CommandDispatcher makes the answer of it. */
export interface Outcome {
  readonly status: ResponseStatus;
  readonly payload: unknown;
  /** Payload as JSON text, instead of `payload`: frames that lie ready as text are not parsed to be written again. */
  readonly payloadText?: string;
  /**
   * Event of the answer; default: the name of the command. A command that subscribes answers with the subscription id.
   */
  readonly event?: string;
  /** Runs right behind the answer, before any other frame of the connection. */
  readonly after?: () => void;
}

/** Answers one command. Throws or rejects with RefusalError or EngineError, which become error answers by their code. */
export type CommandHandler = (connection: Connection, request: ClientRequest) => Outcome | Promise<Outcome>;

export type CommandHandlers = Readonly<Record<string, CommandHandler>>;

/**
 * Throws RefusalError when the connection has ended: call it before each step of a command that only finds something out,
 * for nobody would get the answer. What changes something goes on: the client has asked for it.
 */
export function requireOpen(connection: Connection): void {
  if (connection.state !== 'open') throw new RefusalError('unavailable', 'the connection has ended');
}

/** The request was one too many and was not carried out. */
export function rateLimited(message: string): Outcome {
  return { status: 'error', payload: { code: 'rate_limited', message } };
}

export function ok(payload: unknown, after?: () => void): Outcome {
  return after === undefined ? { status: 'ok', payload } : { status: 'ok', payload, after };
}
