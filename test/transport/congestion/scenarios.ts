/** The scenarios that the README's table is made of. Each is a function of nothing but its arguments. */

import { Bottleneck, type Path, WIRE_OVERHEAD_BYTES } from './bottleneck.ts';
import { jain, waitMillis } from './figures.ts';
import { OwnFlow } from './own-flow.ts';
import { RenoFlow } from './reno-flow.ts';

export const SECOND = 1_000_000;
export const MBIT = 125_000;
const PAYLOAD_SHARE = 1200 / (1200 + WIRE_OVERHEAD_BYTES);

/** Buffer bytes that hold so many milliseconds. */
export function bufferOf(bytesPerSecond: number, millis: number): number {
  return (bytesPerSecond * millis) / 1000;
}

/** Payload megabytes a second of one bulk transfer over a fast, lossy path. */
export function fatPipe(loss: number, from: number, to: number, seed = 1): { megabytes: number; lost: number } {
  const rate = 400 * MBIT;
  const world = new Bottleneck({ bytesPerSecond: rate, bufferBytes: bufferOf(rate, 50), loss }, seed);
  const flow = new OwnFlow(world, { rttMicros: 50_000, bulk: true }, 0);
  flow.receiver.windowFrom = from * SECOND;
  world.run(to * SECOND);
  return { megabytes: flow.receiver.bytesInWindow / 1e6 / (to - from), lost: flow.ring.lost / flow.ring.next };
}

export interface Alone {
  /** Share of the link's payload rate, real time included. */
  readonly use: number;
  readonly p50: number;
  readonly p99: number;
  readonly startMax: number;
  readonly lost: number;
}

/** Bulk and a game of 60 packets of 100 bytes a second in one connection, on a path of 10 Mbit/s and 50 ms. */
export function alone(
  path: Partial<Path>,
  seconds: number,
  options: { rate?: number; seed?: number; from?: number } = {},
): Alone {
  const rate = options.rate ?? 10 * MBIT;
  const from = options.from ?? 3;
  const world = new Bottleneck({ bytesPerSecond: rate, bufferBytes: bufferOf(rate, 250), ...path }, options.seed ?? 1);
  const flow = new OwnFlow(world, { rttMicros: 50_000, bulk: true, tick: { hz: 60, bytes: 100 } }, 0);
  flow.receiver.windowFrom = from * SECOND;
  world.run(seconds * SECOND);
  // Random loss after the bottleneck is not the controller's.
  const possible = rate * (seconds - from) * (1 - (path.loss ?? 0));
  const realTime = 60 * (seconds - from) * WIRE_OVERHEAD_BYTES * (1 - (path.loss ?? 0));
  return {
    use: (flow.receiver.bytesInWindow / PAYLOAD_SHARE + realTime) / possible,
    p50: waitMillis(world, from * SECOND, seconds * SECOND, 0.5, true),
    p99: waitMillis(world, from * SECOND, seconds * SECOND, 0.99, true),
    startMax: waitMillis(world, 0, 3 * SECOND, 1, false),
    lost: flow.ring.lost / flow.ring.next,
  };
}

/** Jain's index between bulk flows of ours that start 5 s apart, over the 60 s after the last start. */
export function fairness(
  megabits: number,
  rtts: readonly number[],
  seed = 1,
): { jain: number; rates: number[]; use: number; p99: number } {
  const rate = megabits * MBIT;
  const world = new Bottleneck({ bytesPerSecond: rate, bufferBytes: bufferOf(rate, 250) }, seed);
  const last = (rtts.length - 1) * 5;
  // Seeds move the starts by up to a quarter of a second.
  const flows = rtts.map(
    (rtt, i) =>
      new OwnFlow(world, { rttMicros: rtt * 1000, bulk: true }, i * 5 * SECOND + Math.floor(world.random() * 250_000)),
  );
  for (const flow of flows) flow.receiver.windowFrom = last * SECOND;
  world.run((last + 60) * SECOND);
  const rates = flows.map((flow) => flow.receiver.bytesInWindow / 60 / MBIT);
  return {
    jain: jain(rates),
    rates,
    use: rates.reduce((a, b) => a + b, 0) / megabits / PAYLOAD_SHARE,
    p99: waitMillis(world, (last + 5) * SECOND, (last + 60) * SECOND, 0.99, false),
  };
}

/** Against NewReno: both rates in Mbit/s over 60 s, and, after it has left, how long until the queue is short again. */
export function against(
  megabits: number,
  bufferMillis: number,
  order: 'first' | 'second' | 'together',
  seed = 1,
): { jain: number; ours: number; theirs: number; backAfter: number } {
  const rate = megabits * MBIT;
  const world = new Bottleneck({ bytesPerSecond: rate, bufferBytes: bufferOf(rate, bufferMillis) }, seed);
  const from = order === 'together' ? 0 : 5;
  const flow = new OwnFlow(world, { rttMicros: 50_000, bulk: true }, order === 'second' ? 5 * SECOND : 0);
  const shift = Math.floor(world.random() * 250_000);
  const reno = new RenoFlow(world, 50_000, (order === 'first' ? 5 * SECOND : 0) + shift);
  for (const one of [flow, reno]) {
    one.receiver.windowFrom = from * SECOND;
    one.receiver.windowTo = (from + 60) * SECOND;
  }
  world.run((from + 60) * SECOND);
  reno.active = false;
  world.run((from + 75) * SECOND);
  const ours = flow.receiver.bytesInWindow / 60 / MBIT;
  const theirs = reno.receiver.bytesInWindow / 60 / MBIT;
  const gone = (from + 60) * SECOND;
  let backAfter = 0;
  for (const wait of world.waits) if (wait.at > gone && wait.wait > 12_000) backAfter = (wait.at - gone) / SECOND;
  return { jain: jain([ours, theirs]), ours, theirs, backAfter };
}

/** Share of the link used in each of the given spans of a path that changes. */
export function changing(
  path: Path,
  rttChanges: readonly (readonly [atSeconds: number, rttMicros: number])[],
  spans: readonly (readonly [fromSeconds: number, toSeconds: number, bytesPerSecond: number])[],
  seed = 1,
): { use: number; p99: number }[] {
  const world = new Bottleneck(path, seed);
  const flow = new OwnFlow(world, { rttMicros: 50_000, bulk: true, tick: { hz: 60, bytes: 100 } }, 0);
  for (const [at, rtt] of rttChanges) {
    world.call(at * SECOND, () => {
      flow.rttMicros = rtt;
    });
  }
  return spans.map(([from, to, rate]) => {
    world.run(from * SECOND);
    const before = flow.receiver.bytes;
    world.run(to * SECOND);
    const got = (flow.receiver.bytes - before) / PAYLOAD_SHARE + 60 * (to - from) * WIRE_OVERHEAD_BYTES;
    return {
      use: got / (rate * (to - from)),
      p99: waitMillis(world, from * SECOND, to * SECOND, 0.99, true),
    };
  });
}

/** A game that sends what its budget allows on 1 Mbit/s; at 20 s the rate halves. */
export function budgetGame(
  options: { hz?: number; seed?: number; path?: Partial<Path>; rate?: number; bulk?: boolean; rttMicros?: number } = {},
): {
  use: number;
  p99: number;
  halvedUse: number;
  halvedMax: number;
  underAfter: number;
} {
  const rate = options.rate ?? MBIT;
  const world = new Bottleneck(
    { bytesPerSecond: rate, bufferBytes: bufferOf(rate, 100), rateChanges: [[30 * SECOND, rate / 2]], ...options.path },
    options.seed ?? 1,
  );
  const flow = new OwnFlow(
    world,
    {
      rttMicros: options.rttMicros ?? 50_000,
      bulk: options.bulk ?? false,
      tick: { hz: options.hz ?? 60, bytes: 'budget' },
    },
    0,
  );
  world.run(5 * SECOND);
  const before = flow.receiver.bytes;
  const packets = flow.receiver.log.length;
  world.run(30 * SECOND);
  const got = flow.receiver.bytes - before + (flow.receiver.log.length - packets) * WIRE_OVERHEAD_BYTES;
  world.run(35 * SECOND);
  const middle = flow.receiver.bytes;
  const middlePackets = flow.receiver.log.length;
  world.run(50 * SECOND);
  const rest = flow.receiver.bytes - middle + (flow.receiver.log.length - middlePackets) * WIRE_OVERHEAD_BYTES;
  let underAfter = 0;
  for (const wait of world.waits) if (wait.at > 30 * SECOND && wait.wait > 60_000) underAfter = wait.at / SECOND - 30;
  return {
    use: got / (rate * 25),
    p99: waitMillis(world, 5 * SECOND, 30 * SECOND, 0.99, true),
    halvedUse: rest / ((rate / 2) * 15),
    halvedMax: waitMillis(world, 30 * SECOND, 50 * SECOND, 1, true),
    underAfter,
  };
}
