import type { HistoryPage } from './engine.js';

/** Messages of an answer, where nothing is asked for, and at most. */
export const HISTORY_LIMIT = 100;
export const HISTORY_LIMIT_MAX = 1000;

/** Bytes of an answer around its messages, commas between as many as may be asked for included. */
const ANSWER_BYTES = 2048;

/** Bytes that the messages of an answer may have. */
export function historyBytesMax(answerBytes: number): number {
  return answerBytes - ANSWER_BYTES;
}

/**
 * JSON text of the answer to the command `history` and to GET /api/history. `more` says that the answer was full before as
 * many messages were in it as were asked for.
 */
export function historyText({ messages, epoch, offset, recovered }: HistoryPage, limit: number): string {
  const frames = messages.map(({ frame }) => Buffer.from(frame).toString());
  const isCut = messages.length < limit && messages.length > 0 && messages.at(-1)!.offset < offset;
  const more = isCut ? ',"more":true' : '';
  return `{"messages":[${frames.join(',')}],"epoch":"${epoch}","offset":${offset},"recovered":${recovered}${more}}`;
}
