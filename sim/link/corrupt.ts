/**
 * Corruption: datagrams whose checksum was right and whose bytes are not, as a faulty router's memory or a stranger makes.
 *
 * What is done to packet n is chance with an address, except for what a splice puts in: the last packet that was damaged
 * otherwise on this direction, which depends on what was sent.
 */

import {
  type Chance,
  LANE_CORRUPT,
  LANE_CORRUPT_AMOUNT,
  LANE_CORRUPT_BYTES,
  LANE_CORRUPT_KIND,
  thresholdOf,
} from './chance.ts';
import type { DirectionFates } from './fates.ts';
import { checkProbability } from './option-checks.ts';

/** What is done to a datagram. */
export type CorruptKind =
  /** One to eight bits in a row are turned. */
  | 'flip'
  /** The end is missing: one byte up to all of them. */
  | 'truncate'
  /** One to sixteen bytes of chance more. */
  | 'extend'
  /** From its second byte or a later one on, an earlier datagram begins. */
  | 'splice';

export const CORRUPT_KINDS: readonly CorruptKind[] = ['flip', 'truncate', 'extend', 'splice'];
/** The answer of `kind` for a packet that is left as it is; else the place in CORRUPT_KINDS. */
export const INTACT = -1;
const TRUNCATE = 1;
const EXTEND = 2;
const SPLICE = 3;
const FLIPS_MAX = 8;
/** As many as an authentication tag has. */
export const EXTENSION_BYTES_MAX = 16;
/** The most of a datagram that is kept for splices; games send less. */
const KEPT_BYTES = 2_048;

/** Damage on one direction. */
export class Corrupt {
  readonly #chance: Chance;
  #threshold = 0;
  #kinds: Uint8Array = new Uint8Array(0);
  /** The last packet that was damaged otherwise, as it was before. */
  #kept: Uint8Array = new Uint8Array(0);
  #keptLength = 0;
  #fates: DirectionFates | null = null;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Options are checked. */
  configure(probability: number, kinds: readonly CorruptKind[]): void {
    this.#threshold = thresholdOf(probability);
    this.#kinds = Uint8Array.from(kinds, (kind) => CORRUPT_KINDS.indexOf(kind));
  }

  /** As `LinkDirection.follow`, which calls it. */
  follow(fates: DirectionFates | null): void {
    this.#fates = fates;
  }

  /** What happens to packet `index`: INTACT for most. */
  kind(index: number): number {
    const fates = this.#fates;
    if (fates === null) return this.#drawn(index);
    return fates.damage(index, fates.replaces ? INTACT : this.#drawn(index));
  }

  #drawn(index: number): number {
    if (this.#threshold === 0 || !this.#chance.happens(index, LANE_CORRUPT, this.#threshold)) return INTACT;
    return this.#kinds[this.#chance.below(index, LANE_CORRUPT_KIND, this.#kinds.length)]!;
  }

  /**
   * Damages the `length` bytes of packet `index` at `offset` of `bytes`, behind which there is room for
   * EXTENSION_BYTES_MAX more; returns how many it has then. Afterwards it is never what it was.
   */
  damage(index: number, kind: number, bytes: DataView, offset: number, length: number): number {
    if (kind === SPLICE && length > 1 && this.#keptLength > 0) {
      if (!this.#splice(index, bytes, offset, length)) this.#flip(index, bytes, offset, length);
      return length;
    }
    this.#keep(bytes, offset, length);
    if (kind === TRUNCATE && length > 0) return this.#chance.below(index, LANE_CORRUPT_AMOUNT, length);
    if (kind === EXTEND || length === 0) return this.#extend(index, bytes, offset, length);
    this.#flip(index, bytes, offset, length);
    return length;
  }

  #keep(bytes: DataView, offset: number, length: number): void {
    if (this.#kept.length === 0) this.#kept = new Uint8Array(KEPT_BYTES);
    this.#keptLength = Math.min(length, KEPT_BYTES);
    for (let i = 0; i < this.#keptLength; i++) this.#kept[i] = bytes.getUint8(offset + i);
  }

  #flip(index: number, bytes: DataView, offset: number, length: number): void {
    const flips = Math.min(1 + this.#chance.below(index, LANE_CORRUPT_AMOUNT, FLIPS_MAX), length * 8);
    const first = this.#chance.below(index, LANE_CORRUPT_BYTES, length * 8);
    for (let i = 0; i < flips; i++) {
      const bit = (first + i) % (length * 8);
      const at = offset + (bit >>> 3);
      bytes.setUint8(at, bytes.getUint8(at) ^ (1 << (bit & 7)));
    }
  }

  #extend(index: number, bytes: DataView, offset: number, length: number): number {
    const more = 1 + this.#chance.below(index, LANE_CORRUPT_AMOUNT, EXTENSION_BYTES_MAX);
    for (let i = 0; i < more; i++) {
      bytes.setUint8(offset + length + i, this.#chance.below(index, LANE_CORRUPT_BYTES + i, 256));
    }
    return length + more;
  }

  /** The earlier datagram is moved by a byte or more, so that no part of it is right again. False: nothing changed. */
  #splice(index: number, bytes: DataView, offset: number, length: number): boolean {
    const from = 1 + this.#chance.below(index, LANE_CORRUPT_AMOUNT, length - 1);
    let changed = false;
    for (let i = from; i < length; i++) {
      const byte = this.#kept[(i - from) % this.#keptLength]!;
      if (byte !== bytes.getUint8(offset + i)) changed = true;
      bytes.setUint8(offset + i, byte);
    }
    return changed;
  }
}

/** Throws RangeError that names `whose` it is and the field when an option is out of its range. */
export function checkCorrupt(whose: string, probability: number, kinds: readonly CorruptKind[]): void {
  checkProbability(whose, 'corrupt', probability);
  if (!Array.isArray(kinds) || kinds.length === 0 || kinds.some((kind) => !CORRUPT_KINDS.includes(kind))) {
    throw new RangeError(`${whose}: corruptKinds is a list of at least one of ${CORRUPT_KINDS.join(', ')}`);
  }
}
