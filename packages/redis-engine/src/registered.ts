import { EngineError } from '@ws-gateway/core';
import { notRegistered, type Membership } from './membership.js';

/** Does what needs this node to be known; registers it again, once, when Redis does not know it. */
export async function registered<Result>(
  membership: Pick<Membership, 'check'>,
  action: () => Promise<Result>,
): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    if (!isUnknown(error)) throw error;
  }
  await membership.check();
  try {
    return await action();
  } catch (error) {
    throw isUnknown(error) ? notRegistered() : error;
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof EngineError && error.code === 'unknown_node';
}
