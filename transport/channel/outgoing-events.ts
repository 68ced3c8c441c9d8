/** What the way out has to tell, until `drain` tells it: receipts, channels that have room again, paths that swallow packets. */

import { grown } from '../block-pool.ts';

/** Fates of a message. */
export const DELIVERED = 1;
/** Not sent again, and not known to have arrived. */
export const LOST = 2;
/** Its time to live ran out. */
export const EXPIRED = 3;
/** A newer one took its place before it was known to have arrived. */
export const REPLACED = 4;

const WRITABLE = 0;
const BLACK_HOLE = 5;

/** Who is told. */
export interface OutgoingSink {
  receipt(connection: number, receipt: number, fate: number): void;
  writable(connection: number, channel: number): void;
  /** The path swallows packets from `bytes` on, which is less than what every path should carry. */
  blackHole(connection: number, bytes: number): void;
}

export class OutgoingEvents {
  count = 0;
  /** A fate, WRITABLE or BLACK_HOLE. */
  #kind: Uint8Array = new Uint8Array(64);
  #connection: Int32Array = new Int32Array(64);
  /** The receipt, the channel, or the size. */
  #value: Int32Array = new Int32Array(64);

  receipt(connection: number, receipt: number, fate: number): void {
    this.#push(fate, connection, receipt);
  }

  writable(connection: number, channel: number): void {
    this.#push(WRITABLE, connection, channel);
  }

  blackHole(connection: number, bytes: number): void {
    this.#push(BLACK_HOLE, connection, bytes);
  }

  /** Tells everything, in order, also what comes about meanwhile. What has been told is not told again when a sink throws. */
  drain(sink: OutgoingSink): void {
    let told = 0;
    try {
      while (told < this.count) {
        const i = told++;
        const connection = this.#connection[i]!;
        if (this.#kind[i] === WRITABLE) sink.writable(connection, this.#value[i]!);
        else if (this.#kind[i] === BLACK_HOLE) sink.blackHole(connection, this.#value[i]!);
        else sink.receipt(connection, this.#value[i]!, this.#kind[i]!);
      }
    } finally {
      this.#kind.copyWithin(0, told, this.count);
      this.#connection.copyWithin(0, told, this.count);
      this.#value.copyWithin(0, told, this.count);
      this.count -= told;
    }
  }

  #push(kind: number, connection: number, value: number): void {
    if (this.count === this.#kind.length) {
      this.#kind = grown(this.#kind, new Uint8Array(this.count * 2));
      this.#connection = grown(this.#connection, new Int32Array(this.count * 2));
      this.#value = grown(this.#value, new Int32Array(this.count * 2));
    }
    const i = this.count++;
    this.#kind[i] = kind;
    this.#connection[i] = connection;
    this.#value[i] = value;
  }
}
