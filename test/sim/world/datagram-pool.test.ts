// Datagrams under way: bytes stay what they were, and ids come back.

import { describe, expect, it } from 'vitest';
import { DatagramPool, hashOf } from '../../../sim/world/datagram-pool.ts';
import { Stream } from '../../../sim/world/streams.ts';
import { DatagramBatch } from '../../../sys/api.ts';

const SIZES = [0, 1, 3, 4, 5, 127, 128, 129, 511, 512, 513, 1200, 2048, 2049, 65_507];

describe('DatagramPool', () => {
  it.each(SIZES)('keeps %d bytes as they were, from any offset to any offset', (size) => {
    const pool = new DatagramPool();
    const bytes = chanceBytes(size, `size ${size}`);
    const batch = batchOf(bytes);
    for (const shift of [0, 1, 2, 3]) {
      batch.offset[0] = batch.home(0) + shift;
      batch.arena.set(bytes, batch.offset[0]!);
      const id = pool.take(batch, 0);
      batch.arena.fill(0);
      const out = new Uint8Array(size + 8);
      pool.copyOut(id, new DataView(out.buffer), 4 - shift);
      expect(
        Buffer.from(out)
          .subarray(4 - shift, 4 - shift + size)
          .equals(bytes),
      ).toBe(true);
      expect(out.subarray(0, 4 - shift).every((byte) => byte === 0)).toBe(true);
      expect(out.subarray(4 - shift + size).every((byte) => byte === 0)).toBe(true);
      expect(pool.hash[id]).toBe(hashOf(bytes));
    }
  });

  it('keeps thousands of different datagrams apart while others come and go', () => {
    const pool = new DatagramPool();
    const stream = new Stream('pool');
    const held: { id: number; bytes: Uint8Array }[] = [];
    for (let step = 0; step < 6000; step++) {
      const bytes = chanceBytes(stream.below(700), `step ${step}`);
      held.push({ id: pool.take(batchOf(bytes), 0), bytes });
      if (stream.below(3) === 0) check(pool, held.splice(stream.below(held.length), 1)[0]!);
    }
    expect(pool.held).toBe(held.length);
    expect(new Set(held.map(({ id }) => id)).size).toBe(held.length);
    for (const datagram of held) check(pool, datagram);
    expect(pool.held).toBe(0);
  });

  it('gives a different hash when any one byte differs, and for a zero more at the end', () => {
    const bytes = chanceBytes(101, 'hash');
    const seen = new Set([hashOf(bytes), hashOf(new Uint8Array([...bytes, 0]))]);
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice();
      changed[i]! ^= 1;
      seen.add(hashOf(changed));
    }
    expect(seen.size).toBe(bytes.length + 2);
  });
});

function check(pool: DatagramPool, datagram: { id: number; bytes: Uint8Array }): void {
  const out = new Uint8Array(datagram.bytes.length);
  pool.copyOut(datagram.id, new DataView(out.buffer), 0);
  expect(Buffer.from(out).equals(datagram.bytes)).toBe(true);
  pool.release(datagram.id);
}

function batchOf(bytes: Uint8Array): DatagramBatch {
  const batch = DatagramBatch.allocate(1, Math.max(bytes.length + 4, 8));
  batch.arena.set(bytes, batch.home(0));
  batch.length[0] = bytes.length;
  batch.count = 1;
  return batch;
}

function chanceBytes(size: number, seed: string): Uint8Array {
  const bytes = new Uint8Array(size);
  new Stream(seed).fill(bytes);
  return bytes;
}
