/** The runtime over a fake machine: one turn, sharing a loop, owning a thread. The real machine is in runtime-real.test.ts. */

import { describe, expect, test } from 'vitest';
import { Future } from '../../../engine/executor/future.ts';
import { futureOf } from '../../../engine/executor/promises.ts';
import { Runtime } from '../../../engine/executor/runtime.ts';
import { type TaskBody, TaskCancelled } from '../../../engine/executor/task.ts';
import { NEVER, type Pollable, READABLE } from '../../../sys/api.ts';
import { FakeClock, FakePoller } from './fakes.ts';

interface Bench {
  readonly clock: FakeClock;
  readonly poller: FakePoller;
  readonly runtime: Runtime;
  readonly log: string[];
}

function bench(canBlock: boolean = true): Bench {
  const clock = new FakeClock();
  const poller = new FakePoller(clock, canBlock);
  return { clock, poller, runtime: new Runtime({ clock }, poller), log: [] };
}

function* ticking(at: Bench, periodMicros: number, ticks: number): TaskBody<void> {
  const sleep = at.runtime.sleepUntil(0);
  let deadline = at.clock.now();
  for (let tick = 0; tick < ticks; tick++) {
    deadline += periodMicros;
    yield* sleep.until(deadline);
    at.log.push(`tick ${tick} late ${at.clock.now() - deadline}`);
  }
}

async function immediate(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

describe('turn', () => {
  test('looks at sockets, then timers, then runs tasks, and never blocks', () => {
    const at = bench();
    const source: Pollable = { pollHandle: 1 };
    const registration = at.runtime.reactor.register(source);
    registration.want(READABLE);
    at.runtime.spawn(ticking(at, 1_000, 1));
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        yield* registration.ready(NEVER);
        at.log.push('readable');
      })(),
    );
    at.runtime.turn();
    at.clock.micros += 1_008;
    at.poller.signal(source, READABLE);
    at.runtime.turn();
    expect(at.log).toEqual(['readable', 'tick 0 late 8']);
    expect(at.poller.waits.every((timeout) => timeout === 0)).toBe(true);
  });

  test('returns when it wants to run next: now while work is left, then the next deadline, then NEVER', () => {
    const at = bench();
    at.runtime.spawn(ticking(at, 1_600, 1));
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        yield* at.runtime.yieldNow();
      })(),
    );
    expect(at.runtime.turn()).toBeLessThanOrEqual(at.clock.now());
    expect(at.runtime.turn()).toBe(at.clock.now() + 1_600);
    at.clock.micros += 1_600;
    expect(at.runtime.turn()).toBe(NEVER);
    expect(at.log).toEqual(['tick 0 late 0']);
  });

  test('counts in deadline() what was woken or set since the turn', () => {
    const at = bench();
    expect(at.runtime.turn()).toBe(NEVER);
    void at.runtime.sleep(3_200);
    expect(at.runtime.deadline()).toBe(at.clock.now() + 3_200);
    at.runtime.spawn(ticking(at, 1, 1));
    expect(at.runtime.deadline()).toBeLessThanOrEqual(at.clock.now());
  });

  test('leaves work for the next turn when the budget is used up, and looks at sockets between', () => {
    const at = bench();
    function* once(): TaskBody<void> {
      at.log.push('step');
    }
    for (let i = 0; i < 600; i++) at.runtime.spawn(once());
    let turns = 0;
    do turns++;
    while (at.runtime.turn() !== NEVER);
    expect(at.log).toHaveLength(600);
    expect(turns).toBe(3);
    expect(at.poller.waits).toHaveLength(3);
  });

  test('is refused inside a turn', () => {
    const at = bench();
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        at.runtime.turn();
      })(),
    );
    expect(() => at.runtime.turn()).toThrow('turn() inside a turn');
    expect(at.runtime.turn()).toBe(NEVER);
  });

  test('steps a world of its own: a hundred ticks take a hundred turns and no more', () => {
    const at = bench();
    at.runtime.spawn(ticking(at, 16_667, 100));
    let turns = 0;
    for (let next = at.runtime.turn(); next !== NEVER; next = at.runtime.turn()) {
      at.clock.micros = Math.max(at.clock.micros, next);
      turns++;
    }
    expect(turns).toBe(100);
    expect(at.log).toHaveLength(100);
    for (const line of at.log) expect(Number(line.split(' ').at(-1))).toBeLessThan(16);
  });
});

describe('promises at the door', () => {
  test('sleep resolves at its deadline, in the order of deadlines', async () => {
    const at = bench();
    void at.runtime.sleep(2_000).then(() => at.log.push('two'));
    void at.runtime.sleep(1_000).then(() => at.log.push('one'));
    at.clock.micros += 999;
    at.runtime.turn();
    await immediate();
    expect(at.log).toEqual([]);
    at.clock.micros += 1_100;
    at.runtime.turn();
    await immediate();
    expect(at.log).toEqual(['one', 'two']);
  });

  test('promiseOf gives the result of a task, its error, or TaskCancelled, and nothing is reported twice', async () => {
    const at = bench();
    const reported: unknown[] = [];
    at.runtime.executor.onError = (error) => reported.push(error);
    function* body(outcome: string): TaskBody<string> {
      if (outcome === 'bad') throw new Error('bad');
      if (outcome === 'long') yield* new Future<void>();
      return outcome;
    }
    const good = at.runtime.promiseOf(at.runtime.spawn(body('good')));
    const bad = at.runtime.promiseOf(at.runtime.spawn(body('bad')));
    const longTask = at.runtime.spawn(body('long'));
    const long = at.runtime.promiseOf(longTask);
    const expectations = Promise.all([
      expect(good).resolves.toBe('good'),
      expect(bad).rejects.toThrow('bad'),
      expect(long).rejects.toThrow(TaskCancelled),
    ]);
    at.runtime.turn();
    longTask.cancel();
    at.runtime.turn();
    await expectations;
    expect(reported).toEqual([]);
    const settled = at.runtime.promiseOf(longTask);
    at.runtime.turn();
    await expect(settled).rejects.toThrow(TaskCancelled);
  });

  test('futureOf lets a task wait for a promise', async () => {
    const at = bench();
    const task = at.runtime.spawn(
      (function* (): TaskBody<string> {
        try {
          yield* futureOf(Promise.reject(new Error('refused')));
        } catch (error) {
          return `${(error as Error).message} ${yield* futureOf(Promise.resolve('then granted'))}`;
        }
        return 'nothing';
      })(),
    );
    for (let i = 0; i < 4; i++) {
      at.runtime.turn();
      await immediate();
    }
    expect(task.done.take()).toBe('refused then granted');
  });
});

describe('attach', () => {
  test('turns when the poller wakes it, and arms the poller for the next deadline', async () => {
    const at = bench();
    at.runtime.attach();
    at.runtime.spawn(ticking(at, 1_600, 2));
    await immediate();
    expect(at.poller.armedFor).toBe(at.clock.now() + 1_600);
    at.clock.micros += 1_600;
    at.poller.attached?.();
    expect(at.log).toEqual(['tick 0 late 0']);
    expect(at.poller.armedFor).toBe(at.clock.now() + 1_600);
    at.runtime.detach();
    expect(at.poller.attached).toBe(null);
  });

  test('has a turn soon after something was spawned, woken or set from outside', async () => {
    const at = bench();
    at.runtime.attach();
    await immediate();
    const future = new Future<void>();
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        at.log.push('spawned');
        yield* future;
        at.log.push('woken');
      })(),
    );
    await immediate();
    expect(at.log).toEqual(['spawned']);
    future.complete();
    await immediate();
    expect(at.log).toEqual(['spawned', 'woken']);
    void at.runtime.sleep(320).then(() => at.log.push('slept'));
    await immediate();
    expect(at.poller.armedFor).toBe(at.clock.now() + 320);
    at.clock.micros += 320;
    at.poller.attached?.();
    await immediate();
    expect(at.log.at(-1)).toBe('slept');
    at.runtime.detach();
  });

  test('lets Node go first while a task always has work', async () => {
    const at = bench();
    let rounds = 0;
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        for (;;) {
          rounds++;
          yield* at.runtime.yieldNow();
        }
      })(),
    );
    at.runtime.attach();
    for (let i = 0; i < 5; i++) {
      const before = rounds;
      await immediate();
      await immediate();
      expect(rounds - before).toBeLessThanOrEqual(3);
    }
    expect(rounds).toBeGreaterThan(3);
    at.runtime.detach();
    await immediate();
    const after = rounds;
    await immediate();
    expect(rounds).toBe(after);
  });

  test('does not arm the poller again for a deadline that moves back: it wakes for nothing once', async () => {
    const at = bench();
    const source: Pollable = { pollHandle: 1 };
    const registration = at.runtime.reactor.register(source);
    registration.want(READABLE);
    let arms = 0;
    const arm = at.poller.arm.bind(at.poller);
    at.poller.arm = (deadline) => {
      arms++;
      arm(deadline);
    };
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        for (;;) yield* registration.ready(at.clock.now() + 16_000);
      })(),
    );
    at.runtime.attach();
    await immediate();
    for (let i = 0; i < 100; i++) {
      at.clock.micros += 100;
      at.poller.signal(source, READABLE);
      at.poller.attached?.();
    }
    expect(arms).toBe(1);
    at.clock.micros = at.poller.armedFor;
    at.poller.attached?.();
    expect(arms).toBe(2);
    at.runtime.detach();
  });

  test('listens again when something is spawned between a kick and its turn, though the poller has had it park meanwhile', async () => {
    const at = bench();
    at.runtime.attach({ keepAlive: false });
    await immediate();
    expect(at.poller.attached).toBe(null); // nothing to do
    at.runtime.spawn(ticking(at, 1_600, 0));
    at.poller.attached?.(); // before the turn that the spawn asked for: the task ends, and nothing is left again
    expect(at.poller.attached).toBe(null);
    at.runtime.spawn(ticking(at, 1_600, 1));
    await immediate();
    at.clock.micros = at.poller.armedFor;
    at.poller.attached?.();
    expect(at.log).toEqual(['tick 0 late 0']);
    at.runtime.detach();
  });

  test('is refused while it is driven already', () => {
    const at = bench();
    at.runtime.attach();
    expect(() => at.runtime.attach()).toThrow('driven already');
    expect(() => at.runtime.run()).toThrow('driven already');
    at.runtime.detach();
  });

  test('cancels tasks on stop(), waits for their finally blocks and detaches', async () => {
    const at = bench();
    function* serving(): TaskBody<void> {
      try {
        yield* new Future<void>();
      } finally {
        yield* at.runtime.sleepUntil(at.clock.now() + 160);
        at.log.push('out');
      }
    }
    at.runtime.spawn(serving());
    at.runtime.attach();
    await immediate();
    at.runtime.stop();
    expect(at.poller.notified).toBe(1);
    expect(at.log).toEqual([]);
    expect(at.runtime.stopped).toBe(false);
    at.clock.micros += 160;
    at.poller.attached?.();
    expect(at.log).toEqual(['out']);
    expect(at.runtime.stopped).toBe(true);
    expect(at.poller.attached).toBe(null);
  });
});

describe('run', () => {
  test('blocks until the next deadline when nothing is ready', async () => {
    const at = bench();
    at.runtime.spawn(ticking(at, 4_000, 3));
    await at.runtime.run({ until: () => at.log.length === 3 });
    expect(at.log).toEqual(['tick 0 late 0', 'tick 1 late 0', 'tick 2 late 0']);
    expect(at.poller.waits.filter((timeout) => timeout > 0)).toEqual([4_000, 4_000, 4_000]);
  });

  test('never blocks longer than 50 ms, and looks at the loop of Node then', async () => {
    const at = bench();
    let immediates = 0;
    let go = true;
    const count = (): void => {
      immediates++;
      if (go) setImmediate(count);
    };
    setImmediate(count);
    let turns = 0;
    await at.runtime.run({ until: () => ++turns > 20 });
    go = false;
    expect(Math.max(...at.poller.waits)).toBeLessThanOrEqual(50_000);
    expect(immediates).toBeGreaterThan(10);
  });

  test('settles promises after every turn, so that a game written with await goes on', async () => {
    const at = bench();
    const game = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        await at.runtime.sleep(1_600);
        at.log.push(`round ${i} at ${at.clock.now()}`);
      }
      at.runtime.stop();
    };
    const start = at.clock.now();
    void game();
    await at.runtime.run();
    expect(at.log).toEqual([1, 2, 3, 4, 5].map((i) => `round ${i - 1} at ${start + i * 1_600}`));
  });

  test('spins before it blocks, less and less as long as nothing comes', async () => {
    const at = bench();
    const spinning = at.poller.wait.bind(at.poller);
    at.poller.wait = (timeout) => {
      if (timeout === 0) at.clock.micros += 10; // what a look costs
      return spinning(timeout);
    };
    at.runtime.spawn(ticking(at, 16_000, 12));
    await at.runtime.run({ spinMicros: 400, until: () => at.log.length === 12 });
    const looks: number[] = [0];
    for (const timeout of at.poller.waits) {
      if (timeout === 0) looks[looks.length - 1] = (looks.at(-1) as number) + 1;
      else looks.push(0);
    }
    expect(looks.length).toBeGreaterThan(8);
    expect(looks[1]).toBeGreaterThanOrEqual(20);
    expect(looks.at(-2)).toBeLessThanOrEqual(4);
    for (const line of at.log) expect(Number(line.split(' ').at(-1))).toBeLessThan(32);
  });

  test('rejects with what a turn throws, and can run again', async () => {
    const at = bench();
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        throw new Error('broken game');
      })(),
    );
    await expect(at.runtime.run()).rejects.toThrow('broken game');
    let turns = 0;
    await at.runtime.run({ until: () => ++turns === 2 });
    expect(turns).toBe(2);
  });

  test('shares the loop of Node where the poller cannot block', async () => {
    const at = bench(false);
    const ended = at.runtime.run();
    await immediate();
    expect(at.poller.attached).not.toBe(null);
    at.runtime.stop();
    await ended;
    expect(at.poller.attached).toBe(null);
    expect(at.poller.waits.every((timeout) => timeout === 0)).toBe(true);
  });

  test('names the tasks that do not end within two seconds of stop()', async () => {
    const at = bench();
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        try {
          yield* new Future<void>();
        } finally {
          yield* new Future<void>();
        }
      })(),
      'stubborn',
    );
    at.runtime.turn();
    at.runtime.stop();
    await expect(at.runtime.run()).rejects.toThrow('stubborn');
  });
});

describe('close', () => {
  test('runs finally blocks, detaches and closes the poller', async () => {
    const at = bench();
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        try {
          yield* new Future<void>();
        } finally {
          at.log.push('out');
        }
      })(),
    );
    at.runtime.attach();
    await immediate();
    at.runtime.close();
    at.runtime.close();
    expect(at.log).toEqual(['out']);
    expect(at.poller.closed).toBe(true);
    expect(at.poller.attached).toBe(null);
  });
});
