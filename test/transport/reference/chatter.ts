/** Two ends that talk about everything: all seven kinds, bulk, times to live, over a path that loses and reorders. Seeded. */

import type { Rng } from '../../../sys/api.ts';
import { ALL_KINDS, type End, lcg, type Pair } from '../pair.ts';
import type { ReferenceChannel } from './frames.ts';

/** ALL_KINDS as the reference knows channels. They are in alphabetical order. */
export const CHATTER_CHANNELS: readonly ReferenceChannel[] = ALL_KINDS.map(
  ({ name, kind, messageBytesMax, keysMax }) => ({
    name,
    kind,
    messageBytesMax,
    keysMax,
  }),
);

const TICK_MICROS = 16_667;
const LONG_BYTES = 40_000;

/** Puts `ticks` ticks of traffic on the pair's queue, and a path that loses a share of the packets. */
export function chatter(pair: Pair, seed: number, ticks: number, loss: number): void {
  const rng = lcg(seed);
  const chance = (share: number): boolean => rng.u32() < share * 2 ** 32;
  for (const end of [pair.a, pair.b]) {
    end.fate = () => (chance(loss) ? null : 15_000 + (rng.u32() % 20_000));
    let inputTick = rng.u32() % 1000;
    for (let tick = 0; tick < ticks; tick++) {
      pair.at(pair.now + tick * TICK_MICROS + (end === pair.a ? 0 : 5000), () => {
        say(end, pair.now, rng, chance);
        inputTick += chance(0.9) ? 1 : 3;
        end.send(pair.now, 6, noise(rng, 12), { tag: inputTick });
        pair.wake(end);
      });
    }
  }
}

function say(end: End, now: number, rng: Rng, chance: (share: number) => boolean): void {
  const { keysMax: keys, messageBytesMax } = end.connections.channels;
  const keysMax = keys[5]!;
  for (let channel = 0; channel < 6; channel++) {
    if (chance(0.5)) continue;
    const length = Math.min(messageBytesMax[channel]!, chance(0.04) ? rng.u32() % LONG_BYTES : rng.u32() % 90);
    const more = {
      tag: channel === 5 ? rng.u32() % (chance(0.1) ? keysMax : 20) : 0,
      receipt: chance(0.3) ? 1 + (rng.u32() >>> 2) : 0,
      ttlMicros: chance(0.3) ? 20_000 : 0,
    };
    for (let again = rng.u32() % 3; again >= 0; again--) end.send(now, channel, noise(rng, length), more);
  }
  if (chance(0.01)) end.send(now, 7, noise(rng, Math.min(messageBytesMax[7]!, rng.u32() % 300_000)));
}

export function noise(rng: Rng, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  rng.fill(bytes);
  return bytes;
}
