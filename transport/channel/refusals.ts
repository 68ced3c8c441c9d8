/** Channels that answered "backlog full" and owe their `writable`: asked once a turn while there are any. */

import { grown } from '../block-pool.ts';

export class Refusals {
  /** 1: the stream has refused a message. */
  readonly #refused: Uint8Array;
  #streams: Int32Array = new Int32Array(16);
  count = 0;

  constructor(streams: number) {
    this.#refused = new Uint8Array(streams);
  }

  add(s: number): void {
    if (this.#refused[s] === 1) return;
    this.#refused[s] = 1;
    if (this.count === this.#streams.length) this.#streams = grown(this.#streams, new Int32Array(this.count * 2));
    this.#streams[this.count++] = s;
  }

  /** The stream of number `i`, 0 .. count - 1. */
  at(i: number): number {
    return this.#streams[i]!;
  }

  /** Takes number `i` out; the last one takes its place. */
  removeAt(i: number): void {
    this.#refused[this.#streams[i]!] = 0;
    this.#streams[i] = this.#streams[--this.count]!;
  }
}
