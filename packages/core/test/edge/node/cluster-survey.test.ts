import { afterEach, describe, expect, it } from '@jest/globals';
import { ClusterSurvey, EngineStats, MemoryEngine, type Inbox, type Logger, type NodeCommand } from '@ws-gateway/core';
import { turn } from '../edge-under-test.js';

const silent: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silent,
};

let engine: MemoryEngine | null = null;
afterEach(() => engine?.stop());

/** A node whose inbox knows commands only; `take` is what it does with them. */
async function start(take: (command: NodeCommand) => void): Promise<ClusterSurvey> {
  engine = new MemoryEngine({ node: 'n1', stats: new EngineStats() });
  const nothing = (): void => undefined;
  const inbox: Inbox = {
    deliver: nothing,
    broadcast: nothing,
    endBatch: nothing,
    rebuild: async () => undefined,
    holds: () => true,
    command: take,
  };
  await engine.start(inbox);
  return new ClusterSurvey({ engine, logger: silent }, { node: 'n1' });
}

describe('a cluster survey', () => {
  it('answers itself where it is the only node', async () => {
    const survey: ClusterSurvey = await start((command) => {
      if (command.command === 'ask' || command.command === 'report') survey.take(command);
    });
    expect(await survey.subscriptions()).toEqual({ subscriptions: new Map(), complete: true });
    expect(await survey.connection('n1', 'n1-1')).toBeNull();
    expect(await survey.connection('n2', 'n2-1')).toBeNull();
  });

  it('asks nobody about a room that nobody watches', async () => {
    const survey = await start(() => {
      throw new Error('asked');
    });
    expect(await survey.members('r1')).toEqual({ users: [], connections: 0, complete: true });
  });

  it('gives up a node that does not answer within a second', async () => {
    const asked: NodeCommand[] = [];
    const survey = await start((command) => void asked.push(command));
    expect(await survey.subscriptions()).toEqual({ subscriptions: new Map(), complete: false });
    await expect(survey.connection('n1', 'n1-1')).rejects.toMatchObject({ code: 'unavailable' });
    expect(asked).toMatchObject([
      { command: 'ask', from: 'n1', question: { about: 'subscriptions' } },
      { command: 'ask', from: 'n1', question: { about: 'connection', connection: 'n1-1' } },
    ]);
    // Too late: nobody waits for it any more.
    survey.take({ command: 'report', id: (asked[0] as { id: string }).id, answer: { counts: { x: 1 } } });
  });

  it('lets a thousand questions wait, and refuses the next', async () => {
    const survey = await start(() => undefined);
    const waiting = Array.from({ length: 1000 }, () => survey.subscriptions());
    await expect(survey.subscriptions()).rejects.toMatchObject({ code: 'unavailable' });
    await Promise.all(waiting);
  });

  it('adds up what several nodes say', async () => {
    const answers = [
      { counts: { b: 1, a: 2 }, truncated: false },
      { counts: { b: 3 }, truncated: true },
    ];
    engine = null;
    const engineOfTwo = {
      nodes: () => Promise.resolve([]),
      control: (_: unknown, command: NodeCommand) => {
        const { id } = command as { id: string };
        // Before the engine has said how many were reached.
        for (const answer of answers) survey.take({ command: 'report', id, answer });
        return Promise.resolve(2);
      },
    };
    const survey: ClusterSurvey = new ClusterSurvey({ engine: engineOfTwo, logger: silent }, { node: 'n1' });
    const { subscriptions, complete } = await survey.subscriptions();
    expect([...subscriptions]).toEqual([
      ['a', 2],
      ['b', 4],
    ]);
    expect(complete).toBe(false);
  });

  // Whoever had entered a room while another one's question was under way got an answer without himself.
  it('tells whoever asks about a room only what was asked behind that', async () => {
    const asked: string[] = [];
    const answer = (user: string): void => {
      const answers = { users: [user], connections: 1, truncated: false };
      survey.take({ command: 'report', id: asked.at(-1)!, answer: answers });
    };
    const engineOfOne = {
      nodes: () => Promise.resolve([]),
      control: (_: unknown, command: NodeCommand) => {
        asked.push((command as { id: string }).id);
        return Promise.resolve(1);
      },
    };
    const survey: ClusterSurvey = new ClusterSurvey({ engine: engineOfOne, logger: silent }, { node: 'n1' });
    const first = [survey.members('red'), survey.members('red')];
    await turn();
    const later = [survey.members('red'), survey.members('red')];
    answer('before');
    for (const { users } of await Promise.all(first)) expect(users).toEqual(['before']);
    await turn();
    answer('behind');
    for (const { users } of await Promise.all(later)) expect(users).toEqual(['behind']);
    expect(asked).toHaveLength(2);
  });
});
