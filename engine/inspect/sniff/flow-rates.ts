/** Packets a second of each flow between two looks at the table. */

import type { PacketWatch } from './packet-watch.ts';

export class FlowRates {
  readonly #watch: PacketWatch;
  readonly #packets: Float64Array;
  readonly #life: Int32Array;
  readonly #rates: Float64Array;

  constructor(watch: PacketWatch) {
    this.#watch = watch;
    const { capacity } = watch.flows.index;
    this.#packets = new Float64Array(capacity);
    this.#life = new Int32Array(capacity);
    this.#rates = new Float64Array(capacity);
  }

  /** Looks again, so many seconds after the last time. */
  update(seconds: number): void {
    const { flows } = this.#watch;
    for (let flow = 0; flow < flows.count; flow++) {
      const packets = flows.packets[2 * flow]! + flows.packets[2 * flow + 1]!;
      const life = flows.index.life[flow]!;
      const before = this.#life[flow] === life ? this.#packets[flow]! : 0;
      this.#rates[flow] = (packets - before) / seconds;
      this.#packets[flow] = packets;
      this.#life[flow] = life;
    }
  }

  of(flow: number): number {
    return this.#rates[flow]!;
  }
}
