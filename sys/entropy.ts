/** Chance from the kernel's generator, by way of node:crypto. */

import { randomFillSync } from 'node:crypto';
import type { Rng } from './api.ts';

/** Numbers drawn from the system at a time: one draw costs about as much as 100 reads. */
const POOL_NUMBERS = 256;

/** Unpredictable bytes and numbers, for keys and everything else. */
export class SystemRng implements Rng {
  private readonly pool = new Uint32Array(POOL_NUMBERS);
  private next = POOL_NUMBERS;

  fill(bytes: Uint8Array): void {
    randomFillSync(bytes);
  }

  u32(): number {
    if (this.next === POOL_NUMBERS) {
      randomFillSync(this.pool);
      this.next = 0;
    }
    const number = this.pool[this.next]!;
    this.pool[this.next] = 0; // what was given out is not left lying in memory
    this.next++;
    return number;
  }
}
