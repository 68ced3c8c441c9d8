import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES_MAX, BlockPool } from '../../transport/block-pool.ts';

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

describe('BlockPool', () => {
  it('gives blocks that do not overlap and keep their bytes', () => {
    const lent = new Uint8Array(1000);
    const pool = new BlockPool(1 << 24, { bytes: lent, view: viewOf(lent), at: 100 });
    const sizes = [0, 1, 64, 65, 300, 1200, 4096, 4097, 70_000, 64, 200, 3000, 1_000_000];
    const blocks = sizes.map((size) => pool.take(size));
    for (const [i, block] of blocks.entries()) {
      pool.bytesOf(block).fill(i + 1, pool.offsetOf(block), pool.offsetOf(block) + sizes[i]!);
      expect(pool.sizeOf(block)).toBeGreaterThanOrEqual(sizes[i]!);
    }
    for (const [i, block] of blocks.entries()) {
      const bytes = pool.bytesOf(block).subarray(pool.offsetOf(block), pool.offsetOf(block) + sizes[i]!);
      expect(bytes.every((byte) => byte === i + 1)).toBe(true);
    }
    expect(lent.subarray(0, 100).every((byte) => byte === 0)).toBe(true);
    expect(pool.held).toBe(sizes.length);
    for (const block of blocks) pool.release(block);
    expect(pool.held).toBe(0);
    expect(pool.heldBytes).toBe(0);
  });

  it('gives a freed block again, and keeps one that still has users', () => {
    const pool = new BlockPool(1 << 20);
    const first = pool.take(100);
    pool.retain(first);
    pool.release(first);
    expect(pool.take(100)).not.toBe(first);
    pool.release(first);
    expect(pool.take(100)).toBe(first);
  });

  it('answers -1 at its limit, counting whole blocks, and goes on when one is released', () => {
    const pool = new BlockPool(1024);
    const first = pool.take(512);
    expect(pool.take(500)).not.toBe(-1);
    expect(pool.take(1)).toBe(-1);
    pool.release(first);
    expect(pool.take(1)).not.toBe(-1);
  });

  it('keeps large blocks for the next message up to 32 MiB, gives more back and uses their numbers again', () => {
    const pool = new BlockPool(BLOCK_BYTES_MAX * 4);
    const first = pool.take(4 << 20);
    const memory = pool.bytesOf(first);
    pool.release(first);
    expect(pool.bytesOf(pool.take(3 << 20))).toBe(memory);
    pool.release(first);
    for (let i = 0; i < 10; i++) {
      const block = pool.take(40 << 20);
      expect(block).toBe(1);
      pool.release(block);
    }
    const largest = pool.take(BLOCK_BYTES_MAX);
    expect(pool.sizeOf(largest)).toBe(BLOCK_BYTES_MAX);
  });

  it('copies in and out, within the lent memory and between slabs', () => {
    const lent = new Uint8Array(4096);
    const pool = new BlockPool(1 << 20, { bytes: lent, view: viewOf(lent), at: 1024 });
    const source = Uint8Array.from({ length: 600 }, (_, i) => i * 7);
    for (let i = 0; i < 10; i++) {
      const block = pool.take(600);
      pool.copyIn(block, 3, viewOf(source), 5, 590);
      pool.copyOut(block, 3, lent, viewOf(lent), 11, 590);
      expect(lent.subarray(11, 601)).toEqual(source.subarray(5, 595));
    }
  });

  it('throws when a block is released once too often', () => {
    const pool = new BlockPool(1024);
    const block = pool.take(1);
    pool.release(block);
    expect(() => pool.release(block)).toThrow('once too often');
  });
});

it('keeps one block of each size for the next message, however large, and not a second one', () => {
  const pool = new BlockPool(BLOCK_BYTES_MAX * 2);
  const blocks = [pool.take(BLOCK_BYTES_MAX), pool.take(BLOCK_BYTES_MAX)];
  const arrays = blocks.map((block) => pool.bytesOf(block));
  for (const block of blocks) pool.release(block);
  const again = [pool.take(BLOCK_BYTES_MAX), pool.take(BLOCK_BYTES_MAX)].map((block) => pool.bytesOf(block));
  expect(again.filter((array) => arrays.includes(array)).length).toBe(1);
});
