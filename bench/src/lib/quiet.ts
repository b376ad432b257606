import type { Logger } from '@ws-gateway/core';

const ignore = (): void => undefined;

export const quiet: Logger = { error: ignore, warn: ignore, info: ignore, debug: ignore, child: () => quiet };
