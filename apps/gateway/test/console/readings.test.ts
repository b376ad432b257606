import { describe, expect, it } from '@jest/globals';
import { parseExact } from '../../console/exact-json.js';
import { quantile } from '../../console/exposition.js';
import { Readings } from '../../console/readings.js';

/** Tests of what the charts of the console make of scrapes. */

interface Counts {
  readonly sent?: readonly [notifications: number, others: number];
  readonly ages?: readonly [upTo100ms: number, upTo1s: number, all: number];
}

function scrape({ sent = [0, 0], ages = [0, 0, 0] }: Counts): string {
  return `# HELP gw_websocket_messages_sent_total Frames {type="none"} 5
# TYPE gw_websocket_messages_sent_total counter
gw_websocket_messages_sent_total{type="notification"} ${sent[0]}
gw_websocket_messages_sent_total{type="a \\"quoted\\" 99"} ${sent[1]}
gw_websocket_active_connections 12
gw_kafka_consumer_lag{topic="notifications",partition="0"} 3
gw_kafka_consumer_lag{topic="notifications",partition="1"} 4
gw_message_age_seconds_bucket{topic="notifications",le="0.1"} ${ages[0]}
gw_message_age_seconds_bucket{topic="notifications",le="1"} ${ages[1]}
gw_message_age_seconds_bucket{topic="notifications",le="+Inf"} ${ages[2]}
gw_message_age_seconds_sum{topic="notifications"} 1
`;
}

describe('readings', () => {
  it('add up what is split by labels', () => {
    expect(new Readings('gw').next(scrape({}), 0)).toEqual({ deliveries: null, connections: 12, lag: 7, ageP99: null });
  });

  it('are rates over the time that has really passed', () => {
    const readings = new Readings('gw');
    readings.next(scrape({ sent: [10, 5] }), 1_000);
    expect(readings.next(scrape({ sent: [30, 15] }), 3_000).deliveries).toBe(15);
  });

  it('take ages from what came since they look, not from all that ever was', () => {
    const readings = new Readings('gw');
    readings.next(scrape({ ages: [0, 1000, 1000] }), 0);
    expect(readings.next(scrape({ ages: [100, 1100, 1100] }), 1_000).ageP99).toBeCloseTo(0.099);
    for (let second = 2; second <= 12; second++) readings.next(scrape({ ages: [100, 1100, 1100] }), second * 1_000);
    expect(readings.next(scrape({ ages: [100, 1100, 1100] }), 13_000).ageP99).toBeNull();
  });

  it('begin anew when another process answers, instead of falling below zero', () => {
    const readings = new Readings('gw');
    readings.next(scrape({ sent: [1000, 0], ages: [50, 50, 50] }), 0);
    expect(readings.next(scrape({ sent: [2, 0] }), 1_000)).toMatchObject({ deliveries: null, ageP99: null });
    expect(readings.next(scrape({ sent: [5, 0] }), 2_000)).toMatchObject({ deliveries: 3 });
  });
});

describe('a quantile', () => {
  it('lies on a straight line between two bounds', () => {
    const buckets = new Map([
      [1, 50],
      [2, 100],
      [Infinity, 100],
    ]);
    expect(quantile(0.75, buckets)).toBe(1.5);
    expect(quantile(0.5, buckets)).toBe(1);
  });

  it('is the last bound when it lies above all of them, and nothing when nothing was counted', () => {
    expect(
      quantile(
        0.99,
        new Map([
          [1, 1],
          [Infinity, 10],
        ]),
      ),
    ).toBe(1);
    expect(
      quantile(
        0.99,
        new Map([
          [1, 0],
          [Infinity, 0],
        ]),
      ),
    ).toBeNull();
  });
});

describe('a payload', () => {
  it.each(['{"price":1.10,"id":12345678901234567890,"small":1e-7,"plain":3}', '[-0.0,"1.10",null]'])(
    'is shown with its numbers as they were written: %s',
    (text) => expect(JSON.stringify(parseExact(text))).toBe(text),
  );

  it('keeps other numbers as numbers, for the client to count with', () => {
    expect(parseExact('{"offset":17,"rid":-1}')).toEqual({ offset: 17, rid: -1 });
  });
});
