/** Delivery rates: what a path delivers between two moments, whatever heaps packets and acknowledgements travel in. */

import { beforeEach, describe, expect, it } from 'vitest';
import { AckSample } from '../../../transport/congestion/controller.ts';
import { DeliveryRate, type RateColumns } from '../../../transport/congestion/delivery-rate.ts';

const SLOTS = 256;
const BYTES = 1000;

describe('the rate sampler', () => {
  let rate: DeliveryRate;
  let columns: RateColumns;
  let sample: AckSample;
  let inFlight: number;

  const send = (slot: number, now: number) => {
    columns.sentAt[slot] = now;
    rate.onSent(1, columns, slot, inFlight, now);
    inFlight += BYTES;
  };
  const ack = (now: number, ...slots: number[]) => {
    sample.clear(now);
    for (const slot of slots) {
      rate.onAcked(1, columns, slot, BYTES, sample);
      inFlight -= BYTES;
    }
    rate.finish(1, sample);
    return sample.deliveryRate;
  };

  beforeEach(() => {
    rate = new DeliveryRate(2);
    rate.reset(1, 0);
    sample = new AckSample();
    inFlight = 0;
    columns = {
      deliveredBytes: new Float64Array(SLOTS),
      deliveredAt: new Float64Array(SLOTS),
      firstSentAt: new Float64Array(SLOTS),
      appLimited: new Uint8Array(SLOTS),
      sentAt: new Float64Array(SLOTS),
    };
  });

  /** A packet a millisecond over a path of 20 ms; answers the last rate. */
  const steady = (packets: number, first = 0) => {
    let last = 0;
    for (let i = 0; i < packets; i++) {
      const now = (first + i) * 1000;
      if (i >= 20) last = ack(now, first + i - 20);
      send(first + i, now);
    }
    return last;
  };

  it('finds the rate of a steady flow', () => {
    expect(steady(100)).toBeCloseTo(1_000_000, -4);
  });

  it('does not take a heap of acknowledgements for a fast path', () => {
    steady(100);
    for (let i = 100; i < 120; i++) send(i, i * 1000); // acknowledgements are held up on their way
    const held = Array.from({ length: 40 }, (_, i) => 80 + i);
    expect(ack(121_000, ...held)).toBeLessThanOrEqual(1_050_000);
    expect(sample.deliveryRate).toBeGreaterThan(900_000);
  });

  it('does not take a heap of packets for a fast path', () => {
    for (let i = 0; i < 20; i++) send(i, 0);
    let last = 0;
    for (let i = 0; i < 20; i++) last = ack(20_000 + i * 1000, i);
    expect(last).toBeLessThanOrEqual(1_000_000);
  });

  it('tells of the newest packet of a frame, in whatever order the frame names them', () => {
    for (let i = 0; i < 10; i++) send(i, i * 1000);
    ack(30_000, 3, 9, 5, 0);
    expect(sample.newestSentAt).toBe(9000);
  });

  it('marks rates of a flow that had nothing more to send, until what was on its way then has arrived', () => {
    steady(40);
    rate.appLimited(1, inFlight);
    send(40, 40_000);
    ack(60_000, 40);
    expect(sample.rateAppLimited).toBe(true);
    for (let i = 20; i < 40; i++) ack(61_000, i);
    send(41, 62_000);
    ack(82_000, 41);
    expect(sample.rateAppLimited).toBe(false);
  });

  it('gives no rate for a frame that acknowledges nothing, and none over less than the least round trip', () => {
    steady(50);
    sample.clear(50_000);
    rate.finish(1, sample);
    expect(sample.deliveryRate).toBe(0);
    sample.clear(50_500);
    sample.minRttMicros = 100_000;
    rate.onAcked(1, columns, 30, BYTES, sample);
    rate.finish(1, sample);
    expect(sample.deliveryRate).toBe(0);
  });

  it('does not count silence as time of the path', () => {
    steady(100);
    for (let i = 80; i < 100; i++) ack(120_000, i);
    expect(inFlight).toBe(0);
    for (let i = 100; i < 120; i++) send(i, 60_000_000 + (i - 100) * 1000);
    const flight = Array.from({ length: 20 }, (_, i) => 100 + i);
    expect(ack(60_040_000, ...flight)).toBeCloseTo(500_000, -4);
  });
});
