import { describe, expect, it } from 'vitest';
import { fillMessage, firstDifference, numberIn } from '../../../sim/swarm/contents.ts';

const LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 100, 4_099];

function message(length: number, lane: number, number: number): Uint8Array {
  const bytes = new Uint8Array(length);
  fillMessage(bytes, lane, number);
  return bytes;
}

/** The congruence, a step a byte. */
function plain(length: number, lane: number, number: number): Uint8Array {
  let state = Math.imul(number + 1, 0x9e37_79b1) ^ lane;
  const bytes = new Uint8Array(length).map(() => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state >>> 24;
  });
  if (length >= 5) bytes.set([lane, number, number >>> 8, number >>> 16, number >>> 24]);
  return bytes;
}

describe('the contents of a message', () => {
  it('are the bytes of one congruence, of whatever length, though four steps are taken at once', () => {
    for (const length of LENGTHS) {
      expect(message(length, 77, 70_000)).toEqual(plain(length, 77, 70_000));
      expect(firstDifference(plain(length, 77, 70_000), 77, 70_000)).toBe(-1);
    }
  });

  it('tell each byte that is another one', () => {
    for (const length of LENGTHS.filter((one) => one <= 100)) {
      for (let at = 0; at < length; at++) {
        const bytes = message(length, 3, 258);
        bytes[at]! ^= 0x10;
        expect(firstDifference(bytes, 3, 258)).toBe(at);
      }
    }
  });

  it('tell which message it is', () => {
    expect(numberIn(message(5, 1, 0xfedc_ba98))).toBe(0xfedc_ba98);
    expect(firstDifference(message(40, 1, 7), 2, 7)).toBe(0);
    expect(firstDifference(message(40, 1, 7), 1, 8)).toBe(1);
  });
});
