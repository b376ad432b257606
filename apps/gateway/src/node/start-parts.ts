import { EngineError, sleep, type Engine, type Inbox, type Logger, type Router } from '@ws-gateway/core';

const RETRY_MS = 1000;

interface StartedParts {
  readonly engine: Engine;
  readonly inbox: Inbox;
  readonly router: Router | null;
  /** Reporter of what became of messages; null: this node reports nothing. */
  readonly outcomes: { start(): void } | null;
  readonly logger: Logger;
  readonly refuse: (error: unknown) => void;
}

/**
 * Engine first, then the router: records must not be read before there is somewhere to put them. A server that is away
 * is waited for; /ready tells meanwhile. `refuse` is called where waiting cannot help, because the store is laid out for
 * other settings. Resolves when all run, or nothing more will; never rejects.
 */
export async function startParts(parts: StartedParts, signal: AbortSignal): Promise<void> {
  const { engine, inbox, router, logger } = parts;
  while (!signal.aborted) {
    try {
      await engine.start(inbox);
      break;
    } catch (error) {
      if (error instanceof EngineError && error.code === 'layout_mismatch') return parts.refuse(error);
      logger.error('engine could not be reached, trying again', { error });
    }
    await sleep(RETRY_MS, signal);
  }
  if (signal.aborted || router === null) return;
  parts.outcomes?.start();
  try {
    // Joining the group can take as long as Kafka is away, or a killed member's session lasts: a stop does not wait for
    // it, it calls it off.
    await Promise.race([router.start(), aborted(signal)]);
    if (!signal.aborted) logger.info('router running');
  } catch (error) {
    logger.error('router could not be started', { error });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
