import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACCEPTED, DROP_SEQUENCE_TOO_LARGE } from '../../../transport/netcode/drop-counters.ts';
import { PacketHeader, prefixOf, SERVER_TAKES, writeHeaderBefore } from '../../../transport/netcode/packets.ts';
import { ReplayWindows } from '../../../transport/netcode/replay-window.ts';
import { high, low, overRecordings, type ReplayRecord } from './recordings.ts';

/** A window as an endpoint has it: numbers from 2^53 on are dropped with the header and never reach it. */
class Receiver {
  readonly windows = new ReplayWindows(2, 256);
  readonly #header = new PacketHeader();

  /** Whether the packet would be taken; marks it then, unless it is only tested. */
  take(sequence: string, mark: boolean): boolean {
    const [lo, hi] = [low(sequence), high(sequence)];
    const bytes = new Uint8Array(32);
    const headerBytes = writeHeaderBefore(bytes, 9, prefixOf(6, lo, hi), lo, hi);
    if (this.#header.parse(bytes, 9 - headerBytes, headerBytes + 16, SERVER_TAKES) !== ACCEPTED) return false;
    if (!this.windows.isFresh(1, lo, hi)) return false;
    if (mark) this.windows.mark(1, lo, hi);
    return true;
  }
}

const isTooLarge = (sequence: string): boolean => BigInt(sequence) >= 1n << 53n;

function replay(record: ReplayRecord): void {
  const receiver = new Receiver();
  for (const [index, step] of record.steps.entries()) {
    if (step.reset) {
      receiver.windows.reset(1);
      continue;
    }
    const accepted = receiver.take(step.sequence!, step.advance !== false);
    expect(accepted, `step ${index}: ${step.sequence}`).toBe(step.accept);
  }
  expect(String(receiver.windows.newest(1))).toBe(record.most_recent_sequence_after);
}

overRecordings('recorded replay windows', ({ replay_window }) => {
  const { cases } = replay_window;
  const all = (test: (sequence: string) => boolean) => (record: ReplayRecord) =>
    record.steps.every((step) => step.sequence === undefined || test(step.sequence));
  const small = cases.filter(all((sequence) => !isTooLarge(sequence)));
  const large = cases.filter((record) => !small.includes(record));

  test.each(small)('are met: $name', (record) => replay(record));

  test.each(large)(
    'are met up to 2^53, and beyond nothing is taken (stricter than the reference on purpose): $name',
    (record) => {
      const receiver = new Receiver();
      let beyond = false;
      for (const step of record.steps) {
        if (step.reset || step.sequence === undefined) continue;
        const accepted = receiver.take(step.sequence, step.advance !== false);
        if (isTooLarge(step.sequence)) {
          beyond = true;
          expect(accepted).toBe(false);
        } else if (!beyond) {
          expect(accepted).toBe(step.accept);
        }
      }
      expect(beyond).toBe(true);
      expect(receiver.windows.newest(1)).toBeLessThan(2 ** 53);
    },
  );
});

describe('ReplayWindows', () => {
  const NUMBER_MAX = 2 ** 53 - 1;

  test.each([32, 256, 4096])('of %i behave like a set of all numbers with the same edge', (size) => {
    const steps = fc.array(
      fc.tuple(fc.constantFrom(1, 3, 40, 300, 5000, 2 ** 33), fc.double({ min: -1, max: 1, noNaN: true })),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), steps, (start, walk) => {
        const windows = new ReplayWindows(1, size);
        const seen = new Set<number>();
        let newest = -1;
        let near = start;
        for (const [reach, share] of walk) {
          const number = Math.min(NUMBER_MAX, Math.max(0, near + Math.round(reach * share)));
          const fresh = number > newest - size && !seen.has(number);
          const [lo, hi] = [low(String(number)), high(String(number))];
          expect(windows.isFresh(0, lo, hi)).toBe(fresh);
          if (!fresh) continue;
          windows.mark(0, lo, hi);
          seen.add(number);
          newest = Math.max(newest, number);
          near = newest;
        }
        expect(windows.newest(0)).toBe(Math.max(0, newest));
      }),
      { numRuns: 300 },
    );
  });

  test('of different sessions do not touch each other', () => {
    const windows = new ReplayWindows(3, 256);
    windows.mark(1, 500, 0);
    expect(windows.isFresh(0, 1, 0)).toBe(true);
    expect(windows.isFresh(1, 1, 0)).toBe(false);
    expect(windows.isFresh(2, 500, 0)).toBe(true);
    windows.reset(1);
    expect(windows.isFresh(1, 500, 0)).toBe(true);
  });

  test.each([0, 31, 255, 131_072, Number.NaN])('refuses a size of %s and says what to give', (size) => {
    expect(() => new ReplayWindows(1, size)).toThrow('power of two from 32 to 65536');
  });

  test('a number from 2^53 on is dropped with the header', () => {
    const header = new PacketHeader();
    const bytes = new Uint8Array(32);
    const headerBytes = writeHeaderBefore(bytes, 9, prefixOf(5, 0, 1 << 21), 0, 1 << 21);
    expect(header.parse(bytes, 9 - headerBytes, headerBytes + 17, SERVER_TAKES)).toBe(DROP_SEQUENCE_TOO_LARGE);
  });
});
