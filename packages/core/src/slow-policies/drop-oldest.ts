import type { SlowPolicy, SlowVerdict } from './slow-policy.js';

/** The oldest frames that wait make room for the newest one. */
export const dropOldest: SlowPolicy = {
  summary: 'counted',
  offer(share, frame) {
    let verdict: SlowVerdict = 'queued';
    while (!share.hasRoomFor(frame)) {
      share.dropOldest();
      verdict = 'acted';
    }
    share.append(frame);
    return verdict;
  },
  fit(share) {
    let verdict: SlowVerdict = 'queued';
    for (; share.isOver; verdict = 'acted') share.dropOldest();
    return verdict;
  },
};
