/**
 * Writes frames of a ring to a pcapng file from where they lie: writev(2) takes each from the ring's own memory, so that
 * this process copies none.
 *
 * An enhanced packet block is 28 bytes of header, the frame, up to 3 zeros and 4 bytes of length. What lies between two
 * frames (the end of one block, the header of the next) is one piece of `glue`: so n frames are 2n + 1 pieces.
 *
 * Every call of writev writes whole blocks. Where one fails, the file is cut after the last whole block.
 */

import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { SysError } from '../api.ts';
import { errnoName, errnoOf } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { lastErrno } from '../ffi/syscall.ts';
import { Iovec } from '../linux/abi.ts';
import {
  ENHANCED_PACKET,
  interfaceDescription,
  LINKTYPE_ETHERNET,
  NANOSECONDS,
  sectionHeader,
} from '../pcapng/blocks.ts';
import { NanosecondWords } from '../pcapng/time.ts';
import { ringCalls } from './calls.ts';

/** Frames of one writev: their pieces must not be more than IOV_MAX, 1,024. */
const FRAMES_MAX = 511;
/** Zeros, the length that ends a block, the seven words of a block's header, and one to spare. */
const GLUE_WORDS = 10;
const END_WORD = 1;
const HEADER_WORD = 2;
const HEADER_BYTES = 28;
/** A block without its frame: header and the length at its end. */
const FRAMELESS_BYTES = 32;
const IOVEC_WORDS: number = Iovec.SIZE >> 2;
const WORD_SPAN = 2 ** 32;
const EINTR: number = errnoOf('EINTR');
const EAGAIN: number = errnoOf('EAGAIN');

export class FrameFile {
  readonly file: string;
  /** Frames and bytes in the file. */
  frames = 0;
  bytes = 0;

  readonly #fd: number;
  readonly #isRegular: boolean;
  readonly #glue: NativeArena = NativeArena.map((FRAMES_MAX + 1) * GLUE_WORDS * 4);
  readonly #pieces: NativeArena = NativeArena.map((2 * FRAMES_MAX + 1) * Iovec.SIZE);
  /** Word of the ring's address. */
  readonly #low: number;
  readonly #high: number;
  readonly #time: NanosecondWords = new NanosecondWords();
  #waiting = 0;
  #waitingBytes = 0;
  /** Zeros that the frame before needs, and the length of its block. */
  #gap = 0;
  #blockBytes = 0;
  #isOpen = true;

  /**
   * Makes the file and writes its head: one interface, Ethernet, nanoseconds.
   *
   * @param memoryAddress of byte 0 of the memory that frames lie in, which must not cross a multiple of 4 GiB
   */
  constructor(file: string, interfaceName: string, filterText: string, memoryAddress: number) {
    this.file = file;
    this.#low = memoryAddress % WORD_SPAN;
    this.#high = Math.floor(memoryAddress / WORD_SPAN);
    this.#fd = openSync(file, 'w');
    this.#isRegular = fstatSync(this.#fd).isFile();
    const about = filterText === '' ? 'all frames' : `filter: ${filterText}`;
    const head = Buffer.concat([
      sectionHeader('tickwire sniff'),
      interfaceDescription(LINKTYPE_ETHERNET, interfaceName, about, NANOSECONDS),
    ]);
    try {
      this.bytes = writeSync(this.#fd, head);
    } catch (error) {
      closeSync(this.#fd);
      throw fileError((error as NodeJS.ErrnoException).code ?? 'EIO', file);
    }
  }

  /**
   * Appends the frame at `offset .. end` of the memory, which must stay as it is until `flush()`.
   *
   * @param seconds since 1970, 32 bits
   */
  append(offset: number, end: number, wireBytes: number, seconds: number, nanoseconds: number): void {
    if (this.#waiting === FRAMES_MAX) this.flush();
    const number = this.#waiting++;
    const kept = end - offset;
    const gap = -kept & 3;
    const blockBytes = FRAMELESS_BYTES + kept + gap;
    const glue = this.#glue.i32;
    const at = number * GLUE_WORDS;
    this.#endBlock(at);
    glue[at + HEADER_WORD] = ENHANCED_PACKET;
    glue[at + HEADER_WORD + 1] = blockBytes;
    glue[at + HEADER_WORD + 2] = 0; // the only interface
    this.#time.set(seconds, nanoseconds);
    glue[at + HEADER_WORD + 3] = this.#time.high;
    glue[at + HEADER_WORD + 4] = this.#time.low;
    glue[at + HEADER_WORD + 5] = kept;
    glue[at + HEADER_WORD + 6] = wireBytes;
    const skipped = number === 0 ? 8 : 4 - this.#gap;
    this.#piece(
      2 * number,
      this.#glue.addressLow + at * 4 + skipped,
      this.#glue.addressHigh,
      8 - skipped + HEADER_BYTES,
    );
    this.#piece(2 * number + 1, this.#low + offset, this.#high, kept);
    this.#gap = gap;
    this.#blockBytes = blockBytes;
    this.#waitingBytes += blockBytes;
  }

  /**
   * Writes what waits.
   *
   * @throws SysError ENOSPC and the like; the file then ends with its last whole block
   */
  flush(): void {
    const frames = this.#waiting;
    if (frames === 0) return;
    const at = frames * GLUE_WORDS;
    this.#endBlock(at);
    const skipped = 4 - this.#gap;
    this.#piece(2 * frames, this.#glue.addressLow + at * 4 + skipped, this.#glue.addressHigh, 8 - skipped);
    this.#waiting = 0;
    const bytes = this.#waitingBytes;
    this.#waitingBytes = 0;
    this.#gap = 0;
    this.#writeAll(2 * frames + 1, bytes);
    this.frames += frames;
    this.bytes += bytes;
  }

  /** Writes what waits and closes the file. */
  close(): void {
    if (!this.#isOpen) return;
    try {
      this.flush();
    } finally {
      this.#isOpen = false;
      closeSync(this.#fd);
    }
  }

  /** Puts the end of the block before into the glue: up to three zeros of word 0, and its length. */
  #endBlock(at: number): void {
    this.#glue.i32[at + END_WORD] = this.#blockBytes;
  }

  #piece(number: number, low: number, high: number, bytes: number): void {
    const { u32 } = this.#pieces;
    const at = number * IOVEC_WORDS;
    u32[at] = low;
    u32[at + 1] = high;
    u32[at + 2] = bytes;
  }

  #writeAll(pieces: number, bytes: number): void {
    let first = 0;
    let left = bytes;
    while (left > 0) {
      const written = ringCalls().writev(this.#fd, this.#pieces.address + first * Iovec.SIZE, pieces - first);
      if (written === left) return;
      if (written < 0) {
        const errno = lastErrno();
        if (errno === EINTR || errno === EAGAIN) continue; // a pipe that is full: its reader is slow
        this.#cut();
        throw fileError(errnoName(errno), this.file);
      }
      left -= written;
      first = this.#skip(first, written);
    }
  }

  /** Takes `written` bytes off the pieces from `first` on; returns the first that is left. */
  #skip(first: number, written: number): number {
    const { u32 } = this.#pieces;
    let number = first;
    let left = written;
    while (left >= u32[number * IOVEC_WORDS + 2]!) left -= u32[number++ * IOVEC_WORDS + 2]!;
    u32[number * IOVEC_WORDS]! += left;
    u32[number * IOVEC_WORDS + 2]! -= left;
    return number;
  }

  #cut(): void {
    if (this.#isRegular) ftruncateSync(this.#fd, this.bytes);
  }
}

function fileError(code: string, file: string): SysError {
  return new SysError(code, 'write', `${file}: ${REMEDIES[code] ?? 'it cannot be written'}`);
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some, or write elsewhere; what was captured before is whole',
  EDQUOT: 'the quota is used up: free some, or write elsewhere; what was captured before is whole',
  EFBIG: 'the file is as large as the system lets it be; what was captured before is whole',
  EPIPE: 'whoever read it has gone',
};
