import { reject, type Rejection } from './decoded.js';

/**
 * One record may turn into this many times `maxRecordBytes`. Without a limit half a record of user ids and half a record
 * of payload multiply to gigabytes of frames.
 */
const FAN_OUT_MAX = 64;

export function fanOutRefusal(copies: number, payload: string, maxRecordBytes: number): Rejection | null {
  if (copies <= FAN_OUT_MAX || copies * payload.length <= FAN_OUT_MAX * maxRecordBytes) return null;
  return reject('too_large', `${copies} copies of the payload exceed ${FAN_OUT_MAX} * limits.maxRecordBytes`);
}
