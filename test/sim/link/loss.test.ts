// Loss in bursts, against the closed forms of the Gilbert-Elliott chain.

import { describe, expect, it } from 'vitest';
import { Chance } from '../../../sim/link/chance.ts';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { LinkDirection } from '../../../sim/link/link.ts';
import { type ChainLoss, Loss, type LossModel } from '../../../sim/link/loss.ts';
import { Streams } from '../../../sim/world/streams.ts';
import { count, runsOf } from './fates.ts';

const PACKETS = 400_000;

describe('Loss in bursts', () => {
  it.each([
    [0.01, 1],
    [0.05, 4],
    [0.3, 10],
    [0.9, 9],
  ])('loses %d of all packets in runs of %d packets in the mean, within 4 sigma', (loss, meanBurstPackets) => {
    const fates = fatesOf({ model: 'gilbert-elliott', loss, meanBurstPackets });
    const lost = count(fates);
    const correlation = 1 - loss / ((1 - loss) * meanBurstPackets) - 1 / meanBurstPackets;
    // The variance of a mean of the chain: that of independent draws, times (1 + c) / (1 - c).
    const sigma = Math.sqrt(((loss * (1 - loss)) / PACKETS) * ((1 + correlation) / (1 - correlation)));
    expect(Math.abs(lost / PACKETS - loss)).toBeLessThan(4 * sigma);
    const runs = runsOf(fates);
    const spread = Math.sqrt((meanBurstPackets * (meanBurstPackets - 1)) / runs.length);
    expect(Math.abs(lost / runs.length - meanBurstPackets)).toBeLessThanOrEqual(4 * spread);
  });

  it('loses the first packet as often as any other, over 4,000 seeds', () => {
    let lost = 0;
    for (let seed = 0; seed < 4_000; seed++) {
      const loss = new Loss(new Chance(new Streams(seed).stream('link/a>b')));
      loss.configure({ model: 'gilbert-elliott', loss: 0.3, meanBurstPackets: 20 });
      if (loss.loses(0, 0)) lost++;
    }
    expect(Math.abs(lost - 1_200)).toBeLessThan(4 * Math.sqrt(4_000 * 0.3 * 0.7));
  });

  it('has geometric bursts (chi-square of their lengths)', () => {
    const runs = runsOf(fatesOf({ model: 'gilbert-elliott', loss: 0.1, meanBurstPackets: 4 }));
    let squares = 0;
    for (let length = 1; length <= 12; length++) {
      const expected = length < 12 ? runs.length * 0.25 * 0.75 ** (length - 1) : runs.length * 0.75 ** 11;
      const seen = runs.filter((run) => (length < 12 ? run === length : run >= 12)).length;
      squares += (seen - expected) ** 2 / expected;
    }
    expect(squares).toBeLessThan(11 + 4 * Math.sqrt(2 * 11));
  });

  it('loses by all four numbers of the chain: share and mean run of losses', () => {
    const chain: ChainLoss = {
      model: 'gilbert-elliott',
      goodToBad: 0.02,
      badToGood: 0.2,
      lossInGood: 0.01,
      lossInBad: 0.6,
    };
    const fates = fatesOf(chain);
    const lost = count(fates);
    const bad = 0.02 / 0.22;
    const loss = (1 - bad) * 0.01 + bad * 0.6;
    expect(Math.abs(lost / PACKETS - loss)).toBeLessThan(4 * Math.sqrt((loss * (1 - loss) * 4) / PACKETS));
    // A run ends when a loss is followed by none: P(lost, then not) = sum over states of pi L_i sum_j P_ij (1 - L_j).
    const ends = (1 - bad) * 0.01 * (0.98 * 0.99 + 0.02 * 0.4) + bad * 0.6 * (0.2 * 0.99 + 0.8 * 0.4);
    expect(lost / runsOf(fates).length / (loss / ends)).toBeCloseTo(1, 1.5);
  });

  it('deals the same fate to a packet whether those before it were asked for or not', () => {
    const model: LossModel = { model: 'gilbert-elliott', loss: 0.2, meanBurstPackets: 5 };
    const all = fatesOf(model);
    const some = lossOf(model);
    for (let index = 0; index < PACKETS; index += 1 + (index % 7)) {
      if (some.loses(index, 0) !== all[index]) expect.fail(`another fate for packet ${index}`);
    }
  });

  it('keeps the state of the chain when it is configured anew, and moves it where nobody asked', () => {
    const model: LossModel = { model: 'gilbert-elliott', loss: 0.2, meanBurstPackets: 50 };
    const all = fatesOf(model);
    const loss = lossOf(model);
    for (let index = 0; index < 10_000; index++) {
      if (index % 100 === 50) loss.configure(0.5);
      if (index % 100 === 60) loss.configure(model);
      const lost = loss.loses(index, 0);
      if (index % 100 < 50 || index % 100 >= 60) expect(lost).toBe(all[index]);
    }
  });

  it('loses with more loss all that it lost with less, at the same length of bursts', () => {
    const [little, much] = [0.1, 0.2].map((loss) => fatesOf({ model: 'gilbert-elliott', loss, meanBurstPackets: 5 }));
    expect(little!.every((lost, index) => !lost || much![index])).toBe(true);
  });

  it('loses nothing at loss 0, and all in a bad state that nothing leaves', () => {
    expect(count(fatesOf({ model: 'gilbert-elliott', loss: 0, meanBurstPackets: 3 }))).toBe(0);
    expect(count(fatesOf({ model: 'gilbert-elliott', goodToBad: 0, badToGood: 0 }))).toBe(0);
    expect(count(fatesOf({ model: 'gilbert-elliott', goodToBad: 1, badToGood: 0 }))).toBe(PACKETS);
  });

  it.each([
    [{ model: 'gilbert-elliott', loss: 0.5, meanBurstPackets: 0.9 }, 'loss.meanBurstPackets is a number in 1'],
    [{ model: 'gilbert-elliott', loss: 0.9, meanBurstPackets: 8 }, 'too short for a loss of 0.9'],
    [{ model: 'gilbert-elliott', loss: 1, meanBurstPackets: 8 }, 'give loss: 1'],
    [{ model: 'gilbert-elliott', loss: -0.1, meanBurstPackets: 8 }, 'loss.loss is a probability'],
    [{ model: 'gilbert-elliott', goodToBad: 1.1, badToGood: 0 }, 'loss.goodToBad'],
    [{ model: 'gilbert-elliott', goodToBad: 0.1, badToGood: 0.1, lossInBad: 2 }, 'loss.lossInBad'],
    [{ model: 'gilbert-elliott', goodToBad: 0.1, badToGood: 0.1, loss: 0.1 }, 'both set the loss'],
    [{ model: 'bernoulli' }, "{ model: 'gilbert-elliott'"],
  ] as [LossModel, string][])('refuses %o: %s', (loss, text) => {
    const refusal = () => direction({ loss });
    expect(refusal).toThrow(RangeError);
    expect(refusal).toThrow('link a>b: ');
    expect(refusal).toThrow(text);
  });
});

function direction(options: DirectionOptions): LinkDirection {
  return new LinkDirection('a>b', 0, new Streams(7), options);
}

function lossOf(model: LossModel): Loss {
  const loss = new Loss(new Chance(new Streams(7).stream('link/a>b')));
  loss.configure(model);
  return loss;
}

function fatesOf(model: LossModel): boolean[] {
  const loss = lossOf(model);
  return Array.from({ length: PACKETS }, (_, index) => loss.loses(index, 0));
}
