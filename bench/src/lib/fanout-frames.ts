import { setTimeout as delay } from 'node:timers/promises';
import { publicStream, pushHead } from '@ws-gateway/core';

/** Name of the topic, short, so that a whole push fits into 200 bytes. */
export const TOPIC = 't';
export const STREAM = publicStream(TOPIC);

/** Time in ms between two turns: more than a flush to 1,000 sockets takes. */
const TURN_MS = 40;

/** One burst of messages. */
export interface BurstTask {
  readonly messages: number;
  readonly perTurn: number;
  /** Bytes of a whole frame. */
  readonly bytes: number;
}

/** Makes heads of pushes as the router makes them, so long that with its position each frame has `bytes` bytes. */
export function heads({ messages, bytes }: BurstTask, epoch: string, firstOffset: number): string[] {
  return Array.from({ length: messages }, (_, n) => {
    const tail = tailOf(epoch, firstOffset + n);
    const missing = bytes - headOf(n, '').length - tail.length;
    if (missing < 0) throw new Error(`a frame has ${bytes - missing} bytes at least`);
    return headOf(n, 'x'.repeat(missing));
  });
}

/** Makes the text that the engine puts behind the head. */
export function tailOf(epoch: string, offset: number): string {
  return `${epoch}","offset":${offset}}`;
}

function headOf(n: number, padding: string): string {
  const fields = { event: TOPIC, topic: TOPIC, type: TOPIC, id: `${n}`, timestamp: '2026-01-01T00:00:00Z' };
  return pushHead({ ...fields, payload: `{"n":${n},"x":"${padding}"}` }, null, STREAM);
}

/**
 * Hands over `perTurn` messages in each turn of the loop that has any, with enough time between two turns to write
 * them. Idle time costs no CPU, so it does not count: returns the seconds of CPU.
 */
export async function measureBurst(
  { messages, perTurn }: BurstTask,
  publish: (first: number, end: number) => void,
): Promise<number> {
  const before = process.cpuUsage();
  for (let n = 0; n < messages; n += perTurn) {
    publish(n, Math.min(n + perTurn, messages));
    await delay(TURN_MS);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
