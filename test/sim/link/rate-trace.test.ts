// A line that gives packets their turns at the times of a trace, against cases worked out by hand.

import { describe, expect, it } from 'vitest';
import { Bottleneck } from '../../../sim/link/bottleneck.ts';
import { LinkDirection } from '../../../sim/link/link.ts';
import { readRateTrace } from '../../../sim/link/rate-trace.ts';
import { Streams } from '../../../sim/world/streams.ts';
import { NEVER } from '../../../sys/api.ts';
import { openWorld } from '../open-world.ts';

/** With 32 bytes besides it fills one opportunity of 1,504 bytes. */
const FULL = 1_472;
/** Half of one. */
const HALF = 720;

describe('a rate trace', () => {
  it('lets one full packet go at each of its times and begins again after the last', () => {
    const line = trace([1, 4, 4, 10]);
    for (let packet = 0; packet < 9; packet++) line.enter(packet, FULL, 0);
    expect(departures(line)).toEqual([1_000, 4_000, 4_000, 10_000, 11_000, 14_000, 14_000, 20_000, 21_000]);
    expect(line.nextDeparture).toBe(NEVER);
  });

  it('lets packets share an opportunity, and a large one take several', () => {
    const line = trace([1, 2, 3, 4, 5, 6]);
    const sizes = [HALF, HALF, FULL, 2 * 1_504 + 100 - 32, HALF, FULL];
    for (const [packet, bytes] of sizes.entries()) line.enter(packet, bytes, 0);
    // 1: both halves; 2: the full one; 3, 4 and 100 bytes of 5: the large one; the half in the rest of 5 (1,404 bytes);
    // the last one: 652 bytes of 5 and the rest in 6.
    expect(departures(line)).toEqual([1_000, 1_000, 2_000, 5_000, 5_000, 6_000]);
  });

  it('wastes what nobody uses at its time, and is missed by a packet that comes at that very time', () => {
    const line = trace([1, 2, 3, 10]);
    line.enter(0, HALF, 2_500);
    expect(departures(line)).toEqual([3_000]);
    line.enter(1, HALF, 3_000); // half of the opportunity at 3 is left, and gone
    expect(departures(line)).toEqual([10_000]);
    line.enter(2, HALF, 10_000);
    expect(departures(line)).toEqual([11_000]);
    line.enter(3, HALF, 1_000_000_000);
    expect(departures(line)).toEqual([1_000_001_000]);
  });

  it('has the time 0 at the end of each pass but the first, which no packet can meet', () => {
    const line = trace([0, 5]);
    for (let packet = 0; packet < 4; packet++) line.enter(packet, FULL, 0);
    expect(departures(line)).toEqual([5_000, 5_000, 10_000, 10_000]);
  });

  it('carries exactly its rate: 12.032 Mbit/s with one time a millisecond', () => {
    const line = trace([1]);
    const bytes = [40, 500, 1_472, 9_000, 77];
    let [sent, at] = [0, 0];
    for (let packet = 0; packet < 50; packet++) line.enter(packet, bytes[packet % 5]!, 0);
    for (let packet = 50; packet < 50_000; packet++) {
      sent += bytes[packet % 5]! + 32;
      at = line.nextDeparture;
      line.leave();
      line.enter(packet, bytes[packet % 5]!, at - 1); // before the opportunity that is in use
    }
    expect(at).toBe(Math.ceil(sent / 1_504) * 1_000);
  });

  it('keeps its place when it is configured anew, and begins behind the packet on the line when it is another one', () => {
    const times = [1, 2, 3, 10];
    const line = new Bottleneck('cell', { rateTrace: times });
    line.enter(0, HALF, 0);
    line.enter(1, HALF, 0);
    line.configure({ rateTrace: times, queuePackets: 5 });
    expect(departures(line)).toEqual([1_000, 1_000]);
    const other = new Bottleneck('cell', { rateBitsPerSecond: 1_504 * 8 * 10, overheadBytes: 32 });
    other.enter(0, FULL, 0); // leaves at 100 ms
    other.enter(1, FULL, 0);
    other.configure({ rateTrace: [30] });
    expect(departures(other)).toEqual([100_000, 120_000]);
  });

  it('tells how long packets waited for the first of their opportunities', () => {
    const line = trace([10]);
    for (let packet = 0; packet < 3; packet++) line.enter(packet, FULL, 0);
    departures(line);
    expect(line.delays.meanMicros! / 20_000).toBeCloseTo(1, 2);
  });

  it('queues and drops as any line does', () => {
    const line = new Bottleneck('cell', { rateTrace: [10], queuePackets: 2, queue: 'head' });
    const taken = [0, 1, 2, 3].map((packet) => line.enter(packet, FULL, 0));
    expect(taken).toEqual([true, true, true, true]);
    expect(line.takeDropped()).toBe(1);
    expect(departures(line)).toEqual([10_000, 20_000, 30_000]);
  });
});

describe('the text of a trace', () => {
  it('is a time a line', () => {
    expect([...readRateTrace('cell.trace', '1\n1\r\n 20 \n')]).toEqual([1, 1, 20]);
  });

  it.each([
    ['1\n\n2', "cell.trace:2: a line of a trace is a time in milliseconds, not ''"],
    ['1\nfast', "cell.trace:2: a line of a trace is a time in milliseconds, not 'fast'"],
    ['', 'cell.trace: rateTrace has 1 .. 10000000 times, not 0'],
    ['5\n4', 'rateTrace[1] is a whole number of milliseconds from 5'],
    ['0\n0', 'has no length'],
    ['86400001', 'to 86400000, not 86400001'],
  ])('is refused when it is %j', (text, message) => {
    expect(() => readRateTrace('cell.trace', text)).toThrow(message);
  });
});

describe('a direction with a trace', () => {
  it.each([
    [{ rateTrace: [] }, 'link a>b: rateTrace has 1'],
    [{ rateTrace: [1.5] }, 'rateTrace[0] is a whole number'],
    [{ rateTrace: 'cell.trace' as unknown as number[] }, 'is a list of milliseconds'],
    [{ rateTrace: [1], rateBitsPerSecond: 1_000_000 }, 'rateBitsPerSecond and rateTrace both set a rate'],
  ])('refuses %o', (options, message) => {
    expect(() => new LinkDirection('a>b', 0, new Streams(7), options)).toThrow(message);
  });

  it('refuses a shared line besides', () => {
    const bottleneck = openWorld().bottleneck('cell', { rateTrace: [1] });
    const make = () => new LinkDirection('a>b', 0, new Streams(7), { bottleneck, rateTrace: [1] });
    expect(make).toThrow('rateTrace and bottleneck both set a rate');
  });

  it('carries a transfer at its mean rate', async () => {
    const world = openWorld();
    const times = [2, 3, 5, 5, 8, 20]; // six full frames each 20 ms: 3.6096 Mbit/s
    const line = world.bottleneck('cell', { rateTrace: times, queueBytes: 100_000 });
    world.aimdSource('bulk', { over: { bottleneck: line }, rttMicros: 40_000, startMicros: 0 });
    await world.run({ untilMicros: 5_000_000 });
    const before = line.stats.departedBytes;
    await world.run({ untilMicros: 25_000_000 });
    expect((line.stats.departedBytes - before) / (20 * 50 * 6 * 1_504)).toBeCloseTo(1, 3);
  });
});

function trace(times: readonly number[]): Bottleneck {
  return new Bottleneck('cell', { rateTrace: times });
}

/** All that waits leaves: when. */
function departures(line: Bottleneck): number[] {
  const times: number[] = [];
  while (line.nextDeparture !== NEVER) {
    times.push(line.nextDeparture);
    line.leave();
  }
  return times;
}
