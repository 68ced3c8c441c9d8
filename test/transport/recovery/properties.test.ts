import fc from 'fast-check';
import { expect, it } from 'vitest';
import { C, Side } from './two-sides.ts';

/** One step: which side, what, and a number to choose with. */
const step = fc.tuple(fc.boolean(), fc.nat(99), fc.nat(1 << 20));
const FIRSTS = [0n, 1n, (1n << 32n) - 40n, (1n << 53n) - 200_000n];

/** Does a step; the weights make a path that loses some, delays some, and is at times silent for longer than a timer. */
function take(side: Side, other: Side, what: number, chosen: number, now: number): void {
  if (what < 30) side.send(true, chosen % 7 === 0 ? 4 + (chosen % 40) : 200, now);
  else if (what < 38) side.send(false, 200, now);
  else if (what < 40) side.skip();
  else if (what < 41) side.keepAlive();
  else if (what < 80) {
    const [packet] = other.flying.splice(what < 65 ? 0 : chosen % Math.max(1, other.flying.length), 1);
    if (packet !== undefined) side.receive(packet, now);
  } else if (what < 86) other.flying.splice(chosen % Math.max(1, other.flying.length), 1);
  else if (what < 87) other.flying.splice(0, chosen % 60);
  else side.lossTimer(now);
}

it('gives each packet one fate, and writes and reads acks as the plain form does', { timeout: 120_000 }, () => {
  let steps = 0;
  let spurious = 0;
  let lost = 0;
  const property = fc.property(
    fc.array(step, { minLength: 400, maxLength: 1500, size: 'max' }),
    fc.constantFrom(...FIRSTS),
    fc.constantFrom(1, 40, 700, 20_000),
    (script, first, pace) => {
      const left = new Side(first);
      const right = new Side(first + 3n);
      let now = 1_000_000;
      for (const [isLeft, what, chosen] of script) {
        now += chosen % pace;
        take(isLeft ? left : right, isLeft ? right : left, what, chosen, now);
      }
      steps += script.length;
      for (const side of [left, right]) {
        spurious += side.naive.spurious;
        lost += side.rates.lostPackets[C]!;
        side.sent.clear(C, side);
        expect(side.handedOut.toSorted((a, b) => a - b)).toEqual(Array.from({ length: side.sentFrames }, (_, i) => i));
        expect(side.sent.ringSlots(C)).toBe(0);
        expect(side.sent.inFlightPackets[C]).toBe(0);
      }
    },
  );
  fc.assert(property, { numRuns: 30, endOnFailure: true });
  expect(steps).toBeGreaterThan(20_000);
  expect(lost).toBeGreaterThan(500);
  expect(spurious).toBeGreaterThan(50);
});
