/**
 * The memory of a ring, shared with the kernel.
 *
 * When the ring is closed, its pages are replaced by empty ones in place: the kernel lets go of the socket at once, and
 * whoever still holds a view of the memory reads zeros in place of ending the process. The addresses are given back when
 * the last view is collected.
 */

import { sysError } from '../errno.ts';
import { library } from '../ffi/library.ts';
import { MAP_32BIT, MAP_PRIVATE_ANONYMOUS_FIXED, MAP_SHARED, PROT_READ_WRITE } from './abi.ts';
import { ringCalls } from './calls.ts';

/** MAP_FAILED is 2^64 - 1; no user address is this high. */
const MAP_FAILED_ABOVE = 2 ** 52;

const unmapCollected = new FinalizationRegistry<{ address: number; bytes: number }>(({ address, bytes }) => {
  ringCalls().munmap(address, bytes);
});

export class RingMemory {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** The same words signed: no number is boxed. */
  readonly words: Int32Array;

  /** @throws SysError ENOMEM */
  constructor(fd: number, size: number) {
    const flags = MAP_SHARED | (process.arch === 'x64' ? MAP_32BIT : 0);
    let address = ringCalls().mmap(0, size, PROT_READ_WRITE, flags, fd, 0);
    if (address > MAP_FAILED_ABOVE) address = ringCalls().mmap(0, size, PROT_READ_WRITE, MAP_SHARED, fd, 0);
    if (address > MAP_FAILED_ABOVE) throw sysError('ENOMEM', 'mmap', `${size} bytes of a packet ring`);
    this.address = Number(address);
    const buffer = library()!.view(this.address, size);
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    unmapCollected.register(buffer, { address: this.address, bytes: size });
  }

  /** Gives the pages back to the kernel. What is read afterwards is zero. */
  release(): void {
    ringCalls().mmap(this.address, this.bytes.length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_FIXED, -1, 0);
  }
}
