import type { ContinuityLoss, Inbox, NodeCommand, StreamMessage } from '@ws-gateway/core';
import { waitFor } from '@ws-gateway/testkit';

export interface RecordedMessage {
  readonly stream: string;
  readonly epoch: string;
  readonly offset: number;
  readonly recordTimeMs: number;
  /** Text of the frame without the position. */
  readonly text: string;
  readonly frame: string;
  readonly except: string;
  readonly source: number;
  readonly sourceOffset: number;
  readonly seen: boolean;
}

/** An inbox that keeps what it is given, in order. */
export class RecordingInbox implements Inbox {
  messages: RecordedMessage[] = [];
  readonly broadcasts: string[] = [];
  readonly commands: NodeCommand[] = [];
  /** Everything in the order of arrival: `message:<text>`, `all:<text>`, `command:<json>`, `end`. */
  readonly events: string[] = [];
  readonly losses: ContinuityLoss[] = [];
  /** Connections that `holds` knows, as `<connection> <user>`; null: whatever it is asked for. */
  openConnections: Set<string> | null = null;
  /** Work that is done in each rebuild. */
  onRebuild: () => Promise<void> = async () => undefined;
  batches = 0;
  /** True while a test is inside a call of the engine: nothing may arrive then. */
  forbidden = false;

  deliver(message: StreamMessage): void {
    this.#check();
    const { stream, epoch, offset, recordTimeMs, frame: bytes, except, source, sourceOffset, seen } = message;
    const frame = Buffer.from(bytes).toString();
    const text = offset === 0 ? frame : (JSON.parse(frame) as { text: string }).text;
    this.messages.push({ stream, epoch, offset, recordTimeMs, text, frame, except, source, sourceOffset, seen });
    this.events.push(`message:${text}`);
  }

  broadcast(frame: Uint8Array): void {
    this.#check();
    this.broadcasts.push(Buffer.from(frame).toString());
    this.events.push(`all:${this.broadcasts.at(-1)}`);
  }

  command(command: NodeCommand): void {
    this.#check();
    this.commands.push(command);
    this.events.push(`command:${JSON.stringify(command)}`);
  }

  endBatch(): void {
    this.batches++;
    this.events.push('end');
  }

  rebuild(loss: ContinuityLoss): Promise<void> {
    this.losses.push(loss);
    this.events.push('rebuild');
    return this.onRebuild();
  }

  holds(connection: string, user: string): boolean {
    return this.openConnections?.has(`${connection} ${user}`) ?? true;
  }

  get rebuilds(): number {
    return this.losses.length;
  }

  /** The losses by which messages for this place may be missing. */
  holesOf(place: string): ContinuityLoss[] {
    return this.losses.filter(({ missed }) => missed(place));
  }

  texts(only?: string): string[] {
    const texts = this.messages.map(({ text }) => text);
    return only === undefined ? texts : texts.filter((text) => text === only);
  }

  forget(text: string): void {
    this.messages = this.messages.filter((message) => message.text !== text);
  }

  waitFor(condition: () => boolean, what: string): Promise<true> {
    return waitFor(condition, { what });
  }

  async waitForTexts(count: number): Promise<string[]> {
    await waitFor(() => this.messages.length >= count, { what: `${count} messages` });
    return this.texts();
  }

  #check(): void {
    if (this.forbidden) throw new Error('the inbox was called from inside a call of the engine');
  }
}
