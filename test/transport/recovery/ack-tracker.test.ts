import { describe, expect, it } from 'vitest';
import { NEVER } from '../../../sys/api.ts';
import { ACK_WINDOW, AckTracker } from '../../../transport/recovery/ack-tracker.ts';
import { SentPackets } from '../../../transport/recovery/sent-packets.ts';
import { naiveRanges } from './naive.ts';

const C = 1;
const MS = 1000;

function tracker() {
  const number = new Float64Array(1);
  const acks = new AckTracker(3, number);
  const bytes = new Uint8Array(256);
  return {
    acks,
    bytes,
    take(n: number, now: number, eliciting = true) {
      number[0] = n;
      acks.onPacket(C, eliciting, now);
    },
    /** The ack as [newest, oldest] pairs. */
    ranges(now: number, room = 256) {
      const end = acks.write(C, bytes, 0, room, now);
      const newest = BigInt(acks.reported[0]! >= 0 ? acks.reported[0]! : number[0]!);
      return naiveRanges(bytes.subarray(0, end), newest).map((range) => range.map(Number));
    },
  };
}

describe('when an ack is due', () => {
  it('is 25 ms after a packet that asks for it, and never for one that does not', () => {
    const { acks, take } = tracker();
    take(0, 1 * MS, false);
    expect(acks.dueAt[C]).toBe(NEVER);
    expect(acks.hasNews(C)).toBe(true);
    take(1, 5 * MS);
    expect(acks.dueAt[C]).toBe(30 * MS);
    take(2, 6 * MS, false);
    expect(acks.dueAt[C]).toBe(30 * MS);
    expect(acks.dueAt[0]).toBe(NEVER);
  });

  it('is at once for the second one, but a millisecond after the last ack', () => {
    const { acks, bytes, take } = tracker();
    take(0, 5 * MS);
    take(1, 6 * MS);
    expect(acks.dueAt[C]).toBe(6 * MS);
    acks.write(C, bytes, 0, 256, 6 * MS);
    expect(acks.dueAt[C]).toBe(NEVER);
    expect(acks.hasNews(C)).toBe(false);
    take(2, 6100);
    take(3, 6200);
    expect(acks.dueAt[C]).toBe(7 * MS);
  });

  it('is at once when 32 have come within that millisecond', () => {
    const { acks, bytes, take } = tracker();
    take(0, 5 * MS);
    acks.write(C, bytes, 0, 256, 5 * MS);
    for (let n = 1; n <= 31; n++) take(n, 5 * MS + n);
    expect(acks.dueAt[C]).toBe(6 * MS);
    take(32, 5 * MS + 32);
    expect(acks.dueAt[C]).toBe(5 * MS + 32);
  });

  it('is at once when a gap opens or a late one comes, if anything asks for an ack', () => {
    const { acks, bytes, take } = tracker();
    take(0, 5 * MS);
    acks.write(C, bytes, 0, 256, 5 * MS);
    take(2, 5100);
    expect(acks.dueAt[C]).toBe(5100);
    acks.write(C, bytes, 0, 256, 5100);
    take(1, 5200);
    expect(acks.dueAt[C]).toBe(5200);
    acks.write(C, bytes, 0, 256, 5200);
    take(9, 5300, false);
    expect(acks.dueAt[C]).toBe(NEVER);
    take(10, 5400);
    expect(acks.dueAt[C]).toBe(5400);
  });
});

describe('what an ack says', () => {
  it('takes six bytes without loss, with the delay in units of 8 us', () => {
    const { acks, bytes, take } = tracker();
    for (let n = 65_530; n <= 65_540; n++) take(n, 1 * MS);
    expect(acks.write(C, bytes, 10, 16, 1 * MS + 85)).toBe(16);
    expect([...bytes.subarray(10, 16)]).toEqual([0x10, 4, 0, 10, 0, 10]);
    acks.write(C, bytes, 0, 256, 600 * MS);
    expect([bytes[3], bytes[4]]).toEqual([0xff, 0xff]);
  });

  it('is nothing when nothing came or fewer than six bytes are left', () => {
    const { acks, bytes, take } = tracker();
    expect(acks.write(C, bytes, 3, 256, 0)).toBe(3);
    take(0, 0);
    expect(acks.write(C, bytes, 3, 8, 0)).toBe(3);
    expect(acks.dueAt[C]).toBe(25 * MS);
  });

  it('reaches over a gap of 1,000 numbers, and forgets what lies below a gap of 10,000', () => {
    const { take, ranges } = tracker();
    for (const n of [1, 2, 3, 1004, 1005]) take(n, 0);
    expect(ranges(0)).toEqual([
      [1005, 1004],
      [3, 1],
    ]);
    take(11_005, 0);
    expect(ranges(0)).toEqual([[11_005, 11_005]]);
    take(1005 + 2048, 0);
    take(11_005 - ACK_WINDOW, 0); // older than the bitmap
    take(11_006 - ACK_WINDOW, 0);
    expect(ranges(0)).toEqual([
      [11_005, 11_005],
      [11_006 - ACK_WINDOW, 11_006 - ACK_WINDOW],
    ]);
  });

  it('takes no notice of a packet 2,048 numbers below the newest', () => {
    const { acks, bytes, take } = tracker();
    take(5000, 0);
    acks.write(C, bytes, 0, 256, 0);
    take(5000 - ACK_WINDOW, 0);
    expect(acks.hasNews(C)).toBe(false);
    expect(acks.dueAt[C]).toBe(NEVER);
    take(5001 - ACK_WINDOW, 0);
    expect(acks.dueAt[C]).toBe(0);
  });

  it('tells numbers beyond 2^32 and just below 2^53 apart', () => {
    for (const first of [2 ** 32 - 3, 2 ** 53 - 3000]) {
      const { take, ranges } = tracker();
      for (const n of [0, 1, 2, 4, 5, 2047, 2048]) take(first + n, 0);
      expect(ranges(0)).toEqual([
        [first + 2048, first + 2047],
        [first + 5, first + 4],
        [first + 2, first + 1],
      ]);
    }
  });

  it('names the 31 newest gaps and no more', () => {
    const { take, ranges } = tracker();
    for (let n = 0; n <= 200; n += 2) take(n, 0);
    const said = ranges(0);
    expect(said).toHaveLength(32);
    expect(said.at(-1)).toEqual([138, 138]);
  });

  it('says as much as there is room for, and then does not count as heard', () => {
    const { acks, take, ranges } = tracker();
    for (let n = 0; n <= 20; n += 2) take(n, 0);
    expect(ranges(0, 11)).toHaveLength(3);
    expect(acks.reported[0]).toBe(-1);
    ranges(0);
    expect(acks.reported[0]).toBe(20);
  });

  it('cuts a run of more than 127 to fit six bytes', () => {
    const { acks, take, ranges } = tracker();
    for (let n = 0; n <= 300; n++) take(n, 0);
    expect(ranges(0, 6)).toEqual([[300, 173]]);
    expect(acks.reported[0]).toBe(-1);
    expect(ranges(0, 7)).toEqual([[300, 0]]);
  });

  it('reports a gap until an ack of it was heard, and 32 numbers longer', () => {
    const { acks, take, ranges } = tracker();
    const sent = new SentPackets(3);
    take(0, 0);
    for (let n = 10; n <= 50; n++) take(n, 0);
    expect(ranges(0)).toEqual([
      [50, 10],
      [0, 0],
    ]);
    const slot = sent.record(C, 20, false, -1, acks.reported, Float64Array.of(7), 0);
    take(51, 0);
    expect(ranges(0)).toHaveLength(2);
    acks.onAckHeard(C, sent, slot);
    expect(ranges(0)).toEqual([[51, 18]]);
    take(17, 0); // below the floor: too late to be told
    expect(ranges(0)).toEqual([[51, 18]]);
  });

  it('begins anew after a reset', () => {
    const { acks, bytes, take, ranges } = tracker();
    for (let n = 5000; n <= 5100; n += 2) take(n, 0);
    acks.reset(C);
    expect(acks.dueAt[C]).toBe(NEVER);
    expect(acks.write(C, bytes, 0, 256, 0)).toBe(0);
    take(5090, 0);
    expect(ranges(0)).toEqual([[5090, 5090]]);
  });
});

it('asks for a ping in one of 64 packets that only ack', () => {
  const { acks } = tracker();
  const wishes = Array.from({ length: 192 }, () => acks.wantsPing(C));
  expect(wishes.flatMap((wish, i) => (wish ? [i] : []))).toEqual([63, 127, 191]);
});
