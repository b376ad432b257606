import { sleep, type Edge, type Engine, type HttpServer, type Logger, type Router } from '@ws-gateway/core';

/** Parts that have to be stopped; null where the node has no such part. */
export interface Stoppable {
  /** Resolves when nothing is being started any more. */
  readonly started: Promise<void>;
  readonly edge: Edge | null;
  readonly router: Router | null;
  readonly server: HttpServer;
  /** Server of the operators; null: they share the server of the clients. */
  readonly ops: HttpServer | null;
  readonly engine: Engine;
  /** Reporter of what became of messages; null: this node reports nothing. */
  readonly outcomes: { stop(): Promise<void> } | null;
  readonly outgoing: { stop(): Promise<void> };
  readonly schemas: { stop(): Promise<void> } | null;
  readonly grpc: { drain(): void; close(): Promise<void> };
  readonly backends: { close(): Promise<void> };
  readonly links: { close(): Promise<void> };
  readonly logger: Logger;
}

export interface ShutdownTimes {
  readonly durationMs: number;
  readonly deadlineMs: number;
}

/** Close handshakes that are still under way when all sockets were told to go. */
const CLOSE_GRACE_MS = 2000;
const CLOSE_POLL_MS = 20;

/** Lanes that need longer finish while the sockets leave: clients must not wait for a Redis that is away. */
const LEAVE_FIRST_MS = 2000;

/**
 * The graceful stop, in this order:
 * 1. /ready says draining and new handshakes are refused; metrics and health stay reachable.
 * 2. The lanes finish, offsets are committed, the group is left: a process that is killed before its time leaves no ghost
 *    whose partitions rest, and the others go on with the records.
 * 3. Clients are told to reconnect and closed in slices over `durationMs`; what other nodes route still reaches them.
 * 4. What is left of the sockets is closed, the port and the connections to backends too.
 * 5. Presence and all other rows of this node are taken away.
 * 6. What waits to be written to Kafka is written.
 * Resolves to false when `deadlineMs` ended it early: then Kafka hands out again what was not committed, and the lease
 * takes the rows away.
 */
export async function shutDown(parts: Stoppable, times: ShutdownTimes): Promise<boolean> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), times.deadlineMs);
  const late = new Promise<false>((resolve) => deadline.signal.addEventListener('abort', () => resolve(false)));
  try {
    return await Promise.race([late, stopInOrder(parts, times, deadline.signal)]);
  } finally {
    clearTimeout(timer);
  }
}

async function stopInOrder(parts: Stoppable, times: ShutdownTimes, deadline: AbortSignal): Promise<true> {
  const { edge, router, outcomes, outgoing, schemas, server, ops, grpc, backends, links, engine, logger } = parts;
  edge?.beginDrain();
  grpc.drain();
  await parts.started;
  const left = router?.stop(deadline);
  // Heard of below; until then nobody listens.
  left?.catch(() => undefined);
  await Promise.race([left, sleep(LEAVE_FIRST_MS, deadline)]);
  if (edge !== null) {
    logger.info('draining', { connections: edge.connectionCount, durationMs: times.durationMs });
    await edge.drain(times.durationMs);
    await closed(edge, deadline);
  }
  await left;
  await grpc.close();
  await server.close();
  await backends.close();
  // Behind the sockets: it tells of their ends.
  await links.close();
  await edge?.stop();
  await outcomes?.stop();
  await engine.stop();
  await outgoing.stop();
  await schemas?.stop();
  await ops?.close();
  return true;
}

async function closed(edge: Edge, deadline: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + CLOSE_GRACE_MS;
  while (edge.connectionCount > 0 && performance.now() < giveUpAt && !deadline.aborted) {
    await new Promise((resolve) => setTimeout(resolve, CLOSE_POLL_MS));
  }
}
