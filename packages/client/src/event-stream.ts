export interface StreamEvent {
  /** '' when the server named none. */
  readonly event: string;
  readonly data: string;
}

/**
 * Reads a text/event-stream (https://html.spec.whatwg.org/multipage/server-sent-events.html) in pieces as they come.
 * `id` and `retry` are passed over: where to go on is known from the frames, and when is the backoff's matter.
 */
export class EventStreamReader {
  #rest = '';
  #event = '';
  #data: string[] = [];
  #afterCr = false;

  /** Events that this piece completes. */
  read(piece: string): StreamEvent[] {
    // A CR at the end of a piece ended its line; the LF that may follow belongs to it.
    const text = this.#rest + (this.#afterCr && piece.startsWith('\n') ? piece.slice(1) : piece);
    this.#afterCr = piece.endsWith('\r') || (piece === '' && this.#afterCr);
    const lines = text.split(/\r\n|\n|\r/);
    this.#rest = lines.pop()!;
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): StreamEvent[] {
    if (line === '') return this.#dispatch();
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
    if (field === 'event') this.#event = value!;
    if (field === 'data') this.#data.push(value!);
    return [];
  }

  #dispatch(): StreamEvent[] {
    const event = { event: this.#event, data: this.#data.join('\n') };
    const complete = this.#data.length > 0;
    this.#event = '';
    this.#data = [];
    return complete ? [event] : [];
  }
}
