import type { Engine, HistoryPage } from './engine.js';
import { livingOf } from './message-life.js';
import type { Position, RetainedStream } from './streams.js';

/** Messages of an answer, where nothing is asked for, and at most. */
export const HISTORY_LIMIT = 100;
export const HISTORY_LIMIT_MAX = 1000;

/** Bytes of an answer around its messages, commas between as many as may be asked for included. */
const ANSWER_BYTES = 2048;

/** Bytes that the messages of an answer may have. */
export function historyBytesMax(answerBytes: number): number {
  return answerBytes - ANSWER_BYTES;
}

export interface HistoryRequest {
  readonly after: Position | null;
  readonly limit: number;
  /** See historyBytesMax. */
  readonly bytesMax: number;
}

/** The answer to the command `history` and to GET /api/history, as JSON text. */
export async function readHistory(
  engine: Pick<Engine, 'read'>,
  stream: RetainedStream,
  { after, limit, bytesMax }: HistoryRequest,
): Promise<string> {
  const first = await engine.read(stream, after, limit, bytesMax);
  let page = first;
  // An answer without messages says that there are no more: where the life of all has ended, those behind them are read.
  while (livingOf(page.messages).length === 0 && endsBelowTop(page)) {
    const { epoch, offset } = page.messages.at(-1)!;
    page = await engine.read(stream, { epoch, offset }, limit, bytesMax);
  }
  return historyText({ ...page, recovered: first.recovered && page.recovered }, limit);
}

function endsBelowTop({ messages, offset }: HistoryPage): boolean {
  return messages.length > 0 && messages.at(-1)!.offset < offset;
}

/** `more` says that the answer was full before as many messages were in it as were asked for. */
function historyText(page: HistoryPage, limit: number): string {
  const { messages, epoch, offset, recovered } = page;
  const frames = livingOf(messages).map(({ frame }) => Buffer.from(frame).toString());
  const isCut = messages.length < limit && endsBelowTop(page);
  const more = isCut ? ',"more":true' : '';
  return `{"messages":[${frames.join(',')}],"epoch":"${epoch}","offset":${offset},"recovered":${recovered}${more}}`;
}
