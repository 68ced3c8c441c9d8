/**
 * Messages of more than a packet on their way out: which of their fragments are to be sent, and which have arrived.
 *
 * A row for each; two bits a fragment, in a block of the message pool: *pending* (to be sent: at first all, again when lost) and
 * *acked*. A fragment is counted once however often it is acked.
 */

import { type BlockPool, grown } from '../block-pool.ts';
import { FRAGMENT_BYTES } from '../wire/frame-types.ts';

const ROWS_AT_BIRTH = 16;

export class LargeMessages {
  /** Fragments in all, to be sent, arrived; lost and not sent again (unreliable). */
  count: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  pending: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  acked: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  lost: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  readonly #pool: BlockPool;
  /** Where the two bitmaps lie: pending, then acked. */
  #bits: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  /** No fragment below is pending. */
  #from: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  readonly #free: number[] = [];
  #rows = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  /** A row for a message of `length` bytes, all its fragments pending; -1 when the pool is full. */
  open(length: number): number {
    const count = Math.ceil(length / FRAGMENT_BYTES);
    const mapBytes = (count + 7) >> 3;
    const bits = this.#pool.take(mapBytes * 2);
    if (bits < 0) return -1;
    const row = this.#free.pop() ?? this.#newRow();
    const bytes = this.#pool.bytesOf(bits);
    const at = this.#pool.offsetOf(bits);
    bytes.fill(0xff, at, at + mapBytes);
    if ((count & 7) !== 0) bytes[at + mapBytes - 1] = (1 << (count & 7)) - 1;
    bytes.fill(0, at + mapBytes, at + mapBytes * 2);
    this.#bits[row] = bits;
    this.#from[row] = 0;
    this.count[row] = count;
    this.pending[row] = count;
    this.acked[row] = 0;
    this.lost[row] = 0;
    return row;
  }

  close(row: number): void {
    this.#pool.release(this.#bits[row]!);
    this.#free.push(row);
  }

  /** The lowest pending fragment; only while `pending` > 0. It stays pending until `sent`. */
  nextPending(row: number): number {
    const bytes = this.#pool.bytesOf(this.#bits[row]!);
    const at = this.#pool.offsetOf(this.#bits[row]!);
    let byte = this.#from[row]! >> 3;
    while (bytes[at + byte] === 0) byte++;
    const bits = bytes[at + byte]!;
    const fragment = (byte << 3) + 31 - Math.clz32(bits & -bits);
    this.#from[row] = fragment;
    return fragment;
  }

  /** A pending fragment has been put into a packet. */
  sent(row: number, fragment: number): void {
    const at = this.#pool.offsetOf(this.#bits[row]!) + (fragment >> 3);
    this.#pool.bytesOf(this.#bits[row]!)[at]! &= ~(1 << (fragment & 7));
    this.pending[row] = this.pending[row]! - 1;
  }

  /** Its packet arrived: true when it is the first time that this fragment did. */
  onAcked(row: number, fragment: number): boolean {
    const bytes = this.#pool.bytesOf(this.#bits[row]!);
    const at = this.#pool.offsetOf(this.#bits[row]!) + (fragment >> 3);
    const bit = 1 << (fragment & 7);
    const ackedAt = at + ((this.count[row]! + 7) >> 3);
    if ((bytes[ackedAt]! & bit) !== 0) return false;
    bytes[ackedAt] = bytes[ackedAt]! | bit;
    this.acked[row] = this.acked[row]! + 1;
    if ((bytes[at]! & bit) !== 0) {
      // It was declared lost and is to be sent again, but has arrived after all.
      bytes[at] = bytes[at]! & ~bit;
      this.pending[row] = this.pending[row]! - 1;
    }
    return true;
  }

  /** Its packet was lost: pending again unless it has arrived in another. True when it is pending now. */
  onLost(row: number, fragment: number): boolean {
    const bytes = this.#pool.bytesOf(this.#bits[row]!);
    const at = this.#pool.offsetOf(this.#bits[row]!) + (fragment >> 3);
    const bit = 1 << (fragment & 7);
    if ((bytes[at + ((this.count[row]! + 7) >> 3)]! & bit) !== 0 || (bytes[at]! & bit) !== 0) return false;
    bytes[at] = bytes[at]! | bit;
    this.pending[row] = this.pending[row]! + 1;
    if (fragment < this.#from[row]!) this.#from[row] = fragment;
    return true;
  }

  /** The lowest fragment that has not arrived; only while `acked` < `count`. */
  firstUnacked(row: number): number {
    const bytes = this.#pool.bytesOf(this.#bits[row]!);
    const at = this.#pool.offsetOf(this.#bits[row]!) + ((this.count[row]! + 7) >> 3);
    let byte = 0;
    while (bytes[at + byte] === 0xff) byte++;
    const missing = ~bytes[at + byte]! & 0xff;
    return (byte << 3) + 31 - Math.clz32(missing & -missing);
  }

  #newRow(): number {
    if (this.#rows === this.count.length) {
      const rows = this.#rows * 2;
      this.count = grown(this.count, new Int32Array(rows));
      this.pending = grown(this.pending, new Int32Array(rows));
      this.acked = grown(this.acked, new Int32Array(rows));
      this.lost = grown(this.lost, new Int32Array(rows));
      this.#bits = grown(this.#bits, new Int32Array(rows));
      this.#from = grown(this.#from, new Int32Array(rows));
    }
    return this.#rows++;
  }
}
