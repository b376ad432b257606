import type { Logger } from '@ws-gateway/core';

/** Libraries and Node itself write plain text to the console now and then: here it becomes lines of the log. */
export function logLibraryLines(logger: Logger): void {
  const line =
    (level: 'error' | 'warn' | 'info' | 'debug') =>
    (...words: unknown[]) =>
      logger[level]('said by a library', { text: words.map(String).join(' ') });
  Object.assign(console, { error: line('error'), warn: line('warn'), info: line('info'), log: line('info') });
  // The listener that is there writes to standard error.
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => logger.warn('warning of node', { name, text: message }));
}
