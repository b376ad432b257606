import type { StreamName } from '../../streams.js';
import type { Transport } from '../../transport.js';

/** Sockets of one group: written to one by one that takes 2 ms. */
const GROUP_SIZE = 256;

/** Sockets of one transport that are published to together. */
export interface FanOutGroup {
  readonly transport: Transport;
  readonly name: string;
  size: number;
  /** Number of the waiting frames that it has been given. */
  given: number;
}

/** Members that a list of subscriptions needs of each of them. */
export interface StreamMember {
  /** Place in the list that it is in. */
  index: number;
  /** Group whose fan-out serves it; null while it is served singly. */
  group: FanOutGroup | null;
}

/** The subscriptions of a stream that their transports' own fan-out serves, in groups that have turns (FanOutScheduler). */
export class NativeFanOut<Member extends StreamMember> {
  readonly members: Member[] = [];
  /** Filled one after the other, so a client's place is about the same in all its streams. */
  readonly groups: FanOutGroup[] = [];
  /** Frames that some group has not been given, and those that came after them. */
  readonly frames: Uint8Array[] = [];
  readonly #stream: StreamName;

  constructor(stream: StreamName) {
    this.#stream = stream;
  }

  /** The group must have been given everything. */
  add(member: Member, group: FanOutGroup): void {
    group.size++;
    member.group = group;
    member.index = this.members.push(member) - 1;
  }

  remove(member: Member): void {
    takeOut(this.members, member);
    member.group!.size--;
    member.group = null;
    while (this.groups.at(-1)?.size === 0) this.groups.pop();
  }

  groupWithRoom(transport: Transport): FanOutGroup {
    const group = this.groups.find((candidate) => candidate.transport === transport && candidate.size < GROUP_SIZE);
    if (group !== undefined) return group;
    const added = { transport, name: `${this.#stream}\n${this.groups.length}`, size: 0, given: this.frames.length };
    this.groups.push(added);
    return added;
  }

  /** Forgets the frames that all groups have been given. */
  forgetGiven(): void {
    const count = Math.min(this.frames.length, ...this.groups.map(({ given }) => given));
    this.frames.splice(0, count);
    for (const group of this.groups) group.given -= count;
  }
}

/** The last one takes the place of the one that goes: order among subscribers means nothing. */
export function takeOut<Member extends { index: number }>(list: Member[], member: Member): void {
  const last = list.pop();
  if (last === undefined) throw new Error('more subscriptions left a stream than were in it');
  if (last === member) return;
  list[member.index] = last;
  last.index = member.index;
}
