/**
 * What the two native providers share: keys in native memory, bounds of a packet, and moving packets of ordinary memory
 * (simulator, node:dgram) into native memory and back.
 *
 * Native code trusts every address it is given, so a number out of bounds must throw here and nowhere else.
 */

import type { DatagramBatch } from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import type { KeyMemory } from './key-table.ts';
import { BLOCK_BYTES, TAG_BYTES } from './xchacha.ts';

/** Bytes of `n` rounded up to a whole ChaCha20 block. */
export function wholeBlocks(n: number): number {
  return (n + (BLOCK_BYTES - 1)) & -BLOCK_BYTES;
}

/** Records of a key table in memory that native code may read. */
export function nativeKeyMemory(bytes: number): KeyMemory {
  const arena = NativeArena.map(bytes);
  return { bytes: arena.bytes, address: arena.address, release: () => {} }; // unmapped with its last view
}

/**
 * Throws unless `length` bytes at `slot`, `before` free bytes in front and `after` behind lie within the batch.
 * Our own error always: the wire cannot move a slot.
 */
export function checkRoom(batch: DatagramBatch, slot: number, before: number, after: number): void {
  const offset = batch.offset[slot]!;
  if (slot < batch.slots && offset >= before && offset + batch.length[slot]! + after <= batch.arena.length) return;
  throw new RangeError(`slot ${slot} at ${offset} lacks ${before} free bytes before it or ${after} after it`);
}

/** Throws unless `slot` has its place in a provider's plaintext. */
export function checkSlot(slot: number, slots: number): void {
  if (slot >= 0 && slot < slots) return;
  throw new RangeError(`slot ${slot} of an AEAD opened for ${slots} slots`);
}

/** Bytes of a batch's slot between header and tag; negative when they are no packet. */
export function sealedBytes(batch: DatagramBatch, slot: number, headerBytes: number): number {
  return batch.length[slot]! - headerBytes - TAG_BYTES;
}

/**
 * Copies `bytes` bytes from one view to another, four at a time and the rest singly. For memory that has no native
 * address: `set` would need a view for each packet. 36 ns for 100 bytes.
 */
export function copyBytes(from: DataView, fromAt: number, to: DataView, toAt: number, bytes: number): void {
  const words = bytes & ~3;
  let i = 0;
  // Signed: a 32-bit word that does not fit an int32 would be boxed until this loop is compiled.
  for (; i < words; i += 4) to.setInt32(toAt + i, from.getInt32(fromAt + i, true), true);
  for (; i < bytes; i++) to.setUint8(toAt + i, from.getUint8(fromAt + i));
}
