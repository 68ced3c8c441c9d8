/**
 * The rings that AF_XDP shares with the kernel: one side produces descriptors, the other consumes them.
 *
 * The indexes count from 0 without end and wrap at 2^32; that lives here and nowhere else. They are read and written with
 * Atomics, once a batch: on ARM plain accesses would be wrong both ways, and V8 must not keep a copy. Descriptors are
 * plain words, since the index that publishes them is written after them.
 */

import { library } from '../ffi/library.ts';
import { XDP_RING_NEED_WAKEUP } from './abi.ts';

/** Where the parts of a ring lie in its mapping, in bytes (`struct xdp_ring_offset`). */
export interface RingOffsets {
  readonly producer: number;
  readonly consumer: number;
  readonly descriptors: number;
  readonly flags: number;
}

/** Words of a ring that is closed: reading them finds it empty, and nobody reaches memory that is unmapped. */
const NO_WORDS: Int32Array = new Int32Array(4);
const NO_OFFSETS: RingOffsets = { producer: 0, consumer: 4, descriptors: 8, flags: 12 };

/** What both sides have. */
class Ring {
  /** Descriptors are written to and read from these, at `wordOf(i)`. */
  words: Int32Array;
  readonly size: number;
  protected readonly mask: number;
  protected readonly descriptorWords: number;
  protected producerWord: number;
  protected consumerWord: number;
  protected flagsWord: number;
  protected descriptorsWord: number;

  /** @param size descriptors, a power of two */
  constructor(address: number, bytes: number, offsets: RingOffsets, size: number, descriptorBytes: number) {
    if (size < 1 || (size & (size - 1)) !== 0) throw new RangeError(`${size} descriptors are no power of two`);
    this.words = new Int32Array(library()!.view(address, bytes), 0, bytes >>> 2);
    this.size = size;
    this.mask = size - 1;
    this.descriptorWords = descriptorBytes >>> 2;
    this.producerWord = offsets.producer >>> 2;
    this.consumerWord = offsets.consumer >>> 2;
    this.flagsWord = offsets.flags >>> 2;
    this.descriptorsWord = offsets.descriptors >>> 2;
  }

  /** Whether the kernel asks for a call to go on: to look at what was submitted, or at new frames. */
  get needsWakeup(): boolean {
    return (Atomics.load(this.words, this.flagsWord) & XDP_RING_NEED_WAKEUP) !== 0;
  }

  /** Lets go of the memory, which is about to be unmapped. */
  detach(): void {
    this.words = NO_WORDS;
    this.producerWord = NO_OFFSETS.producer >>> 2;
    this.consumerWord = NO_OFFSETS.consumer >>> 2;
    this.descriptorsWord = NO_OFFSETS.descriptors >>> 2;
    this.flagsWord = NO_OFFSETS.flags >>> 2;
  }
}

/** A ring that we fill and the kernel empties: of frames to receive into, of frames to send. */
export class ProducerRing extends Ring {
  /** Next descriptor to be written, and what the kernel had consumed when we last looked. */
  private next = 0;
  private consumed = 0;

  /** How many descriptors there is room for, up to `wanted`: they are `wordOf(0)` and on. */
  reserve(wanted: number): number {
    let room = (this.size - ((this.next - this.consumed) | 0)) | 0;
    if (room < wanted) {
      this.consumed = Atomics.load(this.words, this.consumerWord);
      room = (this.size - ((this.next - this.consumed) | 0)) | 0;
    }
    return room < wanted ? room : wanted;
  }

  /** The word at which reserved descriptor `i` starts. */
  wordOf(i: number): number {
    return this.descriptorsWord + ((this.next + i) & this.mask) * this.descriptorWords;
  }

  /** Hands the first `count` reserved descriptors to the kernel. */
  submit(count: number): void {
    this.next = (this.next + count) | 0;
    Atomics.store(this.words, this.producerWord, this.next);
  }

  /** Descriptors that were submitted and that the kernel has not taken. */
  get pending(): number {
    this.consumed = Atomics.load(this.words, this.consumerWord);
    return (this.next - this.consumed) | 0;
  }

  /**
   * Takes back the last `count` submitted descriptors. Only where the kernel consumes in our calls alone, which have
   * returned: in copy mode.
   */
  retract(count: number): void {
    this.next = (this.next - count) | 0;
    Atomics.store(this.words, this.producerWord, this.next);
  }
}

/** A ring that the kernel fills and we empty: of frames received, of frames sent. */
export class ConsumerRing extends Ring {
  private next = 0;
  private produced = 0;

  /** How many descriptors are there, up to `wanted`: they are `wordOf(0)` and on. */
  peek(wanted: number): number {
    let there = (this.produced - this.next) | 0;
    if (there < wanted) {
      this.produced = Atomics.load(this.words, this.producerWord);
      there = (this.produced - this.next) | 0;
    }
    return there < wanted ? there : wanted;
  }

  /** The word at which descriptor `i` of those seen starts. */
  wordOf(i: number): number {
    return this.descriptorsWord + ((this.next + i) & this.mask) * this.descriptorWords;
  }

  /** Gives the first `count` descriptors back. */
  release(count: number): void {
    this.next = (this.next + count) | 0;
    Atomics.store(this.words, this.consumerWord, this.next);
  }
}
