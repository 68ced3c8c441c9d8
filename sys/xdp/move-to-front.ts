/** What is left of a transmit batch when entries from anywhere in it have gone. */

import { ADDRESS_BYTES, type DatagramBatch } from '../api.ts';

/**
 * Keeps the entries `slots[0 .. count)`, which ascend, moves each to the front and into the home of its new slot, and
 * resets the offsets of the others.
 */
export function moveToFront(batch: DatagramBatch, slots: Uint16Array, count: number): void {
  const { arena, offset, length, address, localAddress, count: total } = batch;
  for (let to = 0; to < count; to++) {
    const from = slots[to]!;
    if (from === to) continue;
    const start = offset[from]!;
    const home = batch.home(to) + (start - batch.home(from));
    arena.copyWithin(home, start, start + length[from]!);
    offset[to] = home;
    length[to] = length[from]!;
    address.copyWithin(to * ADDRESS_BYTES, from * ADDRESS_BYTES, (from + 1) * ADDRESS_BYTES);
    localAddress?.copyWithin(to * ADDRESS_BYTES, from * ADDRESS_BYTES, (from + 1) * ADDRESS_BYTES);
  }
  for (let slot = count; slot < total; slot++) offset[slot] = batch.home(slot);
  batch.count = count;
}
