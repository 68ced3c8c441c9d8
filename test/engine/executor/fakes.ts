/** A clock that stands still until it is moved, and a poller whose sockets are plain objects. */

import { type Clock, EDGE, type Micros, NEVER, type Notifier, type Pollable, type Poller } from '../../../sys/api.ts';

export class FakeClock implements Clock {
  micros: Micros;

  constructor(start: Micros = 1_000_000) {
    this.micros = start;
  }

  now(): Micros {
    return this.micros;
  }

  unixSeconds(): number {
    return 0;
  }
}

interface Watched {
  readonly source: Pollable;
  readonly key: number;
  interest: number;
}

/** Edge-triggered like the real ones; blocking moves the clock. `attached` and `armedFor` show what a host was told. */
export class FakePoller implements Poller {
  readonly canBlock: boolean;
  readonly keys: Int32Array = new Int32Array(64);
  readonly flags: Uint8Array = new Uint8Array(64);
  /** Calls of `modify`: each is a system call in a real poller. */
  modifications = 0;
  waits: Micros[] = [];
  armedFor: Micros = NEVER;
  attached: (() => void) | null = null;
  notified = 0;
  closed = false;
  private readonly clock: FakeClock;
  private readonly watched = new Map<Pollable, Watched>();
  private readonly queue: [number, number][] = [];

  constructor(clock: FakeClock, canBlock: boolean = true) {
    this.clock = clock;
    this.canBlock = canBlock;
  }

  add(source: Pollable, key: number, interest: number): void {
    this.watched.set(source, { source, key, interest });
  }

  modify(source: Pollable, _key: number, interest: number): void {
    this.modifications++;
    const watched = this.watched.get(source);
    if (watched === undefined) throw new Error('modify of a source that was not added');
    watched.interest = interest;
  }

  remove(source: Pollable): void {
    this.watched.delete(source);
  }

  interestOf(source: Pollable): number {
    return (this.watched.get(source)?.interest ?? 0) & ~EDGE;
  }

  /** The kernel sees `flags` on `source`. */
  signal(source: Pollable, flags: number): void {
    const watched = this.watched.get(source);
    if (watched !== undefined && (watched.interest & flags) !== 0) this.queue.push([watched.key, flags]);
  }

  wait(timeoutMicros: Micros): number {
    this.waits.push(timeoutMicros);
    if (this.queue.length === 0 && timeoutMicros !== 0) {
      if (timeoutMicros === NEVER) throw new Error('this test would wait for ever');
      this.clock.micros += timeoutMicros;
    }
    const ready = this.queue.splice(0, this.keys.length);
    ready.forEach(([key, flags], i) => {
      this.keys[i] = key;
      this.flags[i] = flags;
    });
    return ready.length;
  }

  attach(wake: () => void): void {
    this.attached = wake;
  }

  detach(): void {
    this.attached = null;
  }

  arm(deadline: Micros): void {
    this.armedFor = deadline;
  }

  notifier(): Notifier {
    return {
      handle: null,
      transfer: [],
      notify: () => {
        this.notified++;
        this.attached?.();
      },
    };
  }

  close(): void {
    this.closed = true;
  }
}
