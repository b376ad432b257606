import { status, type ServerErrorResponse, type StatusObject } from '@grpc/grpc-js';
import { EngineError, type Logger } from '@ws-gateway/core';

const DETAILS_LENGTH_MAX = 300;

/** The caller sent something that cannot be used, and sending it again would not help. */
export class InvalidArgument extends Error {
  override readonly name = 'InvalidArgument';
}

/** Status that a failed call ends with. The log gets the internal reason, the caller does not. */
export function statusOf(error: unknown, logger: Logger): ServerErrorResponse | Partial<StatusObject> {
  if (error instanceof InvalidArgument) return { code: status.INVALID_ARGUMENT, details: headerText(error.message) };
  if (error instanceof EngineError && error.code !== 'internal') {
    // This includes `stopped`: the caller's next try may reach another node.
    logger.debug('grpc call failed', { error });
    return { code: status.UNAVAILABLE, details: `not delivered, try again (${error.code})` };
  }
  logger.error('grpc call failed', { error });
  return { code: status.INTERNAL, details: 'internal error' };
}

/**
 * Details travel in a header, so they are kept short. A lone surrogate would make grpc-js throw outside of any call.
 */
function headerText(text: string): string {
  const short = text.length <= DETAILS_LENGTH_MAX ? text : `${text.slice(0, DETAILS_LENGTH_MAX)}...`;
  return short.toWellFormed();
}
