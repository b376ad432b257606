import type { Lost, Recovered, StreamOf } from './events.js';
import type { Connected, JoinedRoom, JoinedStream, JoinedTopic, Message } from './frames.js';
import { isPosition, type Positions, type StreamKind } from './positions.js';

export type StreamNews =
  { readonly event: 'recovered'; readonly detail: Recovered } | { readonly event: 'lost'; readonly detail: Lost };

/** Takes the gateway's rows and messages to the positions, and puts what comes of it into words for the application. */
export class Continuity {
  readonly #positions: Positions;
  /** News that the next `connected` tells: state that is fetched earlier would miss what comes between. */
  readonly #unreadable: StreamNews[] = [];

  constructor(positions: Positions) {
    this.#positions = positions;
    for (const stream of positions.unreadable) this.#refused(stream);
  }

  /** Takes the rows of `connected`; null: the client is behind and has to connect again (see Positions). */
  connected({ topics }: Connected): StreamNews[] | null {
    const joined = topics.map((row) => this.#joinTopic(row));
    if (joined.some(({ behind }) => behind)) return null;
    return [...this.#unreadable.splice(0), ...joined.flatMap(({ news }) => news)];
  }

  /** The gateway cannot read the positions of these topics: they are dropped. */
  positionsRefused(topics: readonly string[]): void {
    for (const topic of topics) {
      for (const stream of this.#positions.forgetAsked(topic)) this.#refused(stream);
    }
  }

  topic(row: JoinedTopic): StreamNews[] {
    return this.#joinTopic(row).news;
  }

  room(row: JoinedRoom): StreamNews[] {
    return this.#join(row, 'room').news;
  }

  /** Takes a message; null: the client had it already. */
  message({ stream, epoch, offset }: Message): StreamNews[] | null {
    // Without history there is nothing to compare with: the gateway sends each just once.
    if (stream === undefined || !isPosition(epoch, offset)) return [];
    const accepted = this.#positions.accept(stream, { epoch, offset: offset! });
    if (accepted === 'duplicate') return null;
    if (accepted === 'new') return [];
    return [lost(stream, 'epoch', 0)];
  }

  #refused(stream: string): void {
    this.#unreadable.push(lost(stream, 'position', 0));
  }

  #joinTopic(row: JoinedTopic): { behind: boolean; news: StreamNews[] } {
    const { topic } = row;
    // The token is another user's now: not the stream that was asked for, so nothing of it is lost.
    const others = this.#positions.ownStreamsOf(topic).filter((stream) => stream !== row.stream);
    for (const stream of others) this.#positions.forget(stream);
    const own = this.#join(row, 'own');
    const shared = this.#join(row.public ?? {}, 'public');
    return { behind: own.behind || shared.behind, news: [...(others.length > 0 ? [] : own.news), ...shared.news] };
  }

  #join(row: JoinedStream, kind: StreamKind): { behind: boolean; news: StreamNews[] } {
    const { stream, replayed = 0 } = row;
    const joined = this.#positions.join(row, kind);
    const news: StreamNews[] = [];
    if (stream !== undefined) {
      if (joined === 'recovered') news.push({ event: 'recovered', detail: { ...ofStream(stream), replayed } });
      if (joined === 'lost') news.push(lost(stream, 'history', replayed));
    }
    return { behind: joined === 'behind', news };
  }
}

function lost(stream: string, why: Lost['why'], replayed: number): StreamNews {
  return { event: 'lost', detail: { ...ofStream(stream), why, replayed } };
}

/** The name says what the stream belongs to. */
function ofStream(stream: string): StreamOf {
  const [kind, name] = stream.split(/\/(.*)/s);
  return { stream, ...(kind === 'room' ? { room: name! } : { topic: kind! }) };
}
