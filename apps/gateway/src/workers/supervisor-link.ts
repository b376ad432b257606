import type { Tree } from '../config/language/tree.js';
import type { WorkerGroup } from '../http/routes.js';
import type { WorkerGroupMember } from '../node/serve.js';
import type { GroupAnswers, Question, ToSupervisor, ToWorker } from './messages.js';

type Started = Extract<ToWorker, { kind: 'start' }>;

interface LinkHandlers {
  /** May come more than once. */
  onStop(reason: string): void;
  onReload(tree: Tree): void;
  onError(message: string, error: unknown): void;
}

/** Beyond it the supervisor hangs or is busy starting over; a probe that fails is right then. */
const ANSWER_MS = 5000;

/** A worker's end of the channel to the supervisor. */
export class SupervisorLink implements WorkerGroup {
  readonly #handlers: LinkHandlers;
  readonly #started = Promise.withResolvers<Started>();
  readonly #waiting = new Map<number, (answer: GroupAnswers[Question]) => void>();
  #lastId = 0;
  #member: WorkerGroupMember | null = null;

  /** Throws where there is no supervisor. */
  constructor(handlers: LinkHandlers) {
    if (process.send === undefined) throw new Error('no supervisor: this process was not started by `serve`');
    this.#handlers = handlers;
    process.on('message', (message) => this.#received(message as ToWorker));
    // Nobody would start this worker again, count its sockets or stop it.
    process.on('disconnect', () => handlers.onStop('supervisor gone'));
  }

  get started(): Promise<Started> {
    return this.#started.promise;
  }

  async join(member: WorkerGroupMember): Promise<WorkerGroup> {
    this.#member = member;
    const { opensGrpc } = await this.started;
    if (opensGrpc) await member.openGrpc();
    return this;
  }

  /** Tells that this worker listens: from here on it is asked, too. */
  listening(): void {
    this.#send({ kind: 'listening' });
  }

  states(): Promise<GroupAnswers['state']> {
    return this.#ask('state') as Promise<GroupAnswers['state']>;
  }

  metrics(): Promise<GroupAnswers['metrics']> {
    return this.#ask('metrics') as Promise<GroupAnswers['metrics']>;
  }

  #ask(about: Question): Promise<GroupAnswers[Question]> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error('the supervisor does not answer'));
      }, ANSWER_MS);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(answer);
      });
      this.#send({ kind: 'group-question', id, about });
    });
  }

  #received(message: ToWorker): void {
    switch (message.kind) {
      case 'start':
        return this.#started.resolve(message);
      case 'stop':
        return this.#handlers.onStop(message.reason);
      case 'reload':
        return this.#handlers.onReload(message.tree);
      case 'open-grpc':
        this.#member?.openGrpc().catch((error: unknown) => this.#handlers.onError('grpc cannot be opened', error));
        return;
      case 'question':
        return void this.#answer(message.about);
      case 'group-answer':
        return this.#waiting.get(message.id)?.(message.answer);
    }
  }

  async #answer(about: Question): Promise<void> {
    const member = this.#member;
    if (member === null) return;
    if (about === 'state') this.#send({ kind: 'answer', about, answer: member.state() });
    else this.#send({ kind: 'answer', about, answer: await member.metrics.snapshot() });
  }

  #send(message: ToSupervisor): void {
    // One that has gone is told by `disconnect`.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }
}
