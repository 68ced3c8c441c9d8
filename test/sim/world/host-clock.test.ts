// Clocks of hosts: drift without rounding errors, steps of the calendar, leaps, and what follows them.

import { describe, expect, it } from 'vitest';
import type { SimHost } from '../../../sim/world/host.ts';
import { HostClock } from '../../../sim/world/host-clock.ts';
import { Timeline } from '../../../sim/world/timeline.ts';
import { NEVER } from '../../../sys/api.ts';
import { openWorld } from '../open-world.ts';

const SECOND = 1_000_000;
const HOUR = 3_600 * SECOND;

describe('HostClock', () => {
  it.each([1, 37, 100, -1, -100, -37, 99_999, -100_000])('has gone floor(d (10^6 + %d) / 10^6) after d', (ppm) => {
    const timeline = new Timeline();
    const clock = new HostClock(timeline, 12_345);
    timeline.skipTo(777);
    clock.drift(ppm);
    for (let i = 0; i < 2_000; i++) {
      timeline.skipTo(timeline.now + ((i * 7_919_777) % 50_000_017));
      const elapsed = BigInt(timeline.now - 777);
      const product = elapsed * BigInt(1_000_000 + ppm);
      expect(BigInt(clock.now())).toBe(12_345n + 777n + product / 1_000_000n);
    }
    expect(timeline.now).toBeGreaterThan(5 * HOUR);
  });

  it.each([0, 1, 100, -1, -100, 99_999, -100_000])(
    'says the first world time at which it shows a time, at %d ppm',
    (ppm) => {
      const timeline = new Timeline();
      const clock = new HostClock(timeline, 2 ** 29);
      timeline.skipTo(5);
      clock.drift(ppm);
      for (let i = 0; i < 5_000; i++) {
        const hostTime = 2 ** 29 + 10 + i * 1_000_003;
        const at = clock.worldTime(hostTime);
        expect(clock.at(at)).toBeGreaterThanOrEqual(hostTime);
        expect(clock.at(at - 1)).toBeLessThan(hostTime);
      }
      expect(clock.worldTime(NEVER)).toBe(NEVER);
    },
  );

  it('never goes back and never jumps when its drift changes', () => {
    const timeline = new Timeline();
    const clock = new HostClock(timeline, 0);
    let before = 0;
    for (let i = 0; i < 10_000; i++) {
      timeline.skipTo(timeline.now + 1 + (i % 3));
      const now = clock.now();
      clock.drift(((i * 7_919) % 200_001) - 100_000);
      expect(clock.now()).toBe(now);
      expect(now - before).toBeGreaterThanOrEqual(0);
      expect(now - before).toBeLessThanOrEqual(4);
      before = now;
    }
  });

  it.each([
    ['drift', 100_001, 'driftPpm is an integer in -100000 .. 100000'],
    ['drift', 0.5, 'driftPpm'],
    ['stepCalendar', Number.NaN, 'stepMicros is an integer'],
    ['stepCalendar', 1e15 + 1, 'stepMicros'],
    ['leap', -1, 'leapMicros is an integer in 0 ..'],
  ] as const)('refuses %s(%d)', (method, value, text) => {
    const clock = new HostClock(new Timeline(), 0);
    expect(() => clock[method](value)).toThrow(RangeError);
    expect(() => clock[method](value)).toThrow(text);
  });
});

describe('a host with a clock of its own pace', () => {
  it('wakes at its deadlines by its own clock, never early and at most a microsecond late', async () => {
    for (const ppm of [100, -100, 50_000, -50_000]) {
      const { world, host } = lonely({ clockDriftPpm: ppm });
      const lates: number[] = [];
      world.start(host, 0, () => {
        const poller = host.sys.openPoller();
        let due = host.sys.clock.now() + 10_007;
        poller.attach(() => {
          poller.wait(0);
          lates.push(host.sys.clock.now() - due);
          due += 10_007;
          poller.arm(due);
        });
        poller.arm(due);
      });
      await world.run({ untilMicros: 100 * SECOND });
      const turns = Math.floor((100 * SECOND * (1 + ppm / 1e6)) / 10_007);
      expect(lates.length).toBeGreaterThanOrEqual(turns - 1);
      expect(lates.length).toBeLessThanOrEqual(turns);
      expect(Math.min(...lates)).toBe(0);
      expect(Math.max(...lates)).toBeLessThanOrEqual(1);
    }
  });

  it('has its setTimeout and setInterval by that clock too, without an error that grows', async () => {
    const { world, host } = lonely({ clockDriftPpm: 100 });
    const starts: number[] = [];
    let once = -1;
    world.start(host, 0, () => {
      const began = host.now;
      setInterval(() => starts.push(host.now - began), 1);
      setTimeout(() => {
        once = world.now;
      }, 10_000);
    });
    await world.run({ untilMicros: 10 * SECOND });
    expect(once).toBe(Math.ceil((10 * SECOND) / 1.0001));
    expect(starts).toHaveLength(10_001); // a millisecond more than ten seconds
    for (const [i, start] of starts.entries()) expect(start - (i + 1) * 1_000).toBeLessThanOrEqual(1);
  });

  it('moves what waits when the drift changes in between', async () => {
    const { world, host } = lonely();
    const fired: number[] = [];
    world.start(host, 0, () => {
      setTimeout(() => fired.push(world.now), 1_000);
      setTimeout(() => fired.push(world.now), 2_000).unref();
      const poller = host.sys.openPoller();
      poller.attach(() => {
        poller.wait(0);
        fired.push(world.now);
      });
      poller.arm(host.sys.clock.now() + 1_500_000);
      setTimeout(() => fired.push(-1), 1_700).close();
    });
    await world.run({ untilMicros: 500_000 });
    host.clock.drift(100_000); // half a second of its own is 454,546 us
    await world.run({ untilMicros: 1_200_000 });
    host.clock.drift(-100_000);
    await world.run({ untilMicros: 10 * SECOND });
    expect(fired).toEqual([954_546, 1_200_000 + Math.ceil(230_000 / 0.9), 1_200_000 + Math.ceil(730_000 / 0.9)]);
  });

  it('shows it to Date, performance.now and hrtime, and the others theirs', async () => {
    const world = openWorld();
    const [a, b] = [world.host('a', { clockDriftPpm: 1_000, clockOriginMicros: 0 }), world.host('b')];
    const seen: number[] = [];
    for (const host of [a, b]) {
      world.start(host, 100 * SECOND, () => {
        seen.push(Date.now() - 1_750_000_000_000);
        if (host === a) seen.push(performance.now(), Number(process.hrtime.bigint() / 1000n));
        seen.push(host.sys.clock.unixSeconds() - 1_750_000_000);
      });
    }
    await world.run({ untilMicros: 1_000 * SECOND });
    expect(seen).toEqual([100_100, 100_100, 100_100_000, 100, 100_000, 100]);
    expect(a.sys.clock.unixSeconds() - b.sys.clock.unixSeconds()).toBe(1);
  });
});

describe('a calendar that is set', () => {
  it.each([3_600 * SECOND, -3_600 * SECOND])('by %d us moves Date and unixSeconds, and nothing else', async (step) => {
    const { world, host } = lonely();
    const seen: number[][] = [];
    const look = () => seen.push([Date.now(), host.sys.clock.unixSeconds(), performance.now(), host.now]);
    world.start(host, 0, () => {
      look();
      setTimeout(look, 1_000);
    });
    await world.run({ untilMicros: 10_000 });
    host.clock.stepCalendar(step);
    await world.run({ untilMicros: 2 * SECOND });
    const [before, after] = seen as [number[], number[]];
    expect(after.map((value, i) => value - before[i]!)).toEqual([
      1_000 + step / 1_000,
      1 + step / SECOND,
      1_000,
      SECOND,
    ]);
    expect(host.faultStats.clockChanges).toBe(1);
  });
});

describe('clocks that leap', () => {
  it('show a later time at once, and what was due in between is due now', async () => {
    const { world, host } = lonely();
    const fired: number[] = [];
    world.start(host, 0, () => {
      setTimeout(() => fired.push(world.now), 5_000);
      setTimeout(() => fired.push(world.now), 20_000);
    });
    await world.run({ untilMicros: SECOND });
    const [now, unix] = [host.now, host.sys.clock.unixSeconds()];
    host.clock.leap(10 * SECOND);
    expect([host.now - now, host.sys.clock.unixSeconds() - unix]).toEqual([10 * SECOND, 10]);
    await world.run({ untilMicros: 60 * SECOND });
    expect(fired).toEqual([SECOND, 10 * SECOND]);
  });
});

it('has changes of clocks in the digest, the same each time', async () => {
  const digests: string[] = [];
  for (const ppm of [0, 100, 100, -100]) {
    const { world, host } = lonely();
    host.clock.drift(ppm);
    host.clock.stepCalendar(-5);
    await world.run({ untilMicros: SECOND });
    digests.push(world.digest());
  }
  expect(digests[1]).toBe(digests[2]);
  expect(new Set(digests).size).toBe(3);
});

function lonely(options: object = {}): { world: ReturnType<typeof openWorld>; host: SimHost } {
  const world = openWorld();
  return { world, host: world.host('a', options) };
}
