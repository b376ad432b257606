import type { SlowPolicy } from './slow-policy.js';

/** Everything waits; a client for which too much waits is closed, and comes back with its position. */
export const queue: SlowPolicy = {
  summary: 'up to `queueBytes`, then close 4001',
  offer(share, frame) {
    if (!share.hasRoomFor(frame)) return 'full';
    share.append(frame);
    return 'queued';
  },
  fit: (share) => (share.isOver ? 'full' : 'queued'),
};
