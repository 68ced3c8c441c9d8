/** What a step allocates: nothing. Measured over 100,000 steps without a garbage collection between. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Future } from '../../../engine/executor/future.ts';
import { Runtime } from '../../../engine/executor/runtime.ts';
import type { TaskBody } from '../../../engine/executor/task.ts';
import { type Pollable, READABLE } from '../../../sys/api.ts';
import { FakeClock, FakePoller } from './fakes.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const STEPS = 100_000;
/** V8 counts its heap in pages of 256 KiB: 2.6 bytes a step. The smallest object would be 16. */
const NOISE_BYTES = 4;
/** Of a turn: 16 bytes for each time that passes through a call that is not inlined. */
const BOXED_TIMES_BYTES = 4 * 16;

/** Bytes a call of `step` leaves on the heap, after warm-up. The least of five: a collection in between only subtracts. */
function bytesPerStep(step: (i: number) => void): number {
  for (let i = 0; i < 4 * STEPS; i++) step(i);
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 5; run++) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < STEPS; i++) step(i);
    const grown = (process.memoryUsage().heapUsed - before) / STEPS;
    if (grown >= 0) least = Math.min(least, grown);
  }
  return least;
}

class QuietPoller extends FakePoller {
  ready = 0;
  override wait(): number {
    const count = this.ready;
    this.ready = 0;
    this.flags[0] = READABLE;
    return count;
  }
}

function bench(): { clock: FakeClock; poller: QuietPoller; runtime: Runtime } {
  const clock = new FakeClock(4_000_000_000_000); // numbers beyond 2^32, as after weeks
  const poller = new QuietPoller(clock);
  return { clock, poller, runtime: new Runtime({ clock }, poller) };
}

test('waking and stepping a task that waits for a future allocates nothing', () => {
  const { runtime } = bench();
  const future = new Future<number>();
  let sum = 0;
  runtime.spawn(
    (function* (): TaskBody<void> {
      for (;;) {
        sum += yield* future;
        future.reset();
      }
    })(),
  );
  runtime.executor.turn(1);
  const bytes = bytesPerStep(() => {
    future.complete(1);
    runtime.executor.turn(10);
  });
  expect(bytes).toBeLessThan(NOISE_BYTES);
  expect(sum).toBeGreaterThanOrEqual(2 * STEPS);
});

test('yielding to the next turn allocates nothing', () => {
  const { runtime } = bench();
  runtime.spawn(
    (function* (): TaskBody<void> {
      for (;;) yield* runtime.yieldNow();
    })(),
  );
  expect(bytesPerStep(() => runtime.executor.turn(10))).toBeLessThan(NOISE_BYTES);
});

test('a turn with a readable socket and a moving deadline allocates no object, only boxed times', () => {
  const { clock, poller, runtime } = bench();
  const source: Pollable = { pollHandle: 1 };
  const registration = runtime.reactor.register(source);
  registration.want(READABLE);
  poller.keys[0] = registration.key;
  let flags = 0;
  runtime.spawn(
    (function* (): TaskBody<void> {
      for (;;) flags += yield* registration.ready(clock.micros + 16_667);
    })(),
  );
  runtime.turn();
  const bytes = bytesPerStep(() => {
    clock.micros += 100;
    poller.ready = 1;
    runtime.turn();
  });
  expect(flags).toBeGreaterThanOrEqual(2 * STEPS);
  expect(bytes).toBeLessThanOrEqual(BOXED_TIMES_BYTES + NOISE_BYTES);
});

test('a sleep that is used again allocates no object, only boxed times', () => {
  const { clock, runtime } = bench();
  let slept = 0;
  runtime.spawn(
    (function* (): TaskBody<void> {
      const sleep = runtime.sleepUntil(0);
      for (;;) {
        yield* sleep.until(clock.micros + 500);
        slept++;
      }
    })(),
  );
  runtime.turn();
  const bytes = bytesPerStep(() => {
    clock.micros += 600;
    runtime.turn();
  });
  expect(slept).toBeGreaterThanOrEqual(2 * STEPS);
  expect(bytes).toBeLessThanOrEqual(BOXED_TIMES_BYTES + NOISE_BYTES);
});
