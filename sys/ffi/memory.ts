/**
 * Zeroed pages from the system, below 2 GiB where it can: mmap on Linux, macOS and BSD, VirtualAlloc on Windows.
 *
 * Where the system cannot be told "below 2 GiB" (MAP_32BIT), it is asked for one address after another.
 */

import { sysError } from '../errno.ts';
import { library } from './library.ts';

/** Address and size of what is mapped are multiples of this; on Windows addresses are of 64 KiB. */
export const PAGE_BYTES = 4096;

const PROT_READ_WRITE = 3;
const MAP_PRIVATE = 2;
/** MAP_ANONYMOUS (mmap(2)): Linux; 0x1000 on macOS and every BSD. */
const MAP_ANONYMOUS: number = process.platform === 'linux' ? 0x20 : 0x1000;
/** The first 2 GiB (mmap(2)): on Linux x86 only, and under another number on FreeBSD. */
const MAP_32BIT: number =
  process.arch !== 'x64' ? 0 : process.platform === 'linux' ? 0x40 : process.platform === 'freebsd' ? 0x8_0000 : 0;
const MAP_FAILED_ABOVE = 2 ** 52; // MAP_FAILED is 2^64 - 1; no user address is this high

const MEM_COMMIT_RESERVE = 0x3000; // VirtualAlloc (memoryapi.h)
const MEM_RELEASE = 0x8000;
const PAGE_READWRITE = 4;
/** What VirtualAlloc rounds addresses to. */
const GRANULE_BYTES = 65_536;

/** Where pages are asked for on machines without MAP_32BIT: above what is usually mapped, below 2 GiB. */
const HINT_FIRST = 0x2000_0000;
const HINT_LAST = 0x7000_0000;
/** Taken places that are passed over before we take what there is; the step doubles, so 14 cross all of the range. */
const HINTS_MAX = 14;

interface Pages {
  /** Returns the address, or a number above MAP_FAILED_ABOVE. */
  map(hint: number, bytes: number, low: boolean): number | bigint;
  unmap(address: number, bytes: number): void;
}

let pages: Pages | null = null;
let nextHint = HINT_FIRST;

/**
 * Maps `bytes` bytes (a multiple of PAGE_BYTES) and returns their address.
 *
 * @throws SysError ENOMEM; ENOSYS where koffi cannot load
 */
export function mapPages(bytes: number): number {
  pages ??= process.platform === 'win32' ? windowsPages() : posixPages();
  let address: number | bigint;
  if (MAP_32BIT !== 0) {
    address = pages.map(0, bytes, true);
    if (address <= MAP_FAILED_ABOVE) return Number(address);
  } else {
    let step = Math.ceil(bytes / GRANULE_BYTES) * GRANULE_BYTES;
    for (let tries = 0; tries < HINTS_MAX && nextHint + bytes < HINT_LAST; tries++) {
      address = pages.map(nextHint, bytes, false);
      nextHint += step;
      step *= 2;
      if (address <= MAP_FAILED_ABOVE) return Number(address);
    }
  }
  address = pages.map(0, bytes, false);
  if (address > MAP_FAILED_ABOVE) throw sysError('ENOMEM', 'mmap', `${bytes} bytes`);
  return Number(address);
}

/** Gives back what `mapPages` gave. */
export function unmapPages(address: number, bytes: number): void {
  pages!.unmap(address, bytes);
}

function posixPages(): Pages {
  const c = library();
  const mmap = c?.symbol<
    (at: number, bytes: number, protection: number, flags: number, fd: number, offset: number) => number
  >('mmap', 'uintptr_t', ['uintptr_t', 'uintptr_t', 'int', 'int', 'int', 'int64_t']);
  const munmap = c?.symbol<(address: number, bytes: number) => number>('munmap', 'int', ['uintptr_t', 'uintptr_t']);
  if (!mmap || !munmap) throw sysError('ENOSYS', 'mmap', 'native memory');
  return {
    map: (hint, bytes, low) =>
      mmap(hint, bytes, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (low ? MAP_32BIT : 0), -1, 0),
    unmap: (address, bytes) => void munmap(address, bytes),
  };
}

function windowsPages(): Pages {
  const c = library();
  const alloc = c?.symbol<(at: number, bytes: number, type: number, protection: number) => number>(
    'VirtualAlloc',
    'uintptr_t',
    ['uintptr_t', 'uintptr_t', 'unsigned int', 'unsigned int'],
  );
  const free = c?.symbol<(address: number, bytes: number, type: number) => number>('VirtualFree', 'int', [
    'uintptr_t',
    'uintptr_t',
    'unsigned int',
  ]);
  if (!alloc || !free) throw sysError('ENOSYS', 'VirtualAlloc', 'native memory');
  return {
    // 0 where the place is taken, or there is no memory.
    map: (hint, bytes) => alloc(hint, bytes, MEM_COMMIT_RESERVE, PAGE_READWRITE) || Number.POSITIVE_INFINITY,
    unmap: (address) => void free(address, 0, MEM_RELEASE),
  };
}
