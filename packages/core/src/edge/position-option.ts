import type { Position } from '../streams.js';
import { RefusalError } from './refusals.js';
import { own } from './request.js';

/** Members `epoch` and `offset` of a client's request; null when there is neither. Throws RefusalError `bad_request`. */
export function positionOf(options: Readonly<Record<string, unknown>>): Position | null {
  const epoch = own(options, 'epoch');
  const offset = own(options, 'offset');
  if (epoch === undefined && offset === undefined) return null;
  if (typeof epoch !== 'string' || !/^[A-Za-z0-9]{1,32}$/.test(epoch)) {
    throw new RefusalError('bad_request', 'epoch: a text as the gateway gave it');
  }
  if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < 0) {
    throw new RefusalError('bad_request', 'offset: an integer from 0');
  }
  return { epoch, offset };
}
