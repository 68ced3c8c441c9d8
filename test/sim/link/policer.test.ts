// What never gets onto the line: too large for the path, or more than was agreed.

import { describe, expect, it } from 'vitest';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { ADMITTED, LinkDirection, POLICED, TOO_LARGE } from '../../../sim/link/link.ts';
import { Policer } from '../../../sim/link/policer.ts';
import { Streams } from '../../../sim/world/streams.ts';
import { addressOf } from '../../../sys/api.ts';
import { listen, openWorld, send } from '../open-world.ts';

const SECOND = 1_000_000;

describe('Policer', () => {
  it.each([
    [999_983, 1_500],
    [8_000_000, 40_000],
    [123_456_789, 3_000],
  ])('lets through burst + rate * t, exactly to the last packet, at %d bit/s and a burst of %d', (rate, burst) => {
    const policer = new Policer();
    policer.configure({ rateBitsPerSecond: rate, burstBytes: burst });
    const bytes = 250;
    let passed = 0;
    for (let now = 0; now < 2 * SECOND; now += 97) {
      while (policer.passes(bytes, now)) passed++;
      const most = burst + (rate * now) / 8 / SECOND;
      expect(passed).toBe(Math.floor(most / bytes + 1e-9));
    }
  });

  it('saves up no more than its burst', () => {
    const policer = new Policer();
    policer.configure({ rateBitsPerSecond: 1_000_000, burstBytes: 1_000 });
    for (const now of [0, 3_600 * SECOND, 1e12]) {
      const passed = Array.from({ length: 8 }, () => policer.passes(300, now)).filter(Boolean);
      expect(passed).toHaveLength(3);
    }
  });

  it('keeps its tokens when it is configured anew', () => {
    const policer = new Policer();
    policer.configure({ rateBitsPerSecond: 1_000, burstBytes: 1_000 });
    expect([policer.passes(900, 0), policer.passes(900, 0)]).toEqual([true, false]);
    policer.configure({ rateBitsPerSecond: 1_000, burstBytes: 50 });
    expect([policer.passes(51, 0), policer.passes(50, 0), policer.passes(1, 0)]).toEqual([false, true, false]);
  });
});

it('drops what is larger than the MTU with its headers, and nothing that is not', () => {
  const link = directionOf({ mtuBytes: 1_280 });
  expect([1_252, 1_253, 1, 65_507].map((length) => link.admit(length, 0))).toEqual([
    ADMITTED,
    TOO_LARGE,
    ADMITTED,
    TOO_LARGE,
  ]);
  expect(link.stats.tooLarge).toBe(2);
  expect(directionOf({}).admit(65_507, 0)).toBe(ADMITTED);
});

it('counts headers for the policer too', () => {
  const link = directionOf({ policer: { rateBitsPerSecond: 1_000, burstBytes: 256 } });
  expect([100, 101, 100].map((length) => link.admit(length, 0))).toEqual([ADMITTED, POLICED, ADMITTED]);
});

it('is accounted for in a world, and the same each time', async () => {
  const run = async () => {
    const world = openWorld();
    const [from, to] = [world.host('from'), world.host('to')];
    world
      .direction(from, to)
      .configure({ mtuBytes: 1_000, policer: { rateBitsPerSecond: 400_000, burstBytes: 5_000 } });
    world.start(to, 0, () => listen(to, 9, () => {}));
    world.start(from, 0, async () => {
      const socket = await listen(from, 0, () => {});
      for (let k = 0; k < 500; k++) {
        send(socket, addressOf('10.0.0.2', 9)!, new Uint8Array(100 + (k % 11) * 100));
        await new Promise<void>((resolve) => from.at(world.now + 1_000, resolve));
      }
    });
    await world.run({ untilMicros: SECOND });
    const { sent, tooLarge, policed, delivered } = world.stats;
    expect(tooLarge).toBe(Math.floor(500 / 11) * 2); // 1,000 and 1,100 bytes; the last five are small
    expect(policed).toBeGreaterThan(100);
    expect(sent).toBe(tooLarge + policed + delivered);
    expect(world.direction(from, to).stats).toMatchObject({ tooLarge, policed, delivered });
    expect(world.datagramsHeld).toBe(0);
    return world.digest();
  };
  expect(await run()).toBe(await run());
});

it.each([
  [{ mtuBytes: 67 }, 'mtuBytes is an integer in 68'],
  [{ policer: { rateBitsPerSecond: 1, burstBytes: 1 } }, 'policer.rateBitsPerSecond is an integer in 1000'],
  [{ policer: { rateBitsPerSecond: 1_000, burstBytes: 0 } }, 'policer.burstBytes is an integer in 1'],
] as [DirectionOptions, string][])('refuses %o: %s', (options, text) => {
  expect(() => directionOf(options)).toThrow(RangeError);
  expect(() => directionOf(options)).toThrow(`link a>b: ${text}`);
});

function directionOf(options: DirectionOptions): LinkDirection {
  return new LinkDirection('a>b', 0, new Streams(7), options);
}
