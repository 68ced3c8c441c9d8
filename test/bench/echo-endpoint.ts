/** The smallest endpoint there is: sends every datagram back where it came from. */

import { ADDRESS_BYTES, DatagramBatch, type Micros, NEVER } from '../../sys/api.ts';
import type { GameEndpoint } from '../../transport/endpoint.ts';

const ADDRESS_WORDS = ADDRESS_BYTES / 4;
/** Datagrams held between receive and transmit: 16 rounds of a receive batch of 64. */
const HELD_MAX = 1024;
const HELD_BYTES = 256;

export class EchoEndpoint implements GameEndpoint<null> {
  readonly isPressing = false;
  /** Datagrams taken in. */
  received = 0;
  /** Datagrams not echoed: too long for this bench, or too many at once. */
  dropped = 0;
  readonly #held: DatagramBatch = DatagramBatch.allocate(HELD_MAX, HELD_BYTES);
  readonly #heldAddress = new Int32Array(this.#held.address.buffer);
  #next = 0;
  // The address words of the two batches of the socket, made when they are first seen.
  #rx: DatagramBatch | null = null;
  #rxAddress: Int32Array = this.#heldAddress;
  #tx: DatagramBatch | null = null;
  #txAddress: Int32Array = this.#heldAddress;

  receive(batch: DatagramBatch): void {
    if (batch !== this.#rx) {
      this.#rx = batch;
      this.#rxAddress = addressWords(batch);
    }
    const held = this.#held;
    for (let slot = 0; slot < batch.count; slot++) {
      if (held.full || batch.length[slot]! > HELD_BYTES) {
        this.dropped++;
        continue;
      }
      const to = held.count++;
      held.length[to] = batch.length[slot]!;
      copyWords(batch.view, batch.offset[slot]!, held.view, held.offset[to]!, batch.length[slot]!);
      copyAddress(this.#rxAddress, slot, this.#heldAddress, to);
    }
    this.received += batch.count;
  }

  drain(): void {}

  advance(): void {}

  transmit(batch: DatagramBatch): void {
    if (batch !== this.#tx) {
      this.#tx = batch;
      this.#txAddress = addressWords(batch);
    }
    const held = this.#held;
    while (this.#next < held.count && !batch.full) {
      const from = this.#next++;
      const to = batch.count++;
      const home = batch.home(to);
      batch.offset[to] = home;
      batch.length[to] = held.length[from]!;
      copyWords(held.view, held.offset[from]!, batch.view, home, held.length[from]!);
      copyAddress(this.#heldAddress, from, this.#txAddress, to);
    }
    if (this.#next === held.count) {
      this.#next = 0;
      held.count = 0;
    }
  }

  deadline(): Micros {
    return this.#held.count > 0 ? 0 : NEVER;
  }
}

function addressWords(batch: DatagramBatch): Int32Array {
  return new Int32Array(batch.address.buffer, batch.address.byteOffset, batch.slots * ADDRESS_WORDS);
}

function copyAddress(from: Int32Array, fromSlot: number, to: Int32Array, toSlot: number): void {
  for (let i = 0; i < ADDRESS_WORDS; i++) to[toSlot * ADDRESS_WORDS + i] = from[fromSlot * ADDRESS_WORDS + i]!;
}

function copyWords(from: DataView, fromAt: number, to: DataView, toAt: number, bytes: number): void {
  // May copy up to 3 bytes too many: slots have room behind them.
  for (let i = 0; i < bytes; i += 4) to.setInt32(toAt + i, from.getInt32(fromAt + i, true), true);
}
