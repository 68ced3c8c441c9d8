/** Acts of the world itself: a link that changes, a host that is bound anew, at a time that was set before and as code of no host. */

import type { Micros } from '../../sys/api.ts';
import { EVENT_ACT } from './digest.ts';
import { drainMicrotasks } from './guard.ts';
import type { Network } from './network.ts';
import { DUE_ACT } from './timeline.ts';
import type { Turns } from './turns.ts';

/** What is to be done to a world. */
export class Acts {
  readonly #network: Network;
  readonly #turns: Turns;
  /** By number; null once it was done. */
  readonly #acts: ((() => void) | null)[] = [];

  constructor(network: Network, turns: Turns) {
    this.#network = network;
    this.#turns = turns;
  }

  /** Sets one for `time`. */
  add(time: Micros, act: () => void): void {
    this.#network.timeline.schedule(time, DUE_ACT, this.#acts.push(act) - 1);
  }

  /** Does number `id`, and lets promises settle. */
  take(id: number): void {
    this.#turns.current = null;
    this.#network.digest.mix(this.#network.timeline.now, EVENT_ACT, 0, id, 0, 0);
    this.#acts[id]!();
    this.#acts[id] = null;
    if (drainMicrotasks === null) return;
    drainMicrotasks();
    this.#turns.settled();
  }
}
