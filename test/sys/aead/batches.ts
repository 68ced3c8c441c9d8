/** Batches in both kinds of memory, and packets in them: what the AEAD tests share. */

import { DatagramBatch, slotStrideBytes } from '../../../sys/api.ts';
import { NativeArena } from '../../../sys/ffi/arena.ts';

/** A batch as `sys/linux` makes them. */
export function nativeBatch(slots: number, slotBytes: number): DatagramBatch {
  const arena = NativeArena.map(slots * slotStrideBytes(slotBytes));
  const batch = new DatagramBatch(arena.bytes, slots, slotBytes);
  batch.arenaAddress = arena.address;
  return batch;
}

/** Puts `data` into `slot` at its home. */
export function place(batch: DatagramBatch, slot: number, data: Uint8Array): void {
  batch.offset[slot] = batch.home(slot);
  batch.length[slot] = data.length;
  batch.arena.set(data, batch.home(slot));
}

/** A copy of what `slot` holds. */
export function held(batch: DatagramBatch, slot: number): Uint8Array {
  return Uint8Array.from(batch.arena.subarray(batch.offset[slot]!, batch.offset[slot]! + batch.length[slot]!));
}

/** `count` bytes counting up from `first`. */
export function range(first: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (first + i) & 0xff);
}
