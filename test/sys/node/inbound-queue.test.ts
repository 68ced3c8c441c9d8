/** The queue between Node's pushes and the contract's pulls. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ADDRESS_BYTES, addressOf, DatagramBatch } from '../../../sys/api.ts';
import { InboundQueue } from '../../../sys/node/inbound-queue.ts';

const SENDER = addressOf('192.0.2.7', 4711)!;
const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);

/** What the queue gives next, or null. */
function shift(queue: InboundQueue, batch = DatagramBatch.allocate(1, 2048)) {
  if (!queue.shiftInto(batch, 0)) return null;
  const start = batch.offset[0]!;
  return batch.arena.slice(start, start + batch.length[0]!);
}

describe('an inbound queue', () => {
  it('gives datagrams in order, with their senders, and then nothing', () => {
    const queue = new InboundQueue(10_000);
    expect(queue.push(bytes(3, 1), SENDER)).toBe(true);
    expect(queue.push(bytes(0, 2), addressOf('::1', 9)!)).toBe(true);
    const batch = DatagramBatch.allocate(2, 100);
    expect(queue.shiftInto(batch, 0)).toBe(true);
    expect(queue.shiftInto(batch, 1)).toBe(true);
    expect(queue.shiftInto(batch, 1)).toBe(false);
    expect([...batch.length]).toEqual([3, 0]);
    expect(batch.address.slice(0, ADDRESS_BYTES)).toEqual(SENDER);
    expect(batch.address.slice(ADDRESS_BYTES)).toEqual(addressOf('::1', 9));
    expect(batch.offset[1]).toBe(batch.home(1));
  });

  it('refuses what would pass its bound, and takes it after a drain', () => {
    const queue = new InboundQueue(4096);
    let taken = 0;
    while (queue.push(bytes(1000, taken), SENDER)) taken++;
    expect(taken).toBe(3); // 3 x (28 + 1000); a fourth would make 4112
    expect(queue.count).toBe(3);
    expect(shift(queue)).toEqual(bytes(1000, 0));
    expect(queue.push(bytes(1000, 9), SENDER)).toBe(true);
    expect(queue.push(bytes(1000, 9), SENDER)).toBe(false);
  });

  it('takes one datagram of any size when it is empty', () => {
    const queue = new InboundQueue(4096);
    expect(queue.push(bytes(65_507, 5), SENDER)).toBe(true);
    expect(queue.push(bytes(0, 6), SENDER)).toBe(false);
    expect(shift(queue, DatagramBatch.allocate(1, 65_507))).toEqual(bytes(65_507, 5));
    expect(queue.push(bytes(0, 6), SENDER)).toBe(true);
  });

  it('is a queue, whatever is pushed and taken in whatever order', () => {
    const step = fc.oneof(fc.record({ push: fc.integer({ min: 0, max: 2048 }) }), fc.constant('shift' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new InboundQueue(30_000);
        const model: Uint8Array[] = [];
        for (const [index, what] of steps.entries()) {
          if (what === 'shift') {
            expect(shift(queue)).toEqual(model.shift() ?? null);
          } else {
            const datagram = bytes(what.push, index & 0xff);
            if (queue.push(datagram, SENDER)) model.push(datagram);
          }
          expect(queue.count).toBe(model.length);
        }
        while (model.length > 0) expect(shift(queue)).toEqual(model.shift());
        expect(shift(queue)).toBeNull();
      }),
    );
  });
});
