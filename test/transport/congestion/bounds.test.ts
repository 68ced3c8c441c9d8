/** Whatever is fed to the controller: its outputs stay numbers within bounds, and it allocates nothing. */

import { expect, it } from 'vitest';
import { BUDGET_MIN_BYTES_PER_SECOND } from '../../../transport/congestion/budget.ts';
import { AckSample, CongestionController } from '../../../transport/congestion/controller.ts';
import {
  CWND_MAX_BYTES,
  CWND_MIN_BYTES,
  PACING_MAX_BYTES_PER_SECOND,
  PACING_MIN_BYTES_PER_SECOND,
} from '../../../transport/congestion/limits.ts';
import { heapBytesOfSlices } from '../../sys/collect-garbage.ts';
import { randomFrom } from './bottleneck.ts';

const STRANGE = [0, 1, 1e3, 1e6, 1e9, 1e15, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER];

function outOfBounds(controller: CongestionController): string | null {
  const cwnd = controller.cwndBytes[0]!;
  const pacing = controller.pacingBytesPerSecond[0]!;
  const budget = controller.budgetBytesPerSecond[0]!;
  if (!(cwnd >= CWND_MIN_BYTES && cwnd <= CWND_MAX_BYTES)) return `cwnd ${cwnd}`;
  if (!(pacing >= PACING_MIN_BYTES_PER_SECOND && pacing <= PACING_MAX_BYTES_PER_SECOND)) return `pacing ${pacing}`;
  if (!(budget >= BUDGET_MIN_BYTES_PER_SECOND && budget <= PACING_MAX_BYTES_PER_SECOND)) return `budget ${budget}`;
  return null;
}

it('stays within bounds for samples that make no sense', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = randomFrom(seed);
    const any = (plain: number) =>
      random() < 0.1 ? STRANGE[Math.floor(random() * STRANGE.length)]! : random() * plain;
    const controller = new CongestionController(1);
    controller.reset(0, 0);
    const sample = new AckSample();
    let now = 0;
    for (let i = 0; i < 400; i++) {
      now += Math.floor(random() * 100_000);
      sample.clear(now);
      sample.rttMicros = Math.floor(any(200_000));
      sample.minRttMicros = any(50_000);
      sample.smoothedRttMicros = any(200_000);
      sample.ackedPackets = Math.floor(random() * 100);
      sample.ackedBytes = any(120_000);
      sample.lostPackets = random() < 0.2 ? Math.floor(random() * 100) : 0;
      sample.lostBytes = any(120_000);
      sample.inFlightBytes = any(1e6);
      sample.deliveryRate = any(1e7);
      sample.newestSentAt = now - Math.floor(random() * 200_000);
      const draw = random();
      if (draw < 0.02) controller.onTimeout(0, now);
      else if (draw < 0.06) controller.bulkActive(0, random() < 0.7, now);
      controller.onAck(0, sample);
      const complaint = outOfBounds(controller);
      if (complaint !== null) expect.fail(`seed ${seed}, frame ${i}: ${complaint}`);
    }
  }
});

it('starts with ten packets, and with two after persistent congestion', () => {
  const controller = new CongestionController(2);
  controller.reset(1, 0);
  expect(controller.cwndBytes[1]).toBe(12_000);
  controller.onTimeout(1, 1000);
  expect(controller.cwndBytes[1]).toBe(2400);
});

it('allocates nothing for most ack frames: a boxed number would be 12 bytes, the ends of rounds and slices come to 1 or 2 a frame', () => {
  const connections = 4;
  const controller = new CongestionController(connections);
  for (let c = 0; c < connections; c++) {
    controller.reset(c, 0);
    controller.bulkActive(c, true, 0);
  }
  const sample = new AckSample();
  // In a cell: V8 boxes a double that a closure keeps.
  const clock = new Float64Array([5_000_000_000]);
  const work = () => {
    for (let i = 0; i < 20_000; i++) {
      clock[0]! += 997;
      const now = clock[0]!;
      const c = i % connections;
      sample.clear(now);
      sample.rttMicros = 50_000 + ((i * 7919) % 6000);
      sample.minRttMicros = 50_000;
      sample.smoothedRttMicros = 52_000;
      sample.ackedPackets = 2;
      sample.ackedBytes = 2400;
      sample.inFlightBytes = controller.cwndBytes[c]! | 0;
      sample.deliveryRate = 1_250_000.5;
      sample.newestSentAt = now - 50_000;
      controller.onAck(c, sample);
    }
  };
  let bytes = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 24 && bytes > 4; round++) bytes = heapBytesOfSlices(10, work) / 200_000;
  expect(bytes).toBeLessThanOrEqual(4);
});
