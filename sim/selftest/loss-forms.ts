/** Closed forms of loss in the air: each packet on its own, and the chain of Gilbert and Elliott. */

import type { LossModel } from '../link/loss.ts';
import type { Streams } from '../world/streams.ts';
import { Bed } from './bed.ts';
import { BatchMeans, type Check, exact, mean, share } from './check.ts';

const PACKETS = 300_000;

/** The fate of packets 0 .. count - 1 sent one after the other: 1 lost, 0 arrived. */
function fates(streams: Streams, loss: number | LossModel): Uint8Array {
  const lost = new Uint8Array(PACKETS).fill(1);
  const bed = new Bed(streams, JSON.stringify(loss), { loss }, (k) => {
    lost[k] = 0;
  });
  for (let k = 0; k < PACKETS; k++) {
    bed.send(k, 100);
    bed.advance(k);
  }
  return lost;
}

function sum(values: Uint8Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Lost on its own with probability p; none at 0, all at 1. */
export function independentLoss(streams: Streams): Check[] {
  return [
    exact(`loss 0: lost of ${PACKETS}`, 0, sum(fates(streams, 0))),
    exact(`loss 1: arrived of ${PACKETS}`, 0, PACKETS - sum(fates(streams, 1))),
    ...[0.001, 0.05, 0.4].map((p) => share(`loss ${p}: share lost`, p, sum(fates(streams, p)), PACKETS)),
  ];
}

const CHAINS = [
  { p: 0.002, r: 0.4, k: 1, h: 0 },
  { p: 0.01, r: 0.2, k: 0.99, h: 0.3 },
  { p: 0.05, r: 0.1, k: 0.95, h: 0.5 },
] as const;

/** Long-run loss: pi_G (1 - k) + pi_B (1 - h), pi_B = p / (p + r). */
export function chainLoss(streams: Streams): Check[] {
  return CHAINS.map(({ p, r, k, h }) => {
    const means = new BatchMeans(PACKETS);
    const loss = { model: 'gilbert-elliott', goodToBad: p, badToGood: r, lossInGood: 1 - k, lossInBad: 1 - h } as const;
    for (const lost of fates(streams, loss)) means.add(lost);
    const bad = p / (p + r);
    return means.check(`Gilbert-Elliott p ${p} r ${r}: share lost`, (1 - bad) * (1 - k) + bad * (1 - h));
  });
}

/** Mean run of losses in the four-parameter chain: loss over the probability that a run begins. */
export function chainRuns(streams: Streams): Check[] {
  return CHAINS.map(({ p, r, k, h }) => {
    const loss = { model: 'gilbert-elliott', goodToBad: p, badToGood: r, lossInGood: 1 - k, lossInBad: 1 - h } as const;
    const lost = fates(streams, loss);
    const bad = p / (p + r);
    const [inGood, inBad] = [1 - k, 1 - h];
    // Lost now and not lost next, over both states: each run ends once.
    const ends = (1 - bad) * inGood * ((1 - p) * k + p * h) + bad * inBad * (r * k + (1 - r) * h);
    const share = (1 - bad) * inGood + bad * inBad;
    const means = new BatchMeans(PACKETS - 1);
    // A ratio's error by the delta method: the batches scatter as (loss - run * end) does.
    const run = share / ends;
    for (let i = 0; i + 1 < lost.length; i++)
      means.add(run + (lost[i]! - run * (lost[i]! * (1 - lost[i + 1]!))) / ends);
    return means.check(`Gilbert-Elliott p ${p} r ${r}: mean run of losses`, run);
  });
}

/** Bursts given by loss and mean length: the share is exactly that, the lengths geometric. */
export function bursts(streams: Streams): Check[] {
  return [
    { loss: 0.01, length: 2 },
    { loss: 0.05, length: 5 },
    { loss: 0.3, length: 20 },
  ].flatMap(({ loss, length }) => {
    const lost = fates(streams, { model: 'gilbert-elliott', loss, meanBurstPackets: length });
    let [runs, single] = [0, 0];
    for (let i = 1; i + 1 < lost.length; i++) {
      if (lost[i] === 0 || lost[i - 1] === 1) continue;
      runs++;
      if (lost[i + 1] === 0) single++;
    }
    const means = new BatchMeans(PACKETS);
    for (const one of lost) means.add(one);
    const inRuns =
      sum(lost) - (lost[0]! ? lost.indexOf(0) : 0) - (lost.at(-1) ? lost.length - 1 - lost.lastIndexOf(0) : 0);
    const whole = lost.at(-1) ? runs - 1 : runs;
    return [
      means.check(`bursts of ${length}, loss ${loss}: share lost`, loss),
      mean(`bursts of ${length}, loss ${loss}: mean length`, length, length * length - length, inRuns, whole),
      share(`bursts of ${length}, loss ${loss}: share of length 1`, 1 / length, single, runs),
    ];
  });
}

/** Two losses m packets apart: pi^2 + pi (1 - pi) (1 - p - r)^m. */
export function chainMemory(streams: Streams): Check[] {
  return [1, 4, 16].map((apart) => {
    const { p, r } = { p: 0.02, r: 0.1 };
    const lost = fates(streams, { model: 'gilbert-elliott', goodToBad: p, badToGood: r });
    const means = new BatchMeans(PACKETS - apart);
    for (let i = 0; i + apart < lost.length; i++) means.add(lost[i]! * lost[i + apart]!);
    const bad = p / (p + r);
    return means.check(
      `Gilbert-Elliott: both lost of two ${apart} apart`,
      bad * bad + bad * (1 - bad) * (1 - p - r) ** apart,
    );
  });
}

/**
 * Outages in time: bad for 1 / b in the mean, whatever is sent. Of two packets T apart, given that the first is lost, the
 * second is lost with pi + (1 - pi) e^-(a + b)T.
 */
export function outages(streams: Streams): Check[] {
  const meanMicros = 60_000;
  const loss = 0.1;
  const rate = 1 / meanMicros / (1 - loss); // a + b, since a = b loss / (1 - loss)
  return [5_000, 40_000, 200_000].flatMap((apart) => {
    const packets = 200_000;
    const lost = new Uint8Array(packets).fill(1);
    const model = { model: 'gilbert-elliott-time', loss, meanBurstMicros: meanMicros } as const;
    const bed = new Bed(streams, `outages ${apart}`, { loss: model }, (k) => {
      lost[k] = 0;
    });
    for (let k = 0; k < packets; k++) {
      bed.advance(k * apart);
      bed.send(k, 100);
    }
    bed.advance(bed.now);
    const [shares, pairs] = [new BatchMeans(packets), new BatchMeans(packets - 1)];
    for (const one of lost) shares.add(one);
    for (let i = 0; i + 1 < packets; i++) pairs.add(lost[i]! * lost[i + 1]!);
    return [
      shares.check(`outages of 60 ms, a packet each ${apart} us: share lost`, loss),
      pairs.check(
        `outages of 60 ms, a packet each ${apart} us: share lost with the next`,
        loss * (loss + (1 - loss) * Math.exp(-rate * apart)),
      ),
    ];
  });
}

/** Copies are made of what was not lost, with their own probability. */
export function copies(streams: Streams): Check[] {
  return [0.01, 0.2, 1].map((duplicate) => {
    let arrived = 0;
    const bed = new Bed(streams, `copies ${duplicate}`, { duplicate, loss: 0.3 }, () => {
      arrived++;
    });
    for (let k = 0; k < PACKETS; k++) bed.send(k, 100);
    bed.advance(1);
    const originals = PACKETS - bed.direction.stats.lost;
    return share(`duplicate ${duplicate}: share of arrivals with a copy`, duplicate, arrived - originals, originals);
  });
}
