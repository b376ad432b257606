import {
  closeReason,
  endByDefect,
  EngineError,
  type AdmitRequest,
  type AdmitResult,
  type Block,
  type RetainedStream,
} from '@ws-gateway/core';
import type { Calls } from './calls.js';
import { epochForLook } from './epoch.js';
import { metaTtlMs, partitionOfStream, toPositions } from './history.js';
import type { Keys } from './keys.js';
import type { Membership } from './membership.js';
import type { Settings } from './options.js';
import { registered } from './registered.js';
import type { TopReads } from './top-reads.js';

/** Connections and their streams in one script run: nobody else is served meanwhile. */
const CONNECTIONS_PER_CALL = 64;
const STREAMS_PER_CALL = 256;

interface AdmissionsParts {
  readonly calls: Calls;
  readonly keys: Keys;
  readonly membership: Pick<Membership, 'name' | 'check' | 'confirmed'>;
  readonly tops: Pick<TopReads, 'of'>;
}

/** What Redis says: of a refusal also whose rows the user has, as names of nodes. */
export type Answer = AdmitResult & { readonly holders?: readonly string[] };

/** One that waits for Redis' word. */
interface Asked extends PromiseWithResolvers<Answer> {
  /** Nodes whose rows hold no place. */
  readonly silent: readonly string[];
  readonly request: AdmitRequest;
  readonly user: string;
  readonly partition: number;
  /** Streams of the request that lie beside the user's row. */
  readonly streams: readonly RetainedStream[];
}

/**
 * Asks Redis about connections of users that want to come in: those of one turn of the event loop in one call. Each is
 * decided as if it were alone, in the order in which they came.
 */
export class Admissions {
  readonly #parts: AdmissionsParts;
  readonly #settings: Settings;
  #waiting: Asked[] = [];

  constructor(parts: AdmissionsParts, settings: Settings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  /** Resolves after `write`; rejects with EngineError, and then it is not known whether there is a row. */
  admit(request: AdmitRequest, user: string, silent: readonly string[]): Promise<Answer> {
    const { keys } = this.#parts;
    const partition = keys.partitionOf(user);
    const isNear = (stream: RetainedStream): boolean => partitionOfStream(keys, stream) === partition;
    const isAllNear = keys.partitions === 1 || request.streams.every(isNear);
    const streams = isAllNear ? request.streams : request.streams.filter(isNear);
    const asked: Asked = { request, user, silent, partition, streams, ...Promise.withResolvers<Answer>() };
    this.#waiting.push(asked);
    return isAllNear ? asked.promise : this.#withFar(asked);
  }

  /** Asks about all that came since the last time. */
  write(): void {
    const chunks = new Map<number, Chunk>();
    for (const asked of this.#waiting) {
      let chunk = chunks.get(asked.partition);
      if (chunk === undefined || !chunk.hasRoomFor(asked)) {
        if (chunk !== undefined) this.#run(chunk.asked).catch(endByDefect);
        chunks.set(asked.partition, (chunk = new Chunk()));
      }
      chunk.add(asked);
    }
    this.#waiting = [];
    for (const { asked } of chunks.values()) this.#run(asked).catch(endByDefect);
  }

  /** What is far are shared streams, and the node watches them already: any position since then will do. */
  async #withFar({ request, streams, promise }: Asked): Promise<Answer> {
    const far = request.streams.filter((stream) => !streams.includes(stream));
    const [result, farPositions] = await Promise.all([promise, this.#parts.tops.of(far)]);
    if (result.status !== 'admitted') return result;
    const nearPositions = [...result.positions];
    const positions = request.streams.map((stream) =>
      (streams.includes(stream) ? nearPositions : farPositions).shift()!,
    );
    return { ...result, positions };
  }

  /** Never rejects. */
  async #run(chunk: readonly Asked[]): Promise<void> {
    const { membership } = this.#parts;
    try {
      const replies = await registered(membership, () => this.#call(chunk));
      membership.confirmed();
      for (const [at, { resolve }] of chunk.entries()) resolve(resultOf(replies[at]!));
    } catch (error) {
      // Something about one user that cannot be read keeps nobody else out.
      const isDefect = error instanceof EngineError && error.code === 'internal';
      if (isDefect && chunk.length > 1) await Promise.all(chunk.map((asked) => this.#run([asked])));
      else for (const { reject } of chunk) reject(error);
    }
  }

  #call(chunk: readonly Asked[]): Promise<string[]> {
    const { calls, keys, membership } = this.#parts;
    const { partition } = chunk[0]!;
    const link = calls.of(partition);
    const { name } = membership;
    const replaced = closeReason('session_replaced');
    const args: (string | number)[] = [
      name,
      replaced.code,
      replaced.reason,
      epochForLook(link),
      link.server,
      this.#settings.inboxBytesMax,
    ];
    for (const asked of chunk) args.push(asked.request.token?.tokenId ?? '', textOf(asked));
    const admitKeys = [
      keys.base(partition),
      keys.key(partition, 'NODE_CONNECTIONS', name),
      keys.key(partition, 'SEQUENCE', name),
    ];
    return link.run<string[]>('admit', { keys: admitKeys, args });
  }
}

class Chunk {
  readonly asked: Asked[] = [];
  #streams = 0;

  hasRoomFor({ streams }: Asked): boolean {
    return this.asked.length < CONNECTIONS_PER_CALL && this.#streams + streams.length <= STREAMS_PER_CALL;
  }

  add(asked: Asked): void {
    this.asked.push(asked);
    this.#streams += asked.streams.length;
  }
}

/** A request in the form that admit-3.lua takes. None of its texts holds a tab: names, and ids without control characters. */
function textOf({ request, user, silent, streams }: Asked): string {
  const { connection, sinceMs, endpoint, sessions, rejoin, token = null } = request;
  const policy = rejoin === true ? 'newest' : (sessions?.policy ?? 'reject');
  const issuedAt = token === null ? '' : (token.issuedAtMs ?? 0);
  let text = `${connection}\t${user}\t${sinceMs}\t${endpoint}\t${sessions?.max ?? 0}\t${policy}\t`;
  text += `${placeRule(request)}\t${issuedAt}\t${silent.length === 0 ? '' : ` ${silent.join(' ')} `}\t`;
  for (const { stream, retention } of streams) text += `${stream}\t${metaTtlMs(retention)}\t`;
  return text;
}

/** Rule of a place in the form that admit-3.lua takes. */
function placeRule({ exclusive = null, rejoin }: AdmitRequest): string {
  if (exclusive === null) return '';
  return rejoin === true ? 'newest' : exclusive;
}

/** Result by what admit-3.lua says. */
function resultOf(reply: string): Answer {
  const [status, ...words] = reply.split(' ');
  switch (status) {
    case 'blocked':
      return { status, block: JSON.parse(reply.slice('blocked '.length)) as Block };
    case 'revoked':
      return { status };
    case 'session_limit':
    case 'already_connected':
      return { status, holders: words };
    case 'renewed':
      return { status: 'admitted', positions: toPositions(words), renewed: true };
    default:
      return { status: 'admitted', positions: toPositions(words) };
  }
}
