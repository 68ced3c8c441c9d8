/**
 * Native memory at a fixed address that JavaScript reads and writes through one set of views.
 *
 * Everything that the kernel or OpenSSL keeps a pointer to (message headers, buffers, keys) lives in an arena. Arenas lie
 * below 2 GiB where the system can, so that addresses are small integers: they pass through a foreign call without being
 * boxed, and a pointer is written as one word that changes and one that does not.
 */

import { library } from './library.ts';
import { mapPages, PAGE_BYTES, unmapPages } from './memory.ts';

const WORD_SPAN = 2 ** 32;

// An arena is unmapped when its last view is collected, never before: a closed socket whose batch is still held by
// somebody must not become a segmentation fault. (What a worker still holds when it ends is freed with the process.)
const unmapCollected = new FinalizationRegistry<{ address: number; bytes: number }>(({ address, bytes }) => {
  unmapPages(address, bytes);
});

/** A zeroed block of native memory. Lives until nobody holds it or one of its views. */
export class NativeArena {
  /** Of byte 0; below 2^31 where the system can. */
  readonly address: number;
  /** Low and high half of `address`, as a pointer is stored. The high half is the same for every byte of the arena. */
  readonly addressLow: number;
  readonly addressHigh: number;
  readonly bytes: Uint8Array;
  readonly u32: Uint32Array;
  /** The same words signed: moving words between `Int32Array`s never boxes a number. */
  readonly i32: Int32Array;
  readonly view: DataView;

  private constructor(address: number, size: number, buffer: ArrayBuffer) {
    this.address = address;
    this.addressLow = address % WORD_SPAN;
    this.addressHigh = Math.floor(address / WORD_SPAN);
    this.bytes = new Uint8Array(buffer, 0, size);
    this.u32 = new Uint32Array(buffer, 0, size >>> 2);
    this.i32 = new Int32Array(buffer, 0, size >>> 2);
    this.view = new DataView(buffer, 0, size);
  }

  /**
   * Maps at least `bytes` bytes, zeroed; pages cost nothing until touched.
   *
   * @throws SysError ENOMEM; ENOSYS where koffi cannot load
   */
  static map(bytes: number): NativeArena {
    const size = Math.max(PAGE_BYTES, (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
    const address = mapWithinWord(size);
    const buffer = library()!.view(address, size);
    unmapCollected.register(buffer, { address, bytes: size });
    return new NativeArena(address, size, buffer);
  }

  /** Writes the address of `target`'s byte `offset` as a C pointer at byte `at` (a multiple of 4). */
  setPointer(at: number, target: NativeArena, offset: number): void {
    this.u32[at >>> 2] = target.addressLow + offset;
    this.u32[(at >>> 2) + 1] = target.addressHigh;
  }
}

/** Maps `size` bytes that do not cross a multiple of 4 GiB, so that all their addresses share the high word. */
function mapWithinWord(size: number): number {
  const first = mapPages(size);
  if (Math.floor(first / WORD_SPAN) === Math.floor((first + size - 1) / WORD_SPAN)) return first;
  const second = mapPages(size); // beside the first, so it cannot cross too
  unmapPages(first, size);
  return second;
}
