/** What the executor costs: a wake and a step of a future and of a task, and the timer wheel with 100,000 timers. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Executor } from '../../engine/executor/executor.ts';
import { Future } from '../../engine/executor/future.ts';
import type { TaskBody } from '../../engine/executor/task.ts';
import { TimerWheel } from '../../engine/executor/timer-wheel.ts';
import { type ReadyQueue, Waker } from '../../engine/executor/waker.ts';
import { type BenchOptions, type BenchReport, figure, machine, RUNS_DEFAULT } from './report.ts';

const STEPS = 1_000_000;
const TIMERS = 100_000;
/** Deadlines lie within this time: round trips, pacing, keep-alives and connection timeouts. */
const SPAN_MICROS = 10_000_000;
/** How far time goes on between two looks at the wheel: a turn of a busy server. */
const TURN_MICROS = 1_000;
/** Runs before those that count. */
const WARM_UPS = 4;
/** V8 counts its heap in pages of 256 KiB; the smallest object would be 16 bytes a step. */
const COUNTED_AS_ZERO_BYTES = 0.5;
/** Where the wheel's clock starts: weeks after boot, beyond 2^32. */
const START_MICROS = 4_000_000_000_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Nanoseconds of CPU that `work` takes, divided by `count`: on a shared machine the clock on the wall counts others too. */
function nanosEach(count: number, work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / count;
}

/** Bytes that `work` leaves on the heap, divided by `count`; measured over so little that nothing is collected meanwhile. */
function bytesEach(count: number, work: () => void): number {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  work();
  return Math.max(0, process.memoryUsage().heapUsed - before) / count;
}

/** A hand-written future consumer, as the engine's inner parts are. */
class Poller extends Waker {
  private readonly future: Future<number>;
  sum = 0;

  constructor(queue: ReadyQueue, future: Future<number>) {
    super(queue);
    this.future = future;
    this.wake();
  }

  override step(): void {
    while (this.future.poll(this)) {
      this.sum += this.future.take();
      this.future.reset();
    }
  }
}

function* consuming(future: Future<number>): TaskBody<void> {
  let sum = 0;
  for (;;) {
    sum += yield* future;
    if (sum < 0) return;
    future.reset();
  }
}

/** An executor with one consumer of `future` that waits. */
function consumer(kind: 'future' | 'task'): () => void {
  const executor = new Executor();
  const future = new Future<number>();
  if (kind === 'future') new Poller(executor.queue, future);
  else executor.spawn(consuming(future));
  executor.turn(1);
  return () => {
    for (let i = 0; i < STEPS; i++) {
      future.complete(1);
      executor.turn(256);
    }
  };
}

/** Times from now to the deadlines, from a fixed sequence (Weyl): spread over the span and in no order. */
function delays(): Float64Array {
  const out = new Float64Array(TIMERS);
  for (let i = 0; i < TIMERS; i++) out[i] = Math.floor(((i * 0.618033988749895) % 1) * SPAN_MICROS);
  return out;
}

/** One wheel for all runs: its places are used again and again, in no order, as after hours. */
class WheelBench {
  private readonly delays: Float64Array = delays();
  private readonly ids: Int32Array = new Int32Array(TIMERS);
  private readonly wheel = new TimerWheel(START_MICROS, TIMERS);
  private now = START_MICROS;
  expired = 0;
  private readonly count = (): void => {
    this.expired++;
  };

  insert(): void {
    for (let i = 0; i < TIMERS; i++) this.ids[i] = this.wheel.insert(this.now + (this.delays[i] as number), i);
  }

  rearm(): void {
    for (let i = 0; i < TIMERS; i++) {
      this.wheel.rearm(this.ids[i] as number, this.now + (this.delays[TIMERS - 1 - i] as number));
    }
  }

  cancel(): void {
    for (let i = 0; i < TIMERS; i++) this.wheel.cancel(this.ids[i] as number);
  }

  /** Lets all of them come due, a turn after the other; the cost of the turns is in it. */
  expire(): void {
    const end = this.now + SPAN_MICROS + TURN_MICROS;
    for (; this.now <= end; this.now += TURN_MICROS) this.wheel.advance(this.now, this.count);
  }
}

/** What one run measures. */
type Sample = Record<
  'future' | 'futureBytes' | 'task' | 'taskBytes' | 'insert' | 'rearm' | 'cancel' | 'expire',
  number
>;

function sample(future: () => void, task: () => void, wheel: WheelBench): Sample {
  const measured: Sample = {
    future: nanosEach(STEPS, future),
    futureBytes: bytesEach(STEPS, future),
    task: nanosEach(STEPS, task),
    taskBytes: bytesEach(STEPS, task),
    insert: nanosEach(TIMERS, () => wheel.insert()),
    rearm: nanosEach(TIMERS, () => wheel.rearm()),
    cancel: nanosEach(TIMERS, () => wheel.cancel()),
    expire: 0,
  };
  wheel.insert();
  measured.expire = nanosEach(TIMERS, () => wheel.expire());
  return measured;
}

export async function run(options: BenchOptions): Promise<BenchReport> {
  const runs = options.runs ?? RUNS_DEFAULT;
  const future = consumer('future');
  const task = consumer('task');
  const wheel = new WheelBench();
  for (let i = 0; i < WARM_UPS; i++) sample(future, task, wheel); // compiles what is measured
  wheel.expired = 0;
  const samples: Sample[] = [];
  for (let i = 0; i < runs; i++) samples.push(sample(future, task, wheel));
  if (wheel.expired !== runs * TIMERS) throw new Error(`${wheel.expired} of ${runs * TIMERS} timers expired`);
  const of = (name: keyof Sample): number[] => samples.map((one) => one[name]);
  return {
    bench: 'executor',
    machine: machine(),
    figures: [
      figure('future wake and poll', 'ns', of('future'), { op: '<=', value: 20 }),
      figure('future wake and poll allocates', 'B', of('futureBytes'), { op: '<=', value: COUNTED_AS_ZERO_BYTES }),
      figure('task wake and poll', 'ns', of('task'), { op: '<=', value: 60 }),
      figure('task wake and poll allocates', 'B', of('taskBytes'), { op: '<=', value: 48 }),
      figure('timer insert, 100,000 timers', 'ns', of('insert'), { op: '<=', value: 60 }),
      figure('timer re-arm, 100,000 timers', 'ns', of('rearm')),
      figure('timer cancel, 100,000 timers', 'ns', of('cancel'), { op: '<=', value: 25 }),
      figure('timer expire, 100,000 timers', 'ns', of('expire'), { op: '<=', value: 50 }),
    ],
    notes: ['timers lie within 10 s; expiring includes 10,000 looks at the wheel, one a millisecond'],
  };
}
