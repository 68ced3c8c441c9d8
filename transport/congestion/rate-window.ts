/** The greatest delivery rate of the last two to four seconds: what the path has lately been able to carry. */

import type { AckSample } from './ack-sample.ts';

/** Half of the window: longer than the cycle of yields, in which the rate is less for a while; short enough that a path that became slow is soon known. */
const TURN_MICROS = 2_000_000;

export class RateWindow {
  /** Bytes a second; 0: not known. */
  readonly greatest: Float64Array;
  readonly #now: Float64Array;
  readonly #previous: Float64Array;
  readonly #turnsAt: Float64Array;

  constructor(connections: number) {
    this.greatest = new Float64Array(connections);
    this.#now = new Float64Array(connections);
    this.#previous = new Float64Array(connections);
    this.#turnsAt = new Float64Array(connections);
  }

  reset(connection: number): void {
    this.greatest[connection] = 0;
    this.#now[connection] = 0;
    this.#previous[connection] = 0;
    this.#turnsAt[connection] = 0;
  }

  /** Folds the delivery rate of a frame, if it has one. */
  onRate(connection: number, sample: AckSample): void {
    const now = sample.now;
    const bytesPerSecond = sample.deliveryRate;
    if (!(bytesPerSecond > 0)) return;
    if (now >= this.#turnsAt[connection]!) {
      this.#previous[connection] = this.#now[connection]!;
      this.#now[connection] = 0;
      this.#turnsAt[connection] = now + TURN_MICROS;
    }
    if (bytesPerSecond > this.#now[connection]!) this.#now[connection] = bytesPerSecond;
    this.greatest[connection] = Math.max(this.#now[connection]!, this.#previous[connection]!);
  }
}
