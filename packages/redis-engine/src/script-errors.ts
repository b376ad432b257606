import { EngineError, type EngineErrorCode } from '@ws-gateway/core';
import { ReplyError } from 'ioredis';

/**
 * First word of an error reply → what it means to the caller. The upper part is what our scripts return, the lower one
 * what Redis says while it cannot serve. Anything else is a defect.
 */
const codeOfReply: ReadonlyMap<string, EngineErrorCode> = new Map([
  ['SOURCE_GAP', 'source_gap'],
  ['UNKNOWN_NODE', 'unknown_node'],
  // A flushed script cache: not run, so nothing was applied. The caller repeats in its own order.
  ['NOSCRIPT', 'unavailable'],
  ['LOADING', 'unavailable'],
  ['BUSY', 'unavailable'],
  ['OOM', 'unavailable'],
  ['READONLY', 'unavailable'],
  ['MISCONF', 'unavailable'],
  ['MASTERDOWN', 'unavailable'],
  ['NOREPLICAS', 'unavailable'],
  ['CLUSTERDOWN', 'unavailable'],
  // The partition's slot is, or is on its way to, another node.
  ['MOVED', 'unavailable'],
  ['ASK', 'unavailable'],
  ['TRYAGAIN', 'unavailable'],
  ['NOAUTH', 'unavailable'],
  ['NOPERM', 'unavailable'],
]);

/** Matches what Redis says, behind ERR, when the user may run a script but not a command in it. */
const FORBIDDEN_IN_SCRIPT = /ACL failure in script|executing the script can't run this command/;

export function isNoScript(error: unknown): boolean {
  return error instanceof ReplyError && replyWord(error as Error) === 'NOSCRIPT';
}

/** A replica, a node that lost the slot, or one cut off from its cluster: others may serve. */
export function isElsewhere(error: unknown): boolean {
  return error instanceof ReplyError && ['READONLY', 'MOVED', 'CLUSTERDOWN'].includes(replyWord(error as Error));
}

export function toEngineError(error: unknown, operation: string): EngineError {
  if (error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  // Whatever is not a reply is the connection's fault: closed, refused, timed out.
  const code = error instanceof ReplyError ? (codeOfReply.get(replyWord(error as Error)) ?? 'internal') : 'unavailable';
  return new EngineError(code, `redis ${operation}: ${message}`, { cause: error });
}

/** Redis 7 puts "ERR " or the script's name around some messages of scripts; our own words come first. */
function replyWord(error: Error): string {
  if (FORBIDDEN_IN_SCRIPT.test(error.message)) return 'NOPERM';
  return /^-?([A-Z_]+)/.exec(error.message)?.[1] ?? '';
}
