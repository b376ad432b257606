import { closeOver } from '../../close-codes.js';
import type { Engine } from '../../engine.js';
import type { StreamMessage } from '../../inbox.js';
import type { Logger } from '../../logger.js';
import type { Position } from '../../streams.js';
import type { Delivery } from '../delivery/delivery.js';
import type { Subscription } from '../delivery/connection.js';
import type { Sender } from '../delivery/sender.js';

interface CatchUpDeps {
  readonly engine: Pick<Engine, 'read'>;
  readonly delivery: Delivery;
  readonly sender: Sender;
  readonly logger: Logger;
}

/**
 * Replays that are longer than the queue of their topic: page by page, at the pace of the socket, so that a client that
 * reads slowly, or not at all, makes the node hold one page. What comes live while the socket takes a page is in the
 * history, too, and is read with the next one; only what comes while a page is read is held, since that page may be the
 * last. When continuity cannot be proved the client is told to come back (4003).
 */
export class CatchUp {
  readonly #deps: CatchUpDeps;

  constructor(deps: CatchUpDeps) {
    this.#deps = deps;
  }

  /** `page` is the first one, read while everything live was held, with at least one message. */
  start(subscription: Subscription, page: readonly StreamMessage[]): void {
    this.#run(subscription, page).catch((error: unknown) => {
      this.#deps.logger.warn('replay could not be completed', { stream: subscription.localStream.stream, error });
      this.#deps.sender.close(subscription.connection, closeOver(subscription.policy.name, 'resync'));
    });
  }

  async #run(subscription: Subscription, first: readonly StreamMessage[]): Promise<void> {
    const { engine, sender, delivery } = this.#deps;
    const { retained, policy, connection } = subscription;
    let messages = first;
    let after = positionBehind(first);
    for (;;) {
      subscription.replaying = 'paced';
      delivery.replay(subscription, unknownTo(subscription, messages));
      sender.flush();
      if (!(await sender.whenDrained(connection)) || subscription.left) return;
      subscription.replaying = 'reading';
      subscription.held = [];
      subscription.heldBytes = 0;
      const page = await engine.read(retained!, after, retained!.retention.size, policy.queueBytes);
      if (isLeft(subscription)) return;
      messages = page.messages;
      if (messages.length > 0) after = positionBehind(messages);
      const isLast = after.offset >= page.offset;
      // An empty page that says that there is more proves nothing, and asking again would bring the same.
      if (!page.recovered || (messages.length === 0 && !isLast)) {
        sender.close(connection, closeOver(policy.name, 'resync'));
        return;
      }
      // More may have come live while this page was read than could be held (see Delivery).
      if (!isLast || !isReading(subscription)) continue;
      subscription.replaying = null;
      subscription.epoch = after.epoch;
      subscription.offset = after.offset;
      delivery.release(subscription, unknownTo(subscription, messages));
      sender.flush();
      return;
    }
  }
}

function positionBehind(messages: readonly StreamMessage[]): Position {
  const { epoch, offset } = messages.at(-1)!;
  return { epoch, offset };
}

/** What came to this node before the engine lost it has been sent to those who were subscribed then. */
export function unknownTo(
  { outlivedLoss }: Subscription,
  messages: readonly StreamMessage[],
): readonly StreamMessage[] {
  return outlivedLoss ? messages.filter(({ seen }) => !seen) : messages;
}

/** Asked again behind each wait. */
function isReading({ replaying }: Subscription): boolean {
  return replaying === 'reading';
}

/** Asked again behind each wait. */
function isLeft({ left }: Subscription): boolean {
  return left;
}
