import { describe, expect, it } from 'vitest';
import { ChannelSet, RELIABLE_ORDERED } from '../../../transport/channel/channel-set.ts';
import { Lanes } from '../../../transport/channel/lanes.ts';
import { spec } from '../pair.ts';

const set = (...lanes: { priority: number; weight?: number; bulk?: boolean }[]) =>
  new ChannelSet(lanes.map((lane, i) => spec(String.fromCharCode(97 + i), RELIABLE_ORDERED, { weight: 1, ...lane })));

describe('Lanes', () => {
  it('serves a higher priority first, always', () => {
    const lanes = new Lanes(1, set({ priority: 5 }, { priority: 1 }, { priority: 3 }));
    for (const channel of [0, 1, 2]) lanes.wake(0, channel);
    lanes.begin(true);
    expect(lanes.next(0)).toBe(1);
    lanes.charge(0, 1, 1_000_000);
    expect(lanes.next(0)).toBe(1);
    lanes.rest(0, 1);
    expect(lanes.next(0)).toBe(2);
    lanes.rest(0, 2);
    expect(lanes.next(0)).toBe(0);
    lanes.rest(0, 0);
    expect(lanes.next(0)).toBe(-1);
  });

  it('shares the bytes of one priority by weight, whatever the sizes of messages', () => {
    const lanes = new Lanes(2, set({ priority: 3, weight: 1 }, { priority: 3, weight: 3 }, { priority: 3, weight: 6 }));
    const sizes = [1000, 100, 37];
    const bytes = [0, 0, 0];
    for (const channel of [0, 1, 2]) lanes.wake(1, channel);
    for (let i = 0; i < 50_000; i++) {
      lanes.begin(true);
      const channel = lanes.next(1);
      bytes[channel]! += sizes[channel]!;
      lanes.charge(1, channel, sizes[channel]!);
    }
    const total = bytes[0]! + bytes[1]! + bytes[2]!;
    expect(bytes[0]! / total).toBeCloseTo(0.1, 2);
    expect(bytes[1]! / total).toBeCloseTo(0.3, 2);
    expect(bytes[2]! / total).toBeCloseTo(0.6, 2);
  });

  it('does not let an idle lane save up', () => {
    const lanes = new Lanes(1, set({ priority: 3 }, { priority: 3 }));
    lanes.wake(0, 0);
    for (let i = 0; i < 1000; i++) lanes.charge(0, 0, 100);
    lanes.wake(0, 1);
    let first = 0;
    for (let i = 0; i < 20; i++) {
      lanes.begin(true);
      const channel = lanes.next(0);
      if (channel === 0) first++;
      lanes.charge(0, channel, 100);
    }
    expect(first).toBeGreaterThanOrEqual(9);
  });

  it('leaves out held lanes, and bulk ones unless they may go, in words beyond the first too', () => {
    const many = set(...Array.from({ length: 26 }, () => ({ priority: 2 })), { priority: 2, bulk: true });
    const lanes = new Lanes(1, many);
    lanes.wake(0, 26);
    expect(lanes.isReady(0, false)).toBe(false);
    expect(lanes.isReady(0, true)).toBe(true);
    expect(lanes.isBulkReady(0)).toBe(true);
    lanes.begin(false);
    expect(lanes.next(0)).toBe(-1);
    lanes.begin(true);
    expect(lanes.next(0)).toBe(26);
    lanes.hold(26);
    expect(lanes.next(0)).toBe(-1);
  });

  it('serves 256 lanes', () => {
    const channels = new ChannelSet(
      Array.from({ length: 256 }, (_, i) =>
        spec(`lane ${String(i).padStart(3, '0')}`, RELIABLE_ORDERED, { priority: i & 7 }),
      ),
    );
    const lanes = new Lanes(1, channels);
    for (let channel = 0; channel < 256; channel++) lanes.wake(0, channel);
    const order: number[] = [];
    lanes.begin(true);
    for (let channel = lanes.next(0); channel >= 0; channel = lanes.next(0)) {
      order.push(channel);
      lanes.charge(0, channel, 1);
      lanes.rest(0, channel);
    }
    expect(order).toHaveLength(256);
    expect(order.map((channel) => channel & 7)).toEqual([...order].map((channel) => channel & 7).sort());
  });
});
