import { isUserId } from '../../names.js';
import type { RecordPolicy } from '../record-policy.js';
import {
  audienceOfHeader,
  audienceOfHub,
  audienceOfKey,
  audienceOfRoom,
  audienceOfText,
  audienceOfUsers,
  type Audience,
} from '../audience.js';
import { expired, reject, skipped, type Expired, type Pending, type Rejection, type Skipped } from '../decoded.js';
import type { DecodeInput, Message } from '../message.js';
import { formatRfc3339, isWritableTime, parseRfc3339 } from '../rfc3339.js';
import type { Dialect } from './dialect.js';
import { idTexts } from './json-part.js';
import { RecordView, type CompiledSelector } from './record-view.js';
import { audienceMembers, type AudienceMember, type MapMember, type RecordMap } from './selector.js';
import { Conditions } from './when-filter.js';

interface CompiledMember {
  readonly selectors: readonly CompiledSelector[];
  /** Selectors as written, for messages. */
  readonly written: string;
}

type Input = Omit<DecodeInput, 'value'>;

/** Reads records by the map of their topic, in any format that has one. */
export class MappedDecoder {
  /** The map may say how long a record is good, so its age is looked at here. */
  readonly limitsAge: boolean;
  readonly #view: RecordView;
  readonly #conditions: Conditions;
  readonly #audience: AudienceMember;
  readonly #members: Readonly<Partial<Record<MapMember, CompiledMember>>>;

  constructor(policy: RecordPolicy, dialect: Dialect) {
    this.#view = new RecordView(dialect, policy.name);
    this.#conditions = new Conditions(this.#view, policy.when);
    this.#members = compileMap(this.#view, policy.map);
    this.#audience = audienceMembers.find((member) => policy.map[member] !== undefined) ?? 'audience';
    this.limitsAge = policy.map.ttlMs !== undefined;
  }

  decode(input: DecodeInput): Message | Rejection | Skipped | Pending | Expired {
    const failed = this.#view.open(input);
    if (failed !== null) return failed;
    if (!this.#conditions.hold()) return skipped;
    const ttlMs = this.#ttlMs(input);
    if (typeof ttlMs === 'object' && ttlMs !== null) return ttlMs;
    // Where outcomes are wanted, it has to be known whose message it was.
    if (input.policy.tracking === null && this.#isOver(ttlMs, input)) return expired;
    const audience = this.#audienceOf(input);
    if (audience.kind === 'dead_letter') return audience;
    const payload = this.#payload();
    if (typeof payload !== 'string') return payload;
    return this.#message(input, { audience, payload, ttlMs });
  }

  /** Such a record says that the newest value of its stream is gone. */
  decodeTombstone(input: Input): Message | Rejection | Skipped | Pending {
    const failed = this.#view.openTombstone(input.record);
    if (failed !== null) return failed;
    if (!this.#conditions.holdWithoutValue()) return skipped;
    const audience = this.#audienceOf(input);
    if (audience.kind === 'dead_letter') return audience;
    return this.#message(input, { audience, payload: 'null', deleted: true });
  }

  #message(input: Input, found: Pick<Message, 'audience' | 'payload' | 'ttlMs' | 'deleted'>): Message | Rejection {
    const id = input.headers.id ?? this.#text('id');
    const type = input.headers.type ?? this.#text('type');
    if (id === undefined || type === undefined) return this.#bad(id === undefined ? 'id' : 'type');
    const timestamp = this.#timestamp();
    if (timestamp !== null && typeof timestamp !== 'string') return timestamp;
    const about = this.#about(found.audience);
    return { kind: 'message', ...found, about, id: id || null, type: type || null, timestamp };
  }

  /** Reads a text; null without selectors and when they find nothing, undefined when they find what is no text. */
  #text(member: MapMember): string | null | undefined {
    const compiled = this.#members[member];
    return compiled === undefined ? null : this.#view.text(compiled.selectors);
  }

  #bad(member: MapMember): Rejection {
    const channel = member === 'room' || member === 'hub' || member === 'audience';
    return reject(channel ? 'bad_audience' : 'bad_member', `${this.#named(member)} is neither text nor a number`);
  }

  #named(member: MapMember): string {
    return `${member} (${this.#members[member]?.written ?? 'no selector'})`;
  }

  #audienceOf(input: Input): Audience | Rejection {
    // On topics that block users everything is about a user, and no header makes it otherwise.
    const ofHeader = input.policy.blocks ? null : audienceOfHeader(input);
    if (ofHeader !== null) return ofHeader;
    const member = this.#audience;
    if (member === 'users') return this.#users();
    const text = this.#text(member);
    if (text === undefined) return this.#bad(member);
    if (text === null) return this.#nobody(member);
    return this.#audienceNamed(member, text, input);
  }

  #audienceNamed(member: AudienceMember, text: string, input: Input): Audience | Rejection {
    const { policy } = input;
    switch (member) {
      case 'room':
        return said(audienceOfRoom(text, input.context), this.#named(member));
      case 'hub':
        return said(audienceOfHub(text), this.#named(member));
      case 'audience':
        return audienceOfText(text, this.#named(member), input);
      case 'keyed':
        return said(audienceOfKey(text, policy), this.#named(member));
      default:
        return isUserId(text)
          ? { kind: 'users', users: [text] }
          : reject('bad_member', `${this.#named(member)} is not a user id`);
    }
  }

  /** A list in JSON; in a header or key, ids with commas between them. */
  #users(): Audience | Rejection {
    const { selectors } = this.#members.users!;
    const json = this.#view.json(selectors);
    if (json === null || json === 'null') return this.#nobody('users');
    const isPart = json.startsWith('[');
    const listed = isPart ? idTexts(json) : textList(selectors, this.#view);
    if (listed === undefined) return reject('bad_member', `${this.#named('users')} is not a list of texts and numbers`);
    return said(audienceOfUsers(listed), this.#named('users'));
  }

  #nobody(member: MapMember): Rejection {
    return reject('no_audience', `${this.#named(member)} finds nothing, and no header says who shall get the record`);
  }

  #payload(): string | Rejection {
    const { selectors, written } = this.#members.payload!;
    return this.#view.json(selectors) ?? reject('no_pointer', `payload (${written}) finds nothing`);
  }

  /**
   * Finds the user whom a message is about. What goes to a room by header may still be about the user whom the map
   * finds.
   */
  #about(audience: Audience): string | null {
    if (audience.kind === 'users' || this.#audience !== 'user') return null;
    const user = this.#text('user');
    return typeof user === 'string' && isUserId(user) ? user : null;
  }

  #timestamp(): string | null | Rejection {
    const text = this.#text('timestamp');
    if (text === null) return null;
    const time = text === undefined ? null : timeText(text);
    return time ?? reject('bad_timestamp', `${this.#named('timestamp')} is neither RFC 3339 nor ms since the epoch`);
  }

  /** null: the record says nothing of it, or has the header for it. */
  #ttlMs({ headers }: Input): number | null | Rejection {
    if (!this.limitsAge || headers.ttlMs !== null) return null;
    const text = this.#text('ttlMs');
    if (text === null) return null;
    if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text);
    return reject('bad_member', `${this.#named('ttlMs')} is not a whole number of milliseconds`);
  }

  #isOver(ownMs: number | null, { policy, headers, context, timeMs }: Input): boolean {
    if (!this.limitsAge || headers.ttlMs !== null) return false;
    const ttlMs = ownMs ?? policy.ttlMs;
    return ttlMs > 0 && context.nowMs - timeMs > ttlMs;
  }
}

function compileMap(view: RecordView, map: RecordMap): Partial<Record<MapMember, CompiledMember>> {
  return Object.fromEntries(
    Object.entries(map).map(([member, selectors]) => [
      member,
      { selectors: selectors.map((selector) => compileFor(view, member, selector)), written: selectors.join(', ') },
    ]),
  );
}

/**
 * Compiles the selectors of a member. In `audience` the words of its own language are meant, not the selector `topic`.
 */
function compileFor(view: RecordView, member: string, selector: string): CompiledSelector {
  const literal = member === 'audience' && (selector === 'topic' || selector === 'all');
  return view.compile(literal ? `=${selector}` : selector);
}

function textList(selectors: readonly CompiledSelector[], view: RecordView): readonly string[] | undefined {
  for (const selector of selectors) {
    const text = view.textAt(selector);
    if (text === null) continue;
    return text === undefined || selector.from === 'part' ? undefined : text.split(',');
  }
  return undefined;
}

/** Names the selectors in what went wrong. */
function said(audience: Audience | Rejection, name: string): Audience | Rejection {
  return audience.kind === 'dead_letter' ? reject(audience.error, `${name}: ${audience.message}`) : audience;
}

/** The time as RFC 3339; null: it is no time. */
function timeText(text: string): string | null {
  if (!/^-?\d+(\.\d+)?$/.test(text)) return parseRfc3339(text) === null ? null : text;
  const ms = Math.floor(Number(text));
  return isWritableTime(ms) ? formatRfc3339(ms) : null;
}
