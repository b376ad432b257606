import type { Config } from '../config/config.js';
import { clientTls } from '../node/client-tls.js';
import { reach } from './reach.js';

/** Connects to the brokers, with TLS if configured; one that answers is enough. Rejects with ProbeError of the first. */
export async function probeKafka({ brokers, tls }: Config['kafka']): Promise<void> {
  const attempts = await Promise.allSettled(
    brokers.map(async (address) => (await reach(address, tls === null ? null : clientTls(tls))).destroy()),
  );
  const failures = attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason as unknown] : []));
  if (failures.length === brokers.length) throw failures[0];
}
