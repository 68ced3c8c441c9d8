/**
 * Messages that have not been handed over yet: those that are put together from fragments, and those that wait for an
 * earlier one. Each lies in a block of the pool, and each is a number.
 *
 * Every message is in the list of its connection, so that closing gives everything back. An unreliable one is also in the
 * list of its stream, where its fragments find it, and in one list by age: the oldest are dropped when their time is over, and
 * when the pool has no room for another message.
 *
 * **Shares.** A connection gets another block while it holds no more with it than is free without it, unreliable messages left
 * out since they make room. So one that takes all it can leaves half of the memory, two leave a third, k leave a part of k + 1:
 * whoever holds nothing always finds some room. What is refused comes again.
 */

import { type BlockPool, grown } from '../block-pool.ts';
import { FRAGMENT_BYTES } from '../wire/frame-types.ts';
import type { Intake, MessageSink } from './intake.ts';

const NONE = -1;
const MESSAGES_AT_BIRTH = 64;

/** Came whole and waits. */
export const WHOLE = 0;
/** Comes in fragments that count against the connection's window. */
export const RELIABLE = 1;
/** Comes in fragments that nobody sends again. */
export const UNRELIABLE = 2;

/** Smallest block of the pool: what a connection holds is counted in these. */
const UNIT_BYTES = 64;
/** Fragments whose received bits fit a column; more take a block. */
const INLINE_BITS = 32;

export class HeldMessages {
  /** Messages held. */
  count = 0;
  /** Fragments that lie in them. */
  fragments = 0;
  /** By connection: sizes of the reliable messages that come in fragments, or wait after they came so. */
  readonly bytes: Float64Array;
  readonly pool: BlockPool;

  // Columns by message.
  connection: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  block: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  size: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  /** Fragments that have not come. */
  missing: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  /** Bits of the fragments that have come, when there are at most INLINE_BITS. */
  bits: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  /** The block with the bits of more fragments; -1: none. */
  bitsBlock: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  /** Full id, for kinds that compare ids. The kind writes it. */
  id: Float64Array = new Float64Array(MESSAGES_AT_BIRTH);
  startedAt: Float64Array = new Float64Array(MESSAGES_AT_BIRTH);
  #kind: Uint8Array = new Uint8Array(MESSAGES_AT_BIRTH);
  #stream: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  #low: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  /** Lists of connections, and of free numbers. */
  #next: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  #previous: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  /** The list by age. */
  #younger: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  #older: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);
  /** Lists of streams, the youngest first. */
  #streamNext: Int32Array = new Int32Array(MESSAGES_AT_BIRTH);

  readonly #intake: Intake;
  readonly #first: Int32Array;
  readonly #streamFirst: Int32Array;
  #oldest = NONE;
  #youngest = NONE;
  #free = NONE;
  #numbers = 0;
  /** What each connection holds of the pool with messages that cannot be dropped, in UNIT_BYTES. */
  readonly #units: Int32Array;
  /** Bytes of the pool that unreliable messages hold. */
  #droppableBytes = 0;

  /** @param unreliableStreams length of the column of streams that hold unreliable messages */
  constructor(intake: Intake, pool: BlockPool, unreliableStreams: number) {
    this.#intake = intake;
    this.pool = pool;
    this.bytes = new Float64Array(intake.connections);
    this.#units = new Int32Array(intake.connections);
    this.#first = new Int32Array(intake.connections).fill(NONE);
    this.#streamFirst = new Int32Array(unreliableStreams).fill(NONE);
  }

  /** A message of `size` bytes with room for them, and nothing received of it; -1: the pool is full, or the connection's share. */
  take(c: number, size: number, kind: number): number {
    const fragments = kind === WHOLE ? 0 : fragmentsOf(size);
    if (kind !== UNRELIABLE && !this.#mayHold(c, blockBytes(size))) return NONE;
    const block = this.#takeBlock(size);
    if (block === NONE) return NONE;
    let bitsBlock = NONE;
    if (fragments > INLINE_BITS) {
      const bytes = (fragments + 7) >> 3;
      bitsBlock = this.#takeBlock(bytes);
      if (bitsBlock === NONE) {
        this.pool.release(block);
        return NONE;
      }
      const at = this.pool.offsetOf(bitsBlock);
      this.pool.bytesOf(bitsBlock).fill(0, at, at + bytes);
    }
    const m = this.#number();
    this.connection[m] = c;
    this.block[m] = block;
    this.size[m] = size;
    this.missing[m] = fragments;
    this.bits[m] = 0;
    this.bitsBlock[m] = bitsBlock;
    this.#kind[m] = kind;
    if (kind !== UNRELIABLE) this.#units[c]! += this.#blockBytesOf(m) / UNIT_BYTES;
    const next = this.#first[c]!;
    this.#next[m] = next;
    this.#previous[m] = NONE;
    if (next !== NONE) this.#previous[next] = m;
    this.#first[c] = m;
    if (kind === RELIABLE) this.bytes[c]! += size;
    this.count++;
    return m;
  }

  /** Enters an unreliable message that was just taken into the lists of its stream and by age. */
  enlist(m: number, stream: number, low: number, now: number): void {
    this.#stream[m] = stream;
    this.#low[m] = low;
    this.startedAt[m] = now;
    this.#streamNext[m] = this.#streamFirst[stream]!;
    this.#streamFirst[stream] = m;
    this.#younger[m] = NONE;
    this.#older[m] = this.#youngest;
    if (this.#youngest === NONE) this.#oldest = m;
    else this.#younger[this.#youngest] = m;
    this.#youngest = m;
    this.#droppableBytes += this.#blockBytesOf(m);
  }

  /** The unreliable message that began first; -1: none. */
  get oldest(): number {
    return this.#oldest;
  }

  /** The youngest unreliable message of a stream, and the next older one; -1: none. */
  youngestOf(stream: number): number {
    return this.#streamFirst[stream]!;
  }

  olderOf(m: number): number {
    return this.#streamNext[m]!;
  }

  /** The unreliable message of a stream whose id ends in these 16 bits; -1: none. There are few (see Reassembler). */
  find(stream: number, low: number): number {
    let m = this.#streamFirst[stream]!;
    while (m !== NONE && this.#low[m] !== low) m = this.#streamNext[m]!;
    return m;
  }

  /** The fragments are all there: their bits are not needed any more. */
  complete(m: number): void {
    const block = this.bitsBlock[m]!;
    if (block === NONE) return;
    const bytes = this.pool.sizeOf(block);
    if (this.#kind[m] === UNRELIABLE) this.#droppableBytes -= bytes;
    else this.#units[this.connection[m]!]! -= bytes / UNIT_BYTES;
    this.bitsBlock[m] = NONE;
    this.pool.release(block);
  }

  /** Forgets a message and hands its bytes over. They are given back even when the sink throws. */
  handOver(m: number, channel: number, tag: number, sink: MessageSink): void {
    const { pool } = this;
    const c = this.connection[m]!;
    const block = this.block[m]!;
    const size = this.size[m]!;
    pool.retain(block);
    this.free(m);
    try {
      sink.message(c, channel, pool.bytesOf(block), pool.offsetOf(block), size, tag);
    } finally {
      pool.release(block);
    }
  }

  /** Forgets an unreliable message that will not be handed over. */
  drop(m: number): void {
    this.#intake.unreliableDropped++;
    this.free(m);
  }

  /** Forgets a message and gives back what it holds. */
  free(m: number): void {
    const kind = this.#kind[m]!;
    if (kind !== UNRELIABLE) this.#units[this.connection[m]!]! -= this.#blockBytesOf(m) / UNIT_BYTES;
    if (kind !== WHOLE) {
      this.fragments -= fragmentsOf(this.size[m]!) - this.missing[m]!;
      if (kind === RELIABLE) this.bytes[this.connection[m]!]! -= this.size[m]!;
      else this.#delist(m);
    }
    const next = this.#next[m]!;
    const previous = this.#previous[m]!;
    if (next !== NONE) this.#previous[next] = previous;
    if (previous === NONE) this.#first[this.connection[m]!] = next;
    else this.#next[previous] = next;
    this.pool.release(this.block[m]!);
    if (this.bitsBlock[m] !== NONE) this.pool.release(this.bitsBlock[m]!);
    this.#next[m] = this.#free;
    this.#free = m;
    this.count--;
  }

  /** Whether a connection holds any. */
  holds(c: number): boolean {
    return this.#first[c] !== NONE;
  }

  /** Forgets all messages of a connection. */
  freeAll(c: number): void {
    while (this.#first[c] !== NONE) this.free(this.#first[c]!);
  }

  #delist(m: number): void {
    this.#droppableBytes -= this.#blockBytesOf(m);
    const younger = this.#younger[m]!;
    const older = this.#older[m]!;
    if (younger === NONE) this.#youngest = older;
    else this.#older[younger] = older;
    if (older === NONE) this.#oldest = younger;
    else this.#younger[older] = younger;
    const stream = this.#stream[m]!;
    let at = this.#streamFirst[stream]!;
    if (at === m) {
      this.#streamFirst[stream] = this.#streamNext[m]!;
      return;
    }
    while (this.#streamNext[at] !== m) at = this.#streamNext[at]!;
    this.#streamNext[at] = this.#streamNext[m]!;
  }

  #blockBytesOf(m: number): number {
    const bitsBlock = this.bitsBlock[m]!;
    return this.pool.sizeOf(this.block[m]!) + (bitsBlock === NONE ? 0 : this.pool.sizeOf(bitsBlock));
  }

  /** Whether a connection's share has room for a block of so many bytes. The only connection may have all. */
  #mayHold(c: number, bytes: number): boolean {
    if (this.#units.length === 1) return true;
    const { pool } = this;
    return this.#units[c]! * UNIT_BYTES + bytes <= pool.bytesMax - pool.heldBytes + this.#droppableBytes;
  }

  /** A block, for which the oldest unreliable messages go when there is no other room. Not when that would not help. */
  #takeBlock(bytes: number): number {
    const { pool } = this;
    let block = pool.take(bytes);
    if (block !== NONE || pool.heldBytes - this.#droppableBytes + blockBytes(bytes) > pool.bytesMax) return block;
    while (block === NONE && this.#oldest !== NONE) {
      this.drop(this.#oldest);
      block = pool.take(bytes);
    }
    return block;
  }

  #number(): number {
    const m = this.#free;
    if (m !== NONE) {
      this.#free = this.#next[m]!;
      return m;
    }
    if (this.#numbers === this.block.length) this.#grow();
    return this.#numbers++;
  }

  #grow(): void {
    const count = this.#numbers * 2;
    this.connection = grown(this.connection, new Int32Array(count));
    this.block = grown(this.block, new Int32Array(count));
    this.size = grown(this.size, new Int32Array(count));
    this.missing = grown(this.missing, new Int32Array(count));
    this.bits = grown(this.bits, new Int32Array(count));
    this.bitsBlock = grown(this.bitsBlock, new Int32Array(count));
    this.id = grown(this.id, new Float64Array(count));
    this.startedAt = grown(this.startedAt, new Float64Array(count));
    this.#kind = grown(this.#kind, new Uint8Array(count));
    this.#stream = grown(this.#stream, new Int32Array(count));
    this.#low = grown(this.#low, new Int32Array(count));
    this.#next = grown(this.#next, new Int32Array(count));
    this.#previous = grown(this.#previous, new Int32Array(count));
    this.#younger = grown(this.#younger, new Int32Array(count));
    this.#older = grown(this.#older, new Int32Array(count));
    this.#streamNext = grown(this.#streamNext, new Int32Array(count));
  }
}

/** How many fragments a message of `size` bytes has. */
export function fragmentsOf(size: number): number {
  return Math.ceil(size / FRAGMENT_BYTES);
}

/** Bytes of the block that the pool takes for `bytes`. */
function blockBytes(bytes: number): number {
  return bytes <= UNIT_BYTES ? UNIT_BYTES : 2 ** (32 - Math.clz32(bytes - 1));
}
