/** What every backend is handed: it is the same on all machines. */

import { chooseAead } from './aead/choose.ts';
import type { Aead, Clock, Rng } from './api.ts';
import { SystemClock } from './clock.ts';
import { SystemRng } from './entropy.ts';

export interface SharedParts {
  readonly clock: Clock;
  readonly rng: Rng;
  openAead(slots: number, slotBytes: number): Aead;
}

/** This machine's clock, chance and cryptography. */
export function openSharedParts(): SharedParts {
  return {
    clock: new SystemClock(),
    rng: new SystemRng(),
    openAead: (slots, slotBytes) => chooseAead(slots, slotBytes),
  };
}
