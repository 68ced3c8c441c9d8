/** Rings and bits by id, against a plain map: the window moves on over and over, so that places are used again. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IdBits } from '../../../transport/channel/id-bits.ts';
import { EMPTY, IdRings } from '../../../transport/channel/id-rings.ts';
import { ID_WINDOW } from '../../../transport/wire/frame-types.ts';

const steps = fc.array(
  fc.tuple(
    fc.constantFrom('set', 'run', 'pass', 'close'),
    fc.nat(ID_WINDOW - 1),
    fc.integer({ min: 1, max: ID_WINDOW }),
  ),
  { minLength: 1, maxLength: 80 },
);

it('IdBits sets runs and passes them as a set of numbers would', () => {
  fc.assert(
    fc.property(steps, fc.nat(70_000), (list, from) => {
      const bits = new IdBits(2);
      const model = new Set<number>();
      let next = from;
      // The neighbour keeps its own.
      bits.set(0, 7, 40);
      for (const [what, ahead, length] of list) {
        if (what === 'close' && length < 300) {
          bits.close(1);
          model.clear();
        } else if (what === 'pass') {
          // The window moves on: over what is set, and over one more that was handed over on its way.
          let passed = 0;
          for (; model.delete(next + passed); passed++);
          expect(bits.pass(1, next & 0xffff)).toBe(passed);
          next += passed;
          if (!model.has(next)) next++;
        } else {
          // Often right at the front.
          const start = ahead % 3 === 0 ? 0 : ahead;
          const run = what === 'set' ? 1 : Math.min(length % 90 === 0 ? length : length % 90 || 1, ID_WINDOW - start);
          let added = 0;
          for (let id = next + start; id < next + start + run; id++) {
            if (!model.has(id)) added++;
            model.add(id);
          }
          expect(bits.set(1, (next + start) & 0xffff, run)).toBe(added);
        }
        expect(bits.count[1]).toBe(model.size);
        for (let i = 0; i < ID_WINDOW; i += 1 + (i & 31))
          expect(bits.has(1, (next + i) & 0xffff)).toBe(model.has(next + i));
      }
      expect(bits.pass(0, 7)).toBe(40);
    }),
    { numRuns: 200 },
  );
});

it('IdBits passes a window that is full, from any place in a word', () => {
  for (const from of [0, 1, 31, 32, 4095, 65_535]) {
    const bits = new IdBits(1);
    expect(bits.set(0, from, ID_WINDOW)).toBe(ID_WINDOW);
    expect(bits.set(0, from, ID_WINDOW)).toBe(0);
    expect(bits.pass(0, from)).toBe(ID_WINDOW);
    expect(bits.has(0, from)).toBe(false);
  }
});

it('IdBits begins with no bit where others were left behind', () => {
  const bits = new IdBits(1);
  bits.set(0, 5, 3);
  bits.close(0);
  bits.set(0, 100, 1);
  expect([4, 5, 6, 7, 8].some((low) => bits.has(0, low))).toBe(false);
});

it('IdRings keeps, finds and clears entries as a map would, and grows over them', () => {
  fc.assert(
    fc.property(steps, fc.nat(70_000), (list, from) => {
      const rings = new IdRings(2);
      const model = new Map<number, number>();
      let next = from;
      rings.put(0, 9, 3, 77);
      for (const [what, ahead, length] of list) {
        const near = length % 2 === 0 ? ahead : ahead % 50;
        const low = (next + near) & 0xffff;
        if (what === 'close' && length < 300) {
          rings.close(1);
          model.clear();
        } else if (what === 'pass') {
          if (model.delete(next)) rings.clear(1, next & 0xffff);
          next++;
        } else if (what === 'run' && model.delete(next + near)) rings.clear(1, low);
        else {
          model.set(next + near, length);
          rings.put(1, low, near, length);
        }
        expect(rings.count[1]).toBe(model.size);
        for (const [id, entry] of model) expect(rings.at(1, id & 0xffff, id - next)).toBe(entry);
        for (let i = 0; i < ID_WINDOW; i += 1 + (i & 15)) {
          expect(rings.at(1, (next + i) & 0xffff, i)).toBe(model.get(next + i) ?? EMPTY);
        }
        const first = Math.min(...[...model.keys()].filter((id) => id >= next + near && id < next + near + length));
        expect(rings.find(1, (next + near) & 0xffff, near, length)).toBe(
          first === Number.POSITIVE_INFINITY ? -1 : first - next,
        );
      }
      expect(rings.at(0, 9, 3)).toBe(77);
    }),
    { numRuns: 200 },
  );
});

it('IdRings gives rings back that it has outgrown or emptied', () => {
  const rings = new IdRings(1);
  for (let round = 0; round < 1000; round++) {
    rings.put(0, 1, 1, 5);
    rings.put(0, 100, 100, 5);
    rings.put(0, 4095, 4095, 5);
    if (round % 2 === 0) rings.close(0);
    else for (const low of [1, 100, 4095]) rings.clear(0, low);
  }
  expect(rings.slots).toBeLessThanOrEqual(8192);
});
