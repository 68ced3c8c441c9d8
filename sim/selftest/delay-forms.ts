/** Closed forms of the delay: its spread, and how often packets overtake each other. */

import type { Streams } from '../world/streams.ts';
import { Bed } from './bed.ts';
import { BatchMeans, type Check, exact, mean, share, uniformCells } from './check.ts';

const PACKETS = 200_000;
const CELLS = 20;
/** Far more than the jitter: the next packet meets none of the last ones. */
const APART_MICROS = 1_000_000;

/** Delays of packets on their own. */
function delays(streams: Streams, jitterMicros: number, jitterShape: 'uniform' | 'bell'): Float64Array {
  const found = new Float64Array(PACKETS);
  const options = { latencyMicros: jitterMicros, jitterMicros, jitterShape };
  const name = `${jitterShape} ${jitterMicros}`;
  const bed = new Bed(streams, name, options, (k, sentAt, now) => {
    found[k] = now - sentAt;
  });
  for (let k = 0; k < PACKETS; k++) {
    bed.send(k, 100);
    bed.advance(bed.now + APART_MICROS);
  }
  return found;
}

/** Uniform jitter: every delay as likely, mean the latency, variance ((2J + 1)^2 - 1) / 12. */
export function uniformJitter(streams: Streams): Check[] {
  return [999, 19_999, 199_999].flatMap((jitter) => {
    const found = delays(streams, jitter, 'uniform');
    const counts = new Array<number>(CELLS).fill(0);
    let sum = 0;
    for (const delay of found) {
      sum += delay;
      counts[Math.floor((delay * CELLS) / (2 * jitter + 1))]!++;
    }
    return [
      mean(`uniform jitter ${jitter}: mean delay, us`, jitter, ((2 * jitter + 1) ** 2 - 1) / 12, sum, PACKETS),
      // 2J + 1 values in 20 cells are not quite even; at these jitters the difference is below a thousandth of an error.
      uniformCells(`uniform jitter ${jitter}: chi-square over ${CELLS} cells`, counts),
    ];
  });
}

/** The bell is the sum of four uniform parts: mean the latency, variance the sum of theirs. */
export function bellJitter(streams: Streams): Check[] {
  return [1_000, 20_000, 200_000].flatMap((jitter) => {
    const found = delays(streams, jitter, 'bell');
    const quarter = jitter / 2;
    const variance = (4 * ((quarter + 1) ** 2 - 1)) / 12;
    // Fourth moment of a sum of four uniform parts of width w: 3 v^2 - 4 w^4 / 120.
    const fourth = 3 * variance * variance - (4 * quarter ** 4) / 120;
    let [sum, squares] = [0, 0];
    for (const delay of found) {
      sum += delay;
      squares += (delay - jitter) ** 2;
    }
    return [
      mean(`bell jitter ${jitter}: mean delay, us`, jitter, variance, sum, PACKETS),
      mean(`bell jitter ${jitter}: variance, us^2`, variance, fourth - variance * variance, squares, PACKETS),
    ];
  });
}

/** Uniform jitter of width J: of two packets T apart the second comes first with (1 - T / J)^2 / 2. */
export function overtaking(streams: Streams): Check[] {
  return GAPS.map((gap) => {
    let overtaken = 0;
    pairs(streams, `overtaking ${gap}`, gap, false, (first, second) => {
      if (second < first) overtaken++;
    });
    return share(`reordering, T = ${gap} J: share overtaken`, (1 - gap) ** 2 / 2, overtaken, PAIRS);
  });
}

/** Exponential jitter of mean m: e^(-T / m) / 2, whatever the latency below it. */
export function exponentialOvertaking(streams: Streams): Check[] {
  return [0.2, 1, 2.5].map((gap) => {
    const meanMicros = 200_000;
    let overtaken = 0;
    const arrivedAt = new Float64Array(2);
    const options = { latencyMicros: 1_000, jitterMicros: meanMicros, jitterShape: 'exponential' } as const;
    const bed = new Bed(streams, `exponential ${gap}`, options, (k, _, now) => {
      arrivedAt[k] = now;
    });
    for (let pair = 0; pair < PAIRS; pair++) {
      bed.send(0, 100);
      bed.advance(bed.now + gap * meanMicros);
      bed.send(1, 100);
      bed.advance(bed.now + 40 * meanMicros);
      if (arrivedAt[1]! < arrivedAt[0]!) overtaken++;
    }
    return share(`reordering, exponential, T = ${gap} m: share overtaken`, Math.exp(-gap) / 2, overtaken, PAIRS);
  });
}

/** Order kept: the second is never first, and waits for that J (1 - T / J)^3 / 6 in the mean. */
export function orderKept(streams: Streams): Check[] {
  return GAPS.flatMap((gap) => {
    let overtaken = 0;
    const delays = new BatchMeans(PAIRS);
    pairs(streams, `order ${gap}`, gap, true, (first, second) => {
      if (second < first) overtaken++;
      delays.add(second - gap * WIDTH_MICROS);
    });
    const expected = WIDTH_MICROS / 2 + (WIDTH_MICROS * (1 - gap) ** 3) / 6;
    return [
      exact(`order kept, T = ${gap} J: overtaken`, 0, overtaken),
      delays.check(`order kept, T = ${gap} J: mean delay of the second, us`, expected),
    ];
  });
}

/** Packets of one instant with one delay arrive in the order in which they were sent. */
export function oneInstant(streams: Streams): Check[] {
  return [2, 100, 10_000].map((count) => {
    let [inversions, last] = [0, -1];
    const bed = new Bed(streams, `instant ${count}`, { latencyMicros: 20_000 }, (k) => {
      if (k !== last + 1) inversions++;
      last = k;
    });
    for (let k = 0; k < count; k++) bed.send(k, 100);
    bed.advance(20_000);
    return exact(`${count} packets of one instant: out of order or missing`, 0, inversions + count - 1 - last);
  });
}

const GAPS = [0.1, 0.25, 0.6] as const;
const PAIRS = 100_000;
const WIDTH_MICROS = 1_000_000;

/** Pairs of packets `gap` of the jitter's width apart, each pair on its own: when both arrived, from the first's sending on. */
function pairs(
  streams: Streams,
  name: string,
  gap: number,
  keepOrder: boolean,
  tell: (first: number, second: number) => void,
): void {
  const options = { latencyMicros: WIDTH_MICROS / 2, jitterMicros: WIDTH_MICROS / 2, keepOrder };
  const arrivedAt = new Float64Array(2);
  const bed = new Bed(streams, name, options, (k, _, now) => {
    arrivedAt[k] = now;
  });
  for (let pair = 0; pair < PAIRS; pair++) {
    const begin = bed.now;
    bed.send(0, 100);
    bed.advance(begin + gap * WIDTH_MICROS);
    bed.send(1, 100);
    bed.advance(begin + 3 * WIDTH_MICROS);
    tell(arrivedAt[0]! - begin, arrivedAt[1]! - begin);
  }
}

/** Packets that are held back come that much later, in their share. */
export function heldBack(streams: Streams): Check[] {
  return [0.01, 0.1, 0.5].map((reorder) => {
    let [held, wrong] = [0, 0];
    const options = { latencyMicros: 10_000, reorder, reorderMicros: 30_000, keepOrder: true };
    const bed = new Bed(streams, `held ${reorder}`, options, (_, sentAt, now) => {
      if (now - sentAt === 40_000) held++;
      else if (now - sentAt !== 10_000) wrong++;
    });
    for (let k = 0; k < PACKETS; k++) {
      bed.send(k, 100);
      bed.advance(bed.now + 1_000);
    }
    bed.advance(bed.now + 40_000);
    return share(`reorder ${reorder}: share held back`, reorder, held + wrong * PACKETS, PACKETS);
  });
}
