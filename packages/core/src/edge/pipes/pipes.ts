import type { PipeClient, PipeHost } from '../../backend-links.js';
import type { Engine } from '../../engine.js';
import type { Logger } from '../../logger.js';
import type { EdgeStats } from '../../stats.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import type { Delivery } from '../delivery/delivery.js';
import type { Sender } from '../delivery/sender.js';
import { PipeActions } from './action-runner.js';
import { BACKEND_BUSY, BACKEND_LOST, type PipeOptions } from './pipe-endpoint.js';

interface PipesDeps {
  readonly engine: Engine;
  readonly connections: ConnectionTable;
  readonly delivery: Delivery;
  readonly sender: Sender;
  readonly stats: EdgeStats;
  readonly logger: Logger;
}

/** Carries out what back ends ask for over their links, and closes their clients when a link is lost. */
export class Pipes implements PipeHost {
  readonly #deps: PipesDeps;
  readonly #pathOf: ReadonlyMap<string, string>;
  readonly #actions: PipeActions;

  /** `actionBytes` is what a back end may ask for in one message. */
  constructor(deps: PipesDeps, pipes: readonly PipeOptions[], options: { actionBytes: number }) {
    this.#deps = deps;
    this.#pathOf = new Map(pipes.map(({ name, path }) => [name, path]));
    this.#actions = new PipeActions(deps, pipes, options);
  }

  perform(pipe: string, actions: readonly string[]): Promise<string[]> {
    return this.#actions.perform(pipe, actions);
  }

  lost(pipe: string): void {
    const { connections, sender } = this.#deps;
    const path = this.#pathOf.get(pipe);
    for (const connection of [...connections.all()]) {
      if (connection.endpoint.path === path) sender.close(connection, BACKEND_LOST);
    }
  }

  overflowed(pipe: string, { connection: id }: PipeClient): void {
    const { connections, sender, stats } = this.#deps;
    const connection = connections.get(id);
    if (connection?.state !== 'open') return;
    stats.link(pipe).overflows++;
    sender.close(connection, BACKEND_BUSY);
  }
}
