/** The pacer: bulk leaves at the pacing rate however coarse the timers are, and pays for what real time takes. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Pacer } from '../../../transport/congestion/pacer.ts';

const PACKET = 1200;

describe('the pacer', () => {
  const source = { cwndBytes: new Float64Array(1), pacingBytesPerSecond: new Float64Array(1) };
  let pacer: Pacer;

  beforeEach(() => {
    pacer = new Pacer(1, source);
    pacer.reset(0, 0);
    source.cwndBytes[0] = 10_000_000;
  });

  /** Bytes that leave between two times with a timer every `beat` microseconds. */
  const flow = (from: number, to: number, beat: number) => {
    let bytes = 0;
    for (let now = from; now < to; now += beat) {
      while (pacer.canSendBulk(0, 0, now)) {
        pacer.onSent(0, PACKET, now);
        bytes += PACKET;
      }
    }
    return bytes;
  };

  it.each([50_000, 1_250_000, 50_000_000])('keeps %i bytes a second with timers of a millisecond', (rate) => {
    source.pacingBytesPerSecond[0] = rate;
    flow(0, 1_000_000, 1000);
    const bytes = flow(1_000_000, 3_000_000, 1000) / 2;
    expect(bytes / rate).toBeGreaterThan(0.97);
    expect(bytes / rate).toBeLessThan(1.03);
  });

  it('lets no more than 1.5 ms, or two packets and the one that overdraws, leave at once after silence', () => {
    source.pacingBytesPerSecond[0] = 50_000_000;
    expect(flow(10_000_000, 10_000_001, 1000)).toBeLessThanOrEqual(75_000 + PACKET);
    source.pacingBytesPerSecond[0] = 10_000;
    pacer.reset(0, 10_000_000);
    expect(flow(20_000_000, 20_000_001, 1000)).toBe(2 * PACKET);
  });

  it('says when the bucket will hold a token again, and is right', () => {
    source.pacingBytesPerSecond[0] = 100_000;
    flow(0, 1, 1);
    pacer.onSent(0, PACKET, 0);
    expect(pacer.canSendBulk(0, 0, 0)).toBe(false);
    const at = pacer.nextBulkAt[0]!;
    expect(at).toBeGreaterThan(0);
    expect(Number.isInteger(at)).toBe(true);
    expect(pacer.canSendBulk(0, 0, at - 20)).toBe(false);
    expect(pacer.canSendBulk(0, 0, at)).toBe(true);
  });

  it('sets no time when the window is full: an acknowledgement opens it, not a timer', () => {
    source.pacingBytesPerSecond[0] = 1_000_000;
    source.cwndBytes[0] = 2 * PACKET;
    expect(pacer.canSendBulk(0, PACKET + 1, 0)).toBe(false);
    expect(pacer.nextBulkAt[0]).toBe(0);
    expect(pacer.canSendBulk(0, PACKET, 0)).toBe(true);
  });

  it('makes bulk pay for real time', () => {
    source.pacingBytesPerSecond[0] = 1_000_000;
    flow(0, 100_000, 1000);
    for (let now = 100_000; now < 1_100_000; now += 1000) pacer.onSent(0, 500, now);
    let bytes = 0;
    for (let now = 1_100_000; now < 2_100_000; now += 1000) {
      pacer.onSent(0, 500, now);
      bytes += flow(now, now + 1, 1);
    }
    expect(bytes).toBeGreaterThan(450_000);
    expect(bytes).toBeLessThan(550_000);
  });

  it('bounds the debt: a burst of a megabyte silences bulk for 20 ms, not for a second', () => {
    source.pacingBytesPerSecond[0] = 1_000_000;
    pacer.onSent(0, 1_000_000, 0);
    expect(pacer.canSendBulk(0, 0, 0)).toBe(false);
    expect(pacer.nextBulkAt[0]).toBeLessThanOrEqual(20_001);
  });
});
