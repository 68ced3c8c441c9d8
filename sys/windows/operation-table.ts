/**
 * The structs of overlapped operations in native memory, linked once: an OVERLAPPED, a WSABUF, and an address each.
 *
 * Everything is addressed as signed 32-bit words. The status word is read and written with Atomics: the kernel writes it
 * last, after bytes, address and count.
 */

import { NativeArena } from '../ffi/arena.ts';
import { SOCKADDR_IN6_BYTES, SOCKADDR_ROOM_BYTES } from '../posix/sockaddr.ts';
import { Overlapped, STATUS_PENDING, Wsabuf } from './abi.ts';

const BUFFER_AT: number = Overlapped.SIZE;
const NAME_AT: number = BUFFER_AT + Wsabuf.SIZE;
const NAME_BYTES_AT: number = NAME_AT + SOCKADDR_ROOM_BYTES;
const FLAGS_AT: number = NAME_BYTES_AT + 4;
/** A multiple of 16, which is what the system wants of an OVERLAPPED. */
const OPERATION_BYTES: number = Math.ceil((FLAGS_AT + 4) / 16) * 16;
const OPERATION_WORDS: number = OPERATION_BYTES / 4;

/** `count` linked operations. */
export class OperationTable {
  readonly words: Int32Array;
  private readonly arena: NativeArena;

  constructor(count: number) {
    this.arena = NativeArena.map(count * OPERATION_BYTES);
    this.words = this.arena.i32;
  }

  /** Points operation `i` at byte `offset` of `buffers`. */
  setBuffer(i: number, buffers: NativeArena, offset: number, bytes: number): void {
    const at = i * OPERATION_BYTES + BUFFER_AT;
    this.arena.setPointer(at + Wsabuf.base, buffers, offset);
    this.setBufferBytes(i, bytes);
  }

  setBufferBytes(i: number, bytes: number): void {
    this.words[i * OPERATION_WORDS + (BUFFER_AT + Wsabuf.bytes) / 4] = bytes;
  }

  /** Makes operation `i` ready to be handed to the kernel: pending, with room for an address. */
  start(i: number): void {
    const at = i * OPERATION_WORDS;
    this.words[at + NAME_BYTES_AT / 4] = SOCKADDR_IN6_BYTES;
    this.words[at + FLAGS_AT / 4] = 0;
    this.setStatus(i, STATUS_PENDING);
  }

  /** The NTSTATUS of operation `i`, signed; STATUS_PENDING while the kernel has it. */
  status(i: number): number {
    return Atomics.load(this.words, i * OPERATION_WORDS + Overlapped.status / 4);
  }

  setStatus(i: number, status: number): void {
    Atomics.store(this.words, i * OPERATION_WORDS + Overlapped.status / 4, status);
  }

  /** Bytes that operation `i` has moved. */
  transferred(i: number): number {
    return this.words[i * OPERATION_WORDS + Overlapped.transferred / 4]!;
  }

  /** Word at which the address of operation `i` starts. */
  nameWord(i: number): number {
    return i * OPERATION_WORDS + NAME_AT / 4;
  }

  overlapped(i: number): number {
    return this.arena.address + i * OPERATION_BYTES;
  }
  buffer(i: number): number {
    return this.arena.address + i * OPERATION_BYTES + BUFFER_AT;
  }
  name(i: number): number {
    return this.arena.address + i * OPERATION_BYTES + NAME_AT;
  }
  nameBytes(i: number): number {
    return this.arena.address + i * OPERATION_BYTES + NAME_BYTES_AT;
  }
  flags(i: number): number {
    return this.arena.address + i * OPERATION_BYTES + FLAGS_AT;
  }
}
