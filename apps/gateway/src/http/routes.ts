import type { HttpAnswer, HttpServer } from '@ws-gateway/core';
import { health, ready, type NodeState } from './health.js';
import { sharedAnswer } from './shared-answer.js';

/** The processes behind this port: whichever of them is asked speaks for all. */
export interface WorkerGroup {
  states(): Promise<readonly NodeState[]>;
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** Health, readiness, ping and metrics. `metricsPath` is null when they are off. */
export function addRoutes(server: HttpServer, group: WorkerGroup, metricsPath: string | null): void {
  const states = sharedAnswer(() => group.states());
  server.route('GET', '/health', async () => health(await states()));
  server.route('GET', '/ready', async () => ready(await states()));
  server.route('GET', '/ping', () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'pong' }));
  if (metricsPath === null) return;
  const metrics = sharedAnswer(() => group.metrics());
  server.route('GET', metricsPath, async (): Promise<HttpAnswer> => {
    const { contentType, body } = await metrics();
    return { status: 200, headers: { 'content-type': contentType }, body };
  });
}
