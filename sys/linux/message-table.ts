/**
 * The messages of recvmmsg and sendmmsg in native memory, linked once: each header points to its address, its part of the
 * buffers and its control data for ever. Afterwards only lengths change, and where a datagram starts.
 *
 * Everything is addressed as 32-bit words; the constants are word distances inside one structure.
 */

import { NativeArena } from '../ffi/arena.ts';
import { SOCKADDR_ROOM_BYTES } from '../posix/sockaddr.ts';
import { Iovec, MESSAGES_MAX, Mmsghdr } from './abi.ts';

export const MESSAGE_WORDS: number = Mmsghdr.SIZE / 4;
export const NAME_BYTES_WORD: number = Mmsghdr.nameBytes / 4;
export const IOV_WORD: number = Mmsghdr.iov / 4;
export const IOV_COUNT_WORD: number = Mmsghdr.iovCount / 4;
export const CONTROL_BYTES_WORD: number = Mmsghdr.controlBytes / 4;
export const FLAGS_WORD: number = Mmsghdr.flags / 4;
export const TRANSFERRED_WORD: number = Mmsghdr.transferred / 4;
export const IOVEC_WORDS: number = Iovec.SIZE / 4;
export const IOVEC_BYTES_WORD: number = Iovec.bytes / 4;
export const NAME_WORDS: number = SOCKADDR_ROOM_BYTES / 4;

/** `count` linked messages: headers, one iovec and one address each, and control data if asked for. */
export class MessageTable {
  readonly count: number;
  readonly arena: NativeArena;
  readonly words: Int32Array;
  /** Word at which the iovecs, addresses and control blocks start; headers start at word 0. */
  readonly iovecAt: number;
  readonly nameAt: number;
  readonly controlAt: number;
  readonly controlWords: number;

  /**
   * @param count 1 .. 1,024: what one call takes
   * @param controlBytes room for control data of each message, a multiple of 8; 0 for none
   */
  constructor(count: number, controlBytes: number) {
    if (!(count >= 1 && count <= MESSAGES_MAX))
      throw new RangeError(`${count} messages are not in 1 .. ${MESSAGES_MAX}`);
    this.count = count;
    this.controlWords = controlBytes / 4;
    this.iovecAt = count * MESSAGE_WORDS;
    this.nameAt = this.iovecAt + count * IOVEC_WORDS;
    this.controlAt = this.nameAt + count * NAME_WORDS;
    this.arena = NativeArena.map((this.controlAt + count * this.controlWords) * 4);
    this.words = this.arena.i32;
    for (let i = 0; i < count; i++) this.link(i);
  }

  /** Points iovec `i` at byte `offset` of `buffers`, `bytes` long. */
  setBuffer(i: number, buffers: NativeArena, offset: number, bytes: number): void {
    const iovec = this.iovecAt + i * IOVEC_WORDS;
    this.arena.setPointer(iovec * 4, buffers, offset);
    this.words[iovec + IOVEC_BYTES_WORD] = bytes;
  }

  /** Address of header `i`. */
  address(i: number): number {
    return this.arena.address + i * Mmsghdr.SIZE;
  }

  private link(i: number): void {
    const header = i * Mmsghdr.SIZE;
    this.arena.setPointer(header + Mmsghdr.name, this.arena, (this.nameAt + i * NAME_WORDS) * 4);
    this.arena.setPointer(header + Mmsghdr.iov, this.arena, (this.iovecAt + i * IOVEC_WORDS) * 4);
    this.words[i * MESSAGE_WORDS + IOV_COUNT_WORD] = 1;
    if (this.controlWords > 0) {
      this.arena.setPointer(header + Mmsghdr.control, this.arena, (this.controlAt + i * this.controlWords) * 4);
    }
  }
}
