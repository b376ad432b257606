import { describe, expect, it } from '@jest/globals';
import { refusalClose, refusalCloseCode, refusalStatuses } from '../src/index.js';

describe('the close code of a refusal that is told by a frame', () => {
  it('says whether to come back: 4100 and up for what time mends, 4600 and up for what it does not', () => {
    const codes = Object.entries(refusalStatuses).map(([code, status]) => [code, refusalCloseCode({ code, status })]);
    expect(Object.fromEntries(codes)).toMatchObject({
      bad_request: 4600,
      unknown_topic: 4600,
      token_missing: 4601,
      token_invalid: 4601,
      token_expired: 4010,
      user_blocked: 4500,
      topic_forbidden: 4603,
      unknown_hub: 4604,
      already_connected: 4609,
      too_many_connections: 4129,
      draining: 4203,
      unavailable: 4203,
      full: 4203,
    });
  });

  it('has the code as its reason; that of a blocked user has why', () => {
    const blocked = { status: 403, code: 'user_blocked', message: '' };
    expect(refusalClose({ status: 401, code: 'token_missing', message: 'no' }).reason).toBe('token_missing');
    expect(refusalClose({ ...blocked, details: { reason: 'fraud' } }).reason).toBe('fraud');
    expect(refusalClose({ ...blocked, details: { reason: '' } }).reason).toBe('user_blocked');
  });

  it('never has a reason that does not fit into a close frame', () => {
    const details = { reason: 'é'.repeat(200) };
    const { reason } = refusalClose({ status: 403, code: 'user_blocked', message: '', details });
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  });
});
