// The guard: clocks, chance and timers of JavaScript inside a world.

import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { openWorld } from '../open-world.ts';

const REAL = { setTimeout, setInterval, setImmediate, clearTimeout, Date, random: Math.random, now: performance.now };

afterEach(() => {
  expect({
    setTimeout,
    setInterval,
    setImmediate,
    clearTimeout,
    Date,
    random: Math.random,
    now: performance.now,
  }).toEqual(REAL);
});

describe('a game in the simulator', () => {
  it('sees virtual time in Date, performance.now and process.hrtime', async () => {
    const seen = await inWorld(async () => {
      const at = [performance.now(), process.hrtime.bigint(), Date.now()] as const;
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return {
        performance: performance.now() - at[0],
        hrtime: process.hrtime.bigint() - at[1],
        date: Date.now() - at[2],
        text: new Date().toISOString(),
        given: new Date(0).toISOString(),
        isDate: new Date() instanceof Date,
        tuple: process.hrtime([0, 0]).length,
      };
    });
    expect(seen).toEqual({
      performance: 1500,
      hrtime: 1_500_000_000n,
      date: 1500,
      text: '2025-06-15T15:06:41.500Z',
      given: '1970-01-01T00:00:00.000Z',
      isDate: true,
      tuple: 2,
    });
  });

  it('leaves Math as V8 made it, during the world and after: as a dictionary it would halve the speed of everything', async () => {
    setFlagsFromString('--allow-natives-syntax');
    const isFast = runInThisContext('(holder) => %HasFastProperties(holder)') as (holder: object) => boolean;
    isFast({}); // compiled while the flag holds
    setFlagsFromString('--no-allow-natives-syntax');
    expect(isFast(Math)).toBe(true);
    expect(await inWorld(() => isFast(Math))).toBe(true);
    expect(isFast(Math)).toBe(true);
    expect(Object.getOwnPropertyDescriptor(Math, 'random')!.enumerable).toBe(false);
  });

  it('draws Math.random and crypto from the seed', async () => {
    const draw = () => [Math.random(), crypto.randomUUID(), crypto.getRandomValues(new Uint32Array(2))[1]!];
    const [first, second, other] = [await inWorld(draw), await inWorld(draw), await inWorld(draw, { seed: 8 })];
    expect(second).toEqual(first);
    expect(other).not.toEqual(first);
    expect(first[1]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('gives two hosts different chance', async () => {
    const world = openWorld();
    const drawn: number[] = [];
    for (const name of ['a', 'b']) world.start(world.host(name), 0, () => drawn.push(Math.random()));
    await world.run({ untilMicros: 1 });
    expect(new Set(drawn).size).toBe(2);
  });

  it('fires timers in virtual time, in the order of their deadlines, and not after they were cleared', async () => {
    const fired = await inWorld(async (now) => {
      const log: [string, number][] = [];
      const note = (name: string) => log.push([name, now()]);
      setTimeout(note, 30, 'thirty');
      setTimeout(note, 10, 'ten');
      setTimeout(note, 0, 'zero counts as one');
      setImmediate(note, 'immediate');
      clearTimeout(setTimeout(note, 20, 'cleared'));
      clearImmediate(setImmediate(note, 'cleared'));
      const interval = setInterval(note, 12, 'interval');
      await promisify(setTimeout)(40);
      clearInterval(interval);
      await promisify(setTimeout)(100);
      return log;
    });
    expect(fired).toEqual([
      ['immediate', 0],
      ['zero counts as one', 1000],
      ['ten', 10_000],
      ['interval', 12_000],
      ['interval', 24_000],
      ['thirty', 30_000],
      ['interval', 36_000],
    ]);
  });

  it('starts a timer anew on refresh, before and after it has fired, and not once it was cleared', async () => {
    const fired = await inWorld(async (now) => {
      const log: number[] = [];
      const timer = setTimeout(() => log.push(now()), 10);
      await promisify(setTimeout)(6);
      timer.refresh();
      await promisify(setTimeout)(20);
      timer.refresh();
      await promisify(setTimeout)(20);
      clearTimeout(timer);
      timer.refresh();
      await promisify(setTimeout)(20);
      return log;
    });
    expect(fired).toEqual([16_000, 36_000]);
  });

  it('runs days of timers in no time', async () => {
    const days = await inWorld(async (now) => {
      for (let day = 0; day < 3; day++) await new Promise((resolve) => setTimeout(resolve, 86_400_000));
      return now() / 86_400_000_000;
    });
    expect(days).toBe(3);
  });

  it.each([
    ['Math.random()', () => Math.random(), 'host.random()'],
    ['Date.now()', () => Date.now(), 'host.now()'],
    ['new Date()', () => new Date(), 'host.now()'],
    ['performance.now()', () => performance.now(), 'host.now()'],
    ['process.hrtime()', () => process.hrtime(), 'host.now()'],
    ['process.hrtime.bigint()', () => process.hrtime.bigint(), 'host.now()'],
    ['setTimeout()', () => setTimeout(() => {}, 1), 'host.sleep(micros)'],
    ['setInterval()', () => setInterval(() => {}, 1), 'host.sleep(micros)'],
    ['setImmediate()', () => setImmediate(() => {}), 'host.sleep(0)'],
    ['crypto.randomUUID()', () => crypto.randomUUID(), 'host.random()'],
  ] as [string, () => unknown, string][])('strict: %s throws and says what to use instead', async (_, act, instead) => {
    await expect(inWorld(act, { strict: true })).rejects.toThrow(instead);
  });

  it('strict: a given date can still be read', async () => {
    expect(await inWorld(() => new Date(86_400_000).getUTCDate(), { strict: true })).toBe(2);
  });

  it('has the real ones outside of the world, also between two runs of it', async () => {
    const world = openWorld();
    world.start(world.host('a'), 0, () => {});
    const before = Date.now();
    await world.run({ untilMicros: 5 });
    expect(Date.now()).toBeGreaterThanOrEqual(before);
    expect(Date.now()).toBeGreaterThan(1_760_000_000_000);
  });
});

/** Runs `act` on a host of a fresh world for up to a virtual week, and returns its result. */
async function inWorld<T>(
  act: (nowMicros: () => number) => T | Promise<T>,
  options: { seed?: number; strict?: boolean } = {},
): Promise<T> {
  const world = openWorld(options);
  const results: T[] = [];
  world.start(world.host('a'), 0, async () => {
    results.push(await act(() => world.now));
  });
  await world.run({ untilMicros: 7 * 86_400_000_000, stopWhen: () => results.length > 0 });
  return results[0]!;
}
