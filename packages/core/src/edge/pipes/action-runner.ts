import type { Engine, PublishItem } from '../../engine.js';
import { ofNoRecord } from '../../inbox.js';
import { EngineError } from '../../errors.js';
import type { Logger } from '../../logger.js';
import type { EdgeStats } from '../../stats.js';
import { pipeTopic, userStream } from '../../streams.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import type { Connection } from '../delivery/connection.js';
import type { Delivery } from '../delivery/delivery.js';
import { parsePipeAction, pipeErrorText, type BadAction, type PipeAction, type PipeErrorCode } from './action-text.js';
import type { Sender } from '../delivery/sender.js';
import type { PipeOptions } from './pipe-endpoint.js';

interface PipeActionsDeps {
  readonly engine: Engine;
  readonly connections: ConnectionTable;
  readonly delivery: Delivery;
  readonly sender: Sender;
  readonly stats: EdgeStats;
  readonly logger: Logger;
}

/** A readable action and its place among those of the call. */
interface Placed<Action> {
  readonly at: number;
  readonly action: Action;
}
type Todo = Exclude<PipeAction, BadAction>;
type Send = Placed<Extract<Todo, { action: 'send' }>>;
type Close = Placed<Extract<Todo, { action: 'close' }>>;

interface Call {
  readonly pipe: PipeOptions;
  readonly texts: readonly string[];
  /** Answers by place; null: nothing to say. */
  readonly answers: (string | null)[];
}

/**
 * Carries out what backends ask for: it reaches the user's socket on whichever node that is. What is asked for one
 * connection, from its `open` on, takes effect in the order given; sends that follow each other travel together.
 */
export class PipeActions {
  readonly #deps: PipeActionsDeps;
  readonly #pipes: ReadonlyMap<string, PipeOptions>;
  readonly #actionBytes: number;

  constructor(deps: PipeActionsDeps, pipes: readonly PipeOptions[], options: { actionBytes: number }) {
    this.#deps = deps;
    this.#pipes = new Map(pipes.map((pipe) => [pipe.name, pipe]));
    this.#actionBytes = options.actionBytes;
  }

  /** Answers to those that were not carried out, in their order. Never rejects. */
  async perform(pipeName: string, texts: readonly string[]): Promise<string[]> {
    const pipe = this.#pipes.get(pipeName);
    if (pipe === undefined) throw new Error(`no endpoint is piped to ${pipeName}`);
    const call: Call = { pipe, texts, answers: texts.map(() => null) };
    let sends: Send[] = [];
    for (const [at, text] of texts.entries()) {
      const action = parsePipeAction(text, this.#actionBytes);
      if (action.action === 'bad') {
        this.#fail(call, [{ at }], { code: 'bad_action', message: action.problem });
      } else if (this.#performHere(pipe, action)) {
        this.#done(pipe, action, 1);
      } else if (action.action === 'send') {
        sends.push({ at, action });
      } else {
        this.#deps.delivery.endBatch();
        await this.#send(call, sends);
        sends = [];
        await this.#close(call, { at, action });
      }
    }
    this.#deps.delivery.endBatch();
    await this.#send(call, sends);
    return call.answers.filter((answer) => answer !== null);
  }

  /**
   * A backend answers over the link that a question came from, so the user is on this node, as a rule. Where nobody can
   * take a user's place there is no other connection either, and the engine need not carry what is for this one: it is
   * there at once, also when the engine is away. Where places are taken, the one here may have lost its place a moment ago.
   */
  #performHere({ name, path, sessionPolicy }: PipeOptions, action: Todo): boolean {
    if (sessionPolicy !== 'reject') return false;
    const connection = this.#connectionHere(path, action.user);
    if (connection === null) return false;
    if (action.action === 'close') {
      this.#deps.sender.close(connection, action.close);
      return true;
    }
    const stream = userStream(pipeTopic(name), action.user);
    const frame = Buffer.from(action.frame);
    this.#deps.delivery.deliver({
      stream,
      epoch: '',
      offset: 0,
      recordTimeMs: Date.now(),
      frame,
      except: '',
      ...ofNoRecord,
      seen: false,
    });
    return true;
  }

  async #send(call: Call, sends: readonly Send[]): Promise<void> {
    if (sends.length === 0) return;
    const common = { kind: 'user', topic: pipeTopic(call.pipe.name), retention: null, sourceOffset: -1 } as const;
    const recordTimeMs = Date.now();
    const items = sends.map(({ action: { user, frame } }): PublishItem => ({
      ...common,
      user,
      recordTimeMs,
      head: frame,
    }));
    await this.#attempt(call, sends, async () => {
      // Asked first and not waited for: the engine takes calls in their order, so this is who was there when it sent,
      // at no further round trip.
      const asked = this.#whoIsThere(call.pipe, new Set(sends.map(({ action }) => action.user)));
      const [there, { items: results }] = await Promise.all([
        asked,
        this.#deps.engine.publish({ source: null, items }),
      ]);
      return sends.filter(({ action }, at) => results?.[at]?.nodes === 0 || !there.has(action.user));
    });
  }

  async #close(call: Call, placed: Close): Promise<void> {
    const { user, close } = placed.action;
    const command = { command: 'close', user, endpoint: call.pipe.path, close } as const;
    await this.#attempt(call, [placed], async () => {
      const asked = this.#whoIsThere(call.pipe, new Set([user]));
      const [there, nodes] = await Promise.all([asked, this.#deps.engine.control({ kind: 'user', user }, command)]);
      return nodes === 0 || !there.has(user) ? [placed] : [];
    });
  }

  /** `act` gives those whose user was not there. */
  async #attempt(
    call: Call,
    placed: readonly (Send | Close)[],
    act: () => Promise<readonly (Send | Close)[]>,
  ): Promise<void> {
    try {
      const missed = await act();
      const message = 'the user has no connection to this endpoint';
      this.#fail(call, missed, { code: 'unknown_user', message });
      this.#done(call.pipe, placed[0]!.action, placed.length - missed.length);
    } catch (error) {
      if (!(error instanceof EngineError)) this.#deps.logger.error('backend actions failed', { error });
      // Not tried again: what may have been done once must not be done twice.
      const message = 'whether it was carried out is not known; try again later';
      this.#fail(call, placed, { code: 'unavailable', message });
    }
  }

  /**
   * Finds which of the users have a connection to the endpoint. The number of nodes that a message went to does not
   * tell, for a node counts with any connection of the user. The engine is not asked about users of this node.
   */
  async #whoIsThere({ path }: PipeOptions, users: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const there = new Set<string>();
    const asked: Promise<void>[] = [];
    const ask = async (user: string): Promise<void> => {
      const rows = await this.#deps.engine.presence(user);
      if (rows.some(({ endpoint }) => endpoint === path)) there.add(user);
    };
    for (const user of users) {
      if (this.#connectionHere(path, user) !== null) there.add(user);
      else asked.push(ask(user));
    }
    await Promise.all(asked);
    return there;
  }

  /** Finds an open connection here: of the others nobody knows whether they will be refused. */
  #connectionHere(path: string, user: string): Connection | null {
    for (const connection of this.#deps.connections.ofUser(user)) {
      if (connection.state === 'open' && connection.endpoint.path === path) return connection;
    }
    return null;
  }

  #done({ name }: PipeOptions, { action }: Todo, count: number): void {
    if (count > 0) this.#deps.stats.link(name).actions.add(action, count);
  }

  #fail(call: Call, places: readonly { at: number }[], why: { code: PipeErrorCode; message: string }): void {
    if (places.length === 0) return;
    this.#deps.stats.link(call.pipe.name).actions.add(why.code, places.length);
    for (const { at } of places) call.answers[at] = pipeErrorText(call.texts[at]!, why.code, why.message);
  }
}
