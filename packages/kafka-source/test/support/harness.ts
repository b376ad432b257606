import { GroupSinks, type RecordingSink } from '@ws-gateway/conformance/record-source';
import type { Logger } from '@ws-gateway/core';
import { testBrokers, uniqueName } from '@ws-gateway/testkit';
import { KafkajsRecordSource, type KafkajsRecordSourceOptions } from '../../src/index.js';

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Keeps what is logged above debug. */
export class LogBook implements Logger {
  readonly lines: LogLine[] = [];
  error(message: string, fields = {}): void {
    this.lines.push({ level: 'error', message, fields });
  }
  warn(message: string, fields = {}): void {
    this.lines.push({ level: 'warn', message, fields });
  }
  info(message: string, fields = {}): void {
    this.lines.push({ level: 'info', message, fields });
  }
  debug(): void {}
  child(): Logger {
    return this;
  }
  has(message: string): boolean {
    return this.lines.some((line) => line.message.includes(message));
  }
}

export interface Node {
  readonly source: KafkajsRecordSource;
  readonly sink: RecordingSink;
  readonly log: LogBook;
}

/** Makes sources and stops those that are left when a test is over. */
export class Nodes {
  readonly #nodes: Node[] = [];
  readonly #sinks = new GroupSinks();

  create(options: Partial<KafkajsRecordSourceOptions> & { readonly topics: readonly string[] }): Node {
    const log = new LogBook();
    const groupId = options.groupId ?? uniqueName('group');
    const source = new KafkajsRecordSource({
      brokers: testBrokers().split(','),
      clientId: 'kafka-source-test',
      fromBeginning: true,
      createTopics: false,
      sessionTimeoutMs: 10_000,
      logger: log,
      ...options,
      groupId,
    });
    const node = { source, sink: this.#sinks.create(groupId), log };
    this.#nodes.push(node);
    return node;
  }

  async start(options: Partial<KafkajsRecordSourceOptions> & { readonly topics: readonly string[] }): Promise<Node> {
    const node = this.create(options);
    await node.source.start(node.sink);
    return node;
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#nodes.splice(0).map(({ source }) => source.stop()));
  }
}
