import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Engine, RecordSource, RouterBeat, ShownBeat } from '../../src/index.js';
import { GroupWatch } from '../../src/router/group-watch.js';
import { recordingLogger } from './router-kit.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  watching.abort();
  jest.useRealTimers();
});

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

let watching = new AbortController();

/** The other routers of a group, and what this one shows and does. */
class Others {
  readonly beats = new Map<string, ShownBeat>();
  readonly evicted: string[] = [];
  readonly shown: (RouterBeat | null)[] = [];
  /** Calls wait for it. */
  gate: Promise<void> = Promise.resolve();
  engineFails = false;
  evictionsToFail = 0;
  member: string | null = 'this';
  watch: GroupWatch | null = null;
  #count = 0;

  /** Watches the group of these routers. */
  static watch(...nodes: string[]): Others {
    const others = new Others();
    for (const node of nodes) others.move(node);
    watching = new AbortController();
    const deps = { engine: others.#engine(), source: others.#source(), logger: recordingLogger([]) };
    others.watch = new GroupWatch(deps, 'group');
    void others.watch.run(watching.signal);
    return others;
  }

  move(node: string, leaseMs = 1600): void {
    this.beats.set(node, { node, member: `member-${node}`, leaseMs, score: String(this.#count++) });
  }

  #engine(): Engine {
    const engine: Pick<Engine, 'beat' | 'endBeat'> = {
      beat: async (_group, beat) => {
        await this.gate;
        if (this.engineFails) throw new Error('away');
        this.shown.push(beat);
        return [...this.beats.values()];
      },
      endBeat: async (_group, { node, score }) => {
        if (this.beats.get(node)?.score !== score) return false;
        return this.beats.delete(node);
      },
    };
    return engine as Engine;
  }

  #source(): RecordSource {
    const name = (): string | null => this.member;
    const source: Pick<RecordSource, 'member' | 'evict'> = {
      get member() {
        return name();
      },
      evict: async (member) => {
        if (this.evictionsToFail-- > 0) throw new Error('coordinator away');
        this.evicted.push(member);
      },
    };
    return source as RecordSource;
  }
}

/** Every 400 ms for so long, after a first moment. */
async function each400(ms: number, act: () => void): Promise<void> {
  for (let passed = 0; passed < ms; passed += 400) {
    act();
    await pass(400);
  }
}

describe('a router that watches its group', () => {
  it('takes one that is silent out of it within two seconds, once, and leaves those that beat', async () => {
    const others = Others.watch('dead', 'lives');
    await each400(2000, () => others.move('lives'));
    expect(others.evicted).toEqual(['member-dead']);
    await each400(20_000, () => others.move('lives'));
    expect(others.evicted).toEqual(['member-dead']);
  });

  it('takes all of several out that die at once', async () => {
    const others = Others.watch('a', 'b', 'c');
    await pass(2000);
    expect(others.evicted).toEqual(['member-a', 'member-b', 'member-c']);
  });

  it('leaves out of it who was taken away by another one, or has moved since', async () => {
    const others = Others.watch('a');
    await pass(1500);
    others.move('a');
    await pass(1500);
    others.beats.delete('a');
    await pass(10_000);
    expect(others.evicted).toEqual([]);
  });

  // Nobody could have shown a sign of life meanwhile.
  it.each([
    ['that stands still', 60_000],
    ['that stands still for a moment again and again', 2000],
  ])('takes nobody out for an engine %s', async (_, ms) => {
    const others = Others.watch('a');
    for (let time = 0; time < 5; time++) {
      let open: () => void = () => undefined;
      others.gate = new Promise((resolve) => (open = resolve));
      await pass(ms);
      open();
      await pass(1);
      others.gate = Promise.resolve();
      await pass(800);
    }
    expect(others.evicted).toEqual([]);
  });

  it('takes nobody out for an engine that refuses, and judges anew afterwards', async () => {
    const others = Others.watch('a');
    await pass(1300);
    others.engineFails = true;
    await pass(60_000);
    others.engineFails = false;
    await pass(1600);
    expect(others.evicted).toEqual([]);
    await pass(800);
    expect(others.evicted).toEqual(['member-a']);
  });

  it('tries again as long as the coordinator cannot be reached', async () => {
    const others = Others.watch('a');
    others.evictionsToFail = 3;
    await pass(6000);
    expect(others.evicted).toEqual(['member-a']);
  });

  it('grants the patience that another one asks for', async () => {
    const others = Others.watch();
    others.move('slow', 5000);
    await pass(5000);
    expect(others.evicted).toEqual([]);
    await pass(800);
    expect(others.evicted).toEqual(['member-slow']);
  });

  // The others wait for a member from the moment at which the group knows it.
  it('shows its name as soon as it has one, not with the next beat', async () => {
    const others = Others.watch();
    others.member = null;
    await pass(500);
    expect(others.shown.at(-1)!.member).toBeNull();
    others.member = 'named';
    await others.watch!.show(watching.signal);
    expect(others.shown.at(-1)!.member).toBe('named');
  });

  // Otherwise a node whose loop is busy again and again would be thrown out each time.
  it('asks for more patience for a minute after it was late itself', async () => {
    const others = Others.watch();
    await pass(1000);
    expect(others.shown.at(-1)).toEqual({ member: 'this', leaseMs: 1600 });
    const now = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now + 2500);
    await pass(400);
    clock.mockRestore();
    expect(others.shown.at(-1)!.leaseMs).toBeGreaterThanOrEqual(2500 + 400);
    await pass(30_000);
    expect(others.shown.at(-1)!.leaseMs).toBeGreaterThanOrEqual(2500 + 400);
    await pass(40_000);
    expect(others.shown.at(-1)!.leaseMs).toBe(1600);
  });

  // Its death would be seen later, and it would not have been thrown out.
  it('asks for no more patience after a moment that harmed nobody', async () => {
    const others = Others.watch();
    await pass(1000);
    const now = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now + 900);
    await pass(400);
    clock.mockRestore();
    await pass(400);
    expect(others.shown.at(-1)).toEqual({ member: 'this', leaseMs: 1600 });
  });

  // It may stand still at any moment, and for a little longer the next time.
  it.each([
    ['a beat was under way', true],
    ['it waited for the next beat', false],
  ])('asks for more patience than that after it stood still while %s', async (_, isUnderWay) => {
    const others = Others.watch();
    await pass(1000);
    let open: () => void = () => undefined;
    if (isUnderWay) others.gate = new Promise((resolve) => (open = resolve));
    await pass(390);
    const now = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now + 2500);
    await pass(400);
    open();
    await pass(1);
    clock.mockRestore();
    await pass(400);
    expect(others.shown.at(-1)!.leaseMs).toBeGreaterThanOrEqual(1.4 * 2500 + 400);
  });
});
