import type { SlowPolicy } from './slow-policy.js';

/** The newest frame of a stream takes the place of the one that waits, so there is never more than one of each. */
export const conflate: SlowPolicy = {
  summary: 'the newest message of each stream',
  offer(share, frame) {
    if (share.replace(frame)) return 'acted';
    share.append(frame);
    return 'queued';
  },
  fit: (share) => (share.keepNewest() ? 'acted' : 'queued'),
};
