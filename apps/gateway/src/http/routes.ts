import type { HttpAnswer, UwsTransport } from '@ws-gateway/uws-transport';
import { health, ready, type NodeParts } from './health.js';

interface Metrics {
  render(): Promise<{ contentType: string; body: string }>;
}

/** The HTTP side of contract 6. `metrics` is null when they are off. */
export function addRoutes(
  transport: UwsTransport,
  parts: NodeParts,
  metrics: { at: string; source: Metrics } | null,
): void {
  transport.route('GET', '/health', () => health(parts));
  transport.route('GET', '/ready', () => ready(parts));
  transport.route('GET', '/ping', () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'pong' }));
  if (metrics === null) return;
  transport.route('GET', metrics.at, async (): Promise<HttpAnswer> => {
    const { contentType, body } = await metrics.source.render();
    return { status: 200, headers: { 'content-type': contentType }, body };
  });
}
