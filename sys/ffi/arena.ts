/**
 * Native memory at a fixed address that JavaScript reads and writes through one set of views.
 *
 * Everything that the kernel or OpenSSL keeps a pointer to (message headers, buffers, keys) lives in an arena. Arenas lie
 * below 2 GiB where the system can, so that addresses are small integers: they pass through a foreign call without being
 * boxed, and a pointer is written as one word that changes and one that does not.
 */

import { sysError } from '../errno.ts';
import { library } from './library.ts';

const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_32BIT = 0x40; // x86 only (mmap(2)): the first 2 GiB
const MAP_FAILED_ABOVE = 2 ** 52; // MAP_FAILED is 2^64 - 1; no user address is this high
const PAGE_BYTES = 4096;
const WORD_SPAN = 2 ** 32;
/** Where arenas are asked for on machines without MAP_32BIT: above what is usually mapped, below 2 GiB. */
const HINT_FIRST = 0x2000_0000;
const HINT_LAST = 0x7000_0000;

interface MemoryCalls {
  mmap(address: number, bytes: number, protection: number, flags: number, fd: number, offset: number): number | bigint;
  munmap(address: number, bytes: number): number;
}

let calls: MemoryCalls | null = null;
let nextHint = HINT_FIRST;

// An arena is unmapped when its last view is collected, never before: a closed socket whose batch is still held by
// somebody must not become a segmentation fault. (What a worker still holds when it ends is freed with the process.)
const unmapCollected = new FinalizationRegistry<{ address: number; bytes: number }>(({ address, bytes }) => {
  memoryCalls().munmap(address, bytes);
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
  const first = mapAnywhere(size);
  if (Math.floor(first / WORD_SPAN) === Math.floor((first + size - 1) / WORD_SPAN)) return first;
  const second = mapAnywhere(size); // beside the first, so it cannot cross too
  memoryCalls().munmap(first, size);
  return second;
}

function mapAnywhere(size: number): number {
  const { mmap } = memoryCalls();
  let address: number | bigint;
  if (process.arch === 'x64') {
    address = mmap(0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS | MAP_32BIT, -1, 0);
    if (address <= MAP_FAILED_ABOVE) return Number(address);
  } else if (nextHint + size < HINT_LAST) {
    address = mmap(nextHint, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    nextHint += size;
    if (address <= MAP_FAILED_ABOVE) return Number(address);
  }
  address = mmap(0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  if (address > MAP_FAILED_ABOVE) throw sysError('ENOMEM', 'mmap', `${size} bytes`);
  return Number(address);
}

function memoryCalls(): MemoryCalls {
  if (calls === null) {
    const c = library();
    const mmap = c?.symbol<MemoryCalls['mmap'] & (() => number)>('mmap', 'uintptr_t', [
      'uintptr_t',
      'uintptr_t',
      'int',
      'int',
      'int',
      'int64_t',
    ]);
    const munmap = c?.symbol<MemoryCalls['munmap']>('munmap', 'int', ['uintptr_t', 'uintptr_t']);
    if (!mmap || !munmap) throw sysError('ENOSYS', 'mmap', 'native memory');
    calls = { mmap, munmap };
  }
  return calls;
}
