/** Connections that may have something to send: each once, in the order in which they got it. */

export class ReadyRing {
  count = 0;
  readonly #ring: Int32Array;
  readonly #isIn: Uint8Array;
  #first = 0;

  constructor(connections: number) {
    this.#ring = new Int32Array(connections);
    this.#isIn = new Uint8Array(connections);
  }

  add(c: number): void {
    if (this.#isIn[c] === 1) return;
    this.#isIn[c] = 1;
    const end = this.#first + this.count;
    this.#ring[end >= this.#ring.length ? end - this.#ring.length : end] = c;
    this.count++;
  }

  /** Takes out the one whose turn it is; only while `count` > 0. */
  take(): number {
    const c = this.#ring[this.#first]!;
    this.#first = this.#first + 1 === this.#ring.length ? 0 : this.#first + 1;
    this.count--;
    this.#isIn[c] = 0;
    return c;
  }
}
