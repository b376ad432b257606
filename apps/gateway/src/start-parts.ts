import type { Engine, Inbox, Logger, Router } from '@ws-gateway/core';

const RETRY_MS = 1000;

/**
 * Engine first, then the router: records must not be read before there is somewhere to put them. A server that is away
 * is waited for; /ready tells meanwhile. Resolves when all run or the signal aborts; never rejects.
 */
export async function startParts(
  parts: { engine: Engine; inbox: Inbox; router: Router | null; logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  const { engine, inbox, router, logger } = parts;
  while (!signal.aborted) {
    try {
      await engine.start(inbox);
      break;
    } catch (error) {
      logger.error('engine could not be reached, trying again', { error });
    }
    await pause(RETRY_MS, signal);
  }
  if (signal.aborted || router === null) return;
  try {
    await router.start();
    logger.info('router running');
  } catch (error) {
    logger.error('router could not be started', { error });
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
