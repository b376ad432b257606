/**
 * Reads the data of a text/event-stream (https://html.spec.whatwg.org/multipage/server-sent-events.html) in pieces as
 * they come. All else is passed over: frames say themselves what they are and where to go on, and when is the backoff's
 * matter.
 */
export class EventStreamReader {
  #rest = '';
  #data: string[] = [];

  /** Returns the events that this piece completes. */
  read(piece: string): string[] {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    // A CR at the end may be half of a line break.
    this.#rest = lines.pop()!;
    return lines.flatMap((line) => {
      const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
      if (field === 'data') this.#data.push(value!);
      return line === '' && this.#data.length > 0 ? [this.#data.splice(0).join('\n')] : [];
    });
  }
}
