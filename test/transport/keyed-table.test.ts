import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Rng } from '../../sys/api.ts';
import { KeyedTable, TABLE_ENTRIES_MAX } from '../../transport/keyed-table.ts';
import { seededRng } from './netcode/world.ts';

/** Every key lands in the same place: the worst that can happen to a table. */
const zeroRng: Rng = { u32: () => 0, fill: (bytes) => void bytes.fill(0) };

const keyOf = (n: number): Uint8Array => {
  const key = new Uint8Array(24);
  new DataView(key.buffer).setUint32(10, n);
  return key;
};

describe('KeyedTable', () => {
  test.each([
    ['a keyed hash', seededRng(1)],
    ['a hash that puts all in one place', zeroRng],
  ])('behaves like a map, with %s', (_, rng) => {
    const operation = fc.tuple(fc.constantFrom('set', 'remove', 'find'), fc.nat(40), fc.nat(1000));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const table = new KeyedTable(24, 64, rng);
        const map = new Map<number, number>();
        for (const [what, n, value] of operations) {
          const expected = map.get(n) ?? -1;
          expect(table.find(keyOf(n), 0)).toBe(expected);
          if (what === 'set') {
            table.set(keyOf(n), 0, value);
            map.set(n, value);
          } else if (what === 'remove') {
            expect(table.remove(keyOf(n), 0)).toBe(expected);
            map.delete(n);
          }
          expect(table.count).toBe(map.size);
        }
        for (let n = 0; n <= 40; n++) {
          expect(table.find(keyOf(n), 0)).toBe(map.get(n) ?? -1);
          expect(table.findWords(new Int32Array(keyOf(n).buffer), 0)).toBe(map.get(n) ?? -1);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('reads its keys at any offset', () => {
    const table = new KeyedTable(8, 4, seededRng(2));
    const bytes = Uint8Array.from({ length: 30 }, (_, i) => i);
    table.set(bytes, 5, 3);
    expect(table.find(bytes.slice(5, 13), 0)).toBe(3);
    expect(table.find(bytes, 6)).toBe(-1);
  });

  test('throws when it is full, but takes a new value for a key that it has', () => {
    const table = new KeyedTable(24, 2, seededRng(3));
    table.set(keyOf(1), 0, 1);
    table.set(keyOf(2), 0, 2);
    table.set(keyOf(2), 0, 7);
    expect(table.find(keyOf(2), 0)).toBe(7);
    expect(() => table.set(keyOf(3), 0, 3)).toThrow('full: 2 entries');
  });

  test.each([0, -1, TABLE_ENTRIES_MAX + 1, Number.NaN])('refuses a capacity of %s', (capacity) => {
    expect(() => new KeyedTable(24, capacity, seededRng(1))).toThrow('a table holds 1 to');
  });

  test('finds 8,192 keys that differ in two bytes, whatever the secret', () => {
    for (let seed = 0; seed < 5; seed++) {
      const table = new KeyedTable(24, 8192, seededRng(seed));
      for (let port = 0; port < 8192; port++) table.set(keyOf(port * 8), 0, port);
      for (let port = 0; port < 8192; port++) expect(table.find(keyOf(port * 8), 0)).toBe(port);
    }
  });
});
