/** When start-up is over: a queue shows, loss is clear, or the rate has stopped growing. */

import type { LossFloor } from './loss-floor.ts';
import type { QueueDelay } from './queue-delay.ts';
import type { QueueTarget } from './queue-target.ts';
import type { RateWindow } from './rate-window.ts';

/** A rate that grew by less than a tenth in three rounds has found a bottleneck without a queue: a policer (BBR's rule is a quarter at growth 2). */
const PLATEAU_GROWTH = 1.1;
const PLATEAU_ROUNDS = 3;

export class StartUp {
  readonly #rate: Float64Array;
  readonly #rounds: Uint8Array;

  constructor(connections: number) {
    this.#rate = new Float64Array(connections);
    this.#rounds = new Uint8Array(connections);
  }

  reset(connection: number): void {
    this.#rate[connection] = 0;
    this.#rounds[connection] = 0;
  }

  /** A round in which the window was used has ended. */
  endRound(connection: number, rate: RateWindow): void {
    const greatest = rate.greatest[connection]!;
    if (greatest > PLATEAU_GROWTH * this.#rate[connection]!) {
      this.#rate[connection] = greatest;
      this.#rounds[connection] = 0;
    } else this.#rounds[connection]!++;
  }

  isOver(connection: number, queue: QueueDelay, target: QueueTarget, loss: LossFloor): boolean {
    if (queue.settled[connection] === 1 && queue.queueMicros[connection]! > target.micros[connection]!) return true;
    if (loss.smoothed[connection]! > loss.clear[connection]!) return true;
    return this.#rounds[connection]! >= PLATEAU_ROUNDS;
  }
}
