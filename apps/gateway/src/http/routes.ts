import type { HttpAnswer, HttpServer } from '@ws-gateway/core';
import { health, ready, type NodeState } from './health.js';

/** The processes behind this port: whichever of them is asked speaks for all. */
export interface WorkerGroup {
  states(): Promise<readonly NodeState[]>;
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** Health, readiness, ping and metrics. `metricsPath` is null when they are off. */
export function addRoutes(server: HttpServer, group: WorkerGroup, metricsPath: string | null): void {
  server.route('GET', '/health', async () => health(await group.states()));
  server.route('GET', '/ready', async () => ready(await group.states()));
  server.route('GET', '/ping', () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'pong' }));
  if (metricsPath === null) return;
  server.route('GET', metricsPath, async (): Promise<HttpAnswer> => {
    const { contentType, body } = await group.metrics();
    return { status: 200, headers: { 'content-type': contentType }, body };
  });
}
