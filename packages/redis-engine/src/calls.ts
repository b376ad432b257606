import type { ScriptLink } from './script-link.js';

/** The links for calls: one for all partitions, or one each. Calls for one partition keep their order. */
export class Calls {
  readonly all: readonly ScriptLink[];

  constructor(links: readonly ScriptLink[]) {
    this.all = links;
  }

  of(partition: number): ScriptLink {
    return this.all.length === 1 ? this.all[0]! : this.all[partition]!;
  }

  get ready(): boolean {
    return this.all.every((link) => link.ready);
  }

  /** Tells whether each of the servers says which process it is. */
  get identified(): boolean {
    return this.all.every((link) => link.identified);
  }

  /** Names of the processes that the links lead to. */
  get servers(): readonly string[] {
    return this.all.map(({ server }) => server);
  }

  /** See ScriptLink. */
  send(): void {
    for (const link of this.all) link.send();
  }

  stop(): void {
    for (const link of this.all) link.stop();
  }
}
