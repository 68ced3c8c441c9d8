// A rate and the queue before it, against the closed forms of queues with a constant service time.

import { describe, expect, it } from 'vitest';
import { Bottleneck } from '../../../sim/link/bottleneck.ts';
import { type BottleneckOptions, QUEUE_PACKETS_MAX } from '../../../sim/link/bottleneck-options.ts';
import { Stream } from '../../../sim/world/streams.ts';
import { NEVER } from '../../../sys/api.ts';

/** 125 bytes on the line, with the headers: 1,000 us at a megabit. */
const PAYLOAD = 97;
const MEGABIT = 1_000_000;

describe('Bottleneck', () => {
  it.each([999_983, 7_000_000, 123_456_789, 9_999_999_967])(
    'lets packet k of 10^6 back to back leave at exactly 8 k S / C, at %d bit/s',
    (rateBitsPerSecond) => {
      const line = bottleneck({ rateBitsPerSecond });
      const bits = 8 * 100;
      const deep = 1_000; // so deep that the line is never free before the next packet comes
      for (let k = 0; k < deep; k++) line.enter(k, 72, 0);
      for (let k = 1; k <= 1_000_000; k++) {
        const at = line.nextDeparture;
        if (k % 1009 === 0 || k === 1_000_000) {
          // The first whole microsecond at which the last bit has left.
          const exact = BigInt(k * bits) * 1_000_000n;
          expect(at).toBe(Number((exact + BigInt(rateBitsPerSecond) - 1n) / BigInt(rateBitsPerSecond)));
        }
        if (line.leave() !== (k - 1) % deep) expect.fail(`packet ${k} left out of turn`);
        line.enter((k - 1) % deep, 72, at);
      }
    },
  );

  it('begins a new busy time with the packet that finds the line free', () => {
    const line = bottleneck({ rateBitsPerSecond: 3_000_000 });
    line.enter(1, 72, 0); // 266.67 us
    expect(line.nextDeparture).toBe(267);
    line.leave();
    expect(line.nextDeparture).toBe(NEVER);
    line.enter(2, 72, 267);
    expect(line.nextDeparture).toBe(534); // from 267 on, not from 266.67
    line.enter(3, 72, 300);
    line.leave();
    expect(line.nextDeparture).toBe(801); // 533.67 + 266.67 = 800.33
  });

  it('lets nothing wait when packets come no faster than they are sent (D/D/1)', () => {
    const line = bottleneck({ queueBytes: 0 });
    for (let k = 0; k < 10_000; k++) offer(line, k * 1000);
    expect(line.stats).toMatchObject({ entered: 10_000, dropped: 0, bytesHighest: 0 });
    expect(line.delays.quantile(1)).toBe(0);
  });

  it('drops first after B / (lambda S - C / 8), and then the share by which packets are too many (D/D/1)', () => {
    const queueBytes = 12_500;
    const line = bottleneck({ queueBytes });
    const period = 800;
    const onset = queueBytes / (125 / (period / MEGABIT) - MEGABIT / 8); // seconds
    expect(onset).toBe(0.4);
    for (let k = 0; k * period <= onset * 1_000_000; k++) offer(line, k * period);
    expect(line.stats).toMatchObject({ dropped: 0, bytesNow: queueBytes, bytesHighest: queueBytes, packetsNow: 100 });
    offer(line, 501 * period);
    expect(line.stats).toMatchObject({ dropped: 1, droppedBytes: 125, bytesNow: queueBytes });
    for (let k = 502; k < 502 + 10_000; k++) offer(line, k * period);
    expect(line.stats.dropped).toBe(1 + 2_000);
    // What waits behind a full queue has waited as long as the queue is, less what of the packet on the line is gone.
    expect(line.delays.quantile(1)).toBeGreaterThan(100_000 - 1_000);
    expect(line.delays.quantile(1)).toBeLessThanOrEqual(100_000);
  });

  it.each([0.5, 0.8, 0.9])(
    'lets Poisson arrivals at rho %d wait rho / (2 mu (1 - rho)), within 4 sigma (M/D/1)',
    (rho) => {
      const line = bottleneck({});
      const stream = new Stream('poisson');
      const batches: number[] = [];
      let time = 0;
      for (let batch = 0; batch < 41; batch++) {
        const [sum, packets] = [line.delays.sumMicros, line.delays.count];
        for (let k = 0; k < 10_000; k++) {
          time += (-Math.log(1 - stream.double()) * 1000) / rho;
          offer(line, Math.round(time));
        }
        batches.push((line.delays.sumMicros - sum) / (line.delays.count - packets));
      }
      batches.shift(); // the queue began empty
      const mean = batches.reduce((sum, batch) => sum + batch) / batches.length;
      const variance = batches.reduce((sum, batch) => sum + (batch - mean) ** 2, 0) / (batches.length - 1);
      const expected = (rho / (2 * (1 - rho))) * 1000;
      expect(Math.abs(mean - expected)).toBeLessThan(4 * Math.sqrt(variance / batches.length));
      expect(Math.abs(mean / expected - 1)).toBeLessThan(0.06);
    },
  );

  it('counts the overhead of each datagram on the line and in the queue', () => {
    const line = bottleneck({ overheadBytes: 54, queueBytes: 299 });
    for (let k = 0; k < 4; k++) line.enter(k, 46, 0);
    expect(line.nextDeparture).toBe(800);
    expect(line.stats).toMatchObject({ entered: 3, dropped: 1, bytesNow: 200, droppedBytes: 100 });
  });

  it('lets the packet on the line keep its time when the rate changes, and serves the next at the new rate', () => {
    const line = bottleneck({});
    for (let k = 0; k < 3; k++) line.enter(k, PAYLOAD, 0);
    line.configure({ rateBitsPerSecond: 2 * MEGABIT });
    expect([departure(line), departure(line)]).toEqual([1000, 1500]);
    line.open();
    expect(line.isOpen).toBe(false);
    expect([departure(line), line.nextDeparture]).toEqual([2000, NEVER]);
    expect(line.isOpen).toBe(true);
  });

  it('bounds a queue without a limit of its own, and never lets go of the count', () => {
    const line = bottleneck({ overheadBytes: 0 });
    for (let k = 0; k < QUEUE_PACKETS_MAX + 3; k++) line.enter(k, 1, 0);
    expect(line.stats).toMatchObject({ entered: QUEUE_PACKETS_MAX + 1, dropped: 2 });
    for (let k = 0; k <= QUEUE_PACKETS_MAX; k++) if (line.leave() !== k) expect.fail(`packet ${k} left out of turn`);
    expect(line.stats).toMatchObject({ packetsNow: 0, bytesNow: 0, departed: QUEUE_PACKETS_MAX + 1 });
  });

  it('holds 64 MiB by default', () => {
    const line = bottleneck({ overheadBytes: 0 });
    for (let k = 0; k < 1_100; k++) line.enter(k, 65_536, 0);
    expect(line.stats).toMatchObject({ bytesNow: 64 * 1024 * 1024, packetsNow: 1_024, dropped: 75 });
  });

  it.each([
    [{ rateBitsPerSecond: 999 }, 'rateBitsPerSecond is an integer in 1000 ..'],
    [{ rateBitsPerSecond: 1e6 + 0.5 }, 'rateBitsPerSecond'],
    [{ rateBitsPerSecond: 1e13 }, 'rateBitsPerSecond'],
    [{ rateBitsPerSecond: 1e6, queueBytes: -1 }, 'queueBytes'],
    [{ rateBitsPerSecond: 1e6, queueBytes: 2 ** 30 }, 'queueBytes'],
    [{ rateBitsPerSecond: 1e6, overheadBytes: 1001 }, 'overheadBytes'],
  ])('refuses %o: %s', (options, text) => {
    expect(() => new Bottleneck('uplink', options)).toThrow(RangeError);
    expect(() => new Bottleneck('uplink', options)).toThrow(text);
  });
});

function bottleneck(options: Partial<BottleneckOptions>): Bottleneck {
  return new Bottleneck('uplink', { rateBitsPerSecond: MEGABIT, ...options });
}

/** A packet of 125 bytes comes at `time`, after those that leave until then. */
function offer(line: Bottleneck, time: number): void {
  while (line.nextDeparture <= time) line.leave();
  line.enter(0, PAYLOAD, time);
}

/** The next departure, which happens. */
function departure(line: Bottleneck): number {
  const time = line.nextDeparture;
  line.leave();
  return time;
}
