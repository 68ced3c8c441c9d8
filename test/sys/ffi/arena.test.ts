/** Native memory and C functions: what every native part of sys stands on. */

import { describe, expect, it } from 'vitest';
import { NativeArena } from '../../../sys/ffi/arena.ts';
import { library, libraryFailure } from '../../../sys/ffi/library.ts';
import { must } from '../../../sys/ffi/syscall.ts';

const native = library() !== null && process.platform === 'linux';
const why = native ? '' : ` (needs koffi on Linux: ${libraryFailure()})`;

describe.skipIf(!native)(`native memory${why}`, () => {
  const memcpy = library()?.symbol('memcpy', 'uintptr_t', ['uintptr_t', 'uintptr_t', 'uintptr_t']);

  it('is zeroed, and seen by C at the address it names', () => {
    const arena = NativeArena.map(100);
    expect(arena.bytes.length).toBe(4096);
    expect(arena.bytes.every((byte) => byte === 0)).toBe(true);
    arena.bytes.set([1, 2, 3, 4], 8);
    memcpy!(arena.address + 64, arena.address + 8, 4);
    expect([...arena.bytes.subarray(64, 68)]).toEqual([1, 2, 3, 4]);
    expect(arena.u32[16]).toBe(0x04030201);
  });

  it.skipIf(process.arch !== 'x64')('lies below 2 GiB (x86-64: MAP_32BIT)', () => {
    for (let i = 0; i < 20; i++) {
      const arena = NativeArena.map(1 << 20);
      expect(arena.address + arena.bytes.length).toBeLessThanOrEqual(2 ** 31);
      expect(arena.addressHigh).toBe(0);
    }
  });

  it('stores pointers as C reads them', () => {
    const arena = NativeArena.map(4096);
    arena.bytes[200] = 77;
    arena.setPointer(16, arena, 200);
    expect(Number(arena.view.getBigUint64(16, true))).toBe(arena.address + 200);
  });

  it('answers null for a function that this process does not have', () => {
    expect(library()!.symbol('no_such_function_here', 'int', [])).toBeNull();
  });

  it('throws what went wrong with its remedy when a call fails', () => {
    const close = library()!.symbol('close', 'int', ['int'])!;
    expect(() => must('close', () => close(-1))).toThrow(/^close: EBADF: .*closed/);
  });
});
