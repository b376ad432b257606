/** What a producer may limit: the time until when it is worth while to deliver the message. */
export interface MessageLife {
  /** End of the message's life, ms since the epoch; 0 or absent: it has none. */
  readonly endsAtMs?: number;
}

/** The messages that may still be delivered: the list itself when the life of none has ended. */
export function livingOf<Message extends MessageLife>(
  messages: readonly Message[],
  nowMs: number = Date.now(),
): readonly Message[] {
  const hasEnded = ({ endsAtMs = 0 }: MessageLife): boolean => endsAtMs !== 0 && endsAtMs < nowMs;
  return messages.some(hasEnded) ? messages.filter((message) => !hasEnded(message)) : messages;
}
