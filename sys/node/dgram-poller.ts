/**
 * The poller over Node's own loop: nothing here can block, sockets say themselves when they become ready.
 *
 * It keeps what epoll keeps: a list of sockets that may be ready, in the order in which they became so. `wait(0)` looks at
 * each once; a level-triggered socket that is still ready goes to the end of the list again.
 */

import type { MessagePort } from 'node:worker_threads';
import { MessageChannel } from 'node:worker_threads';
import type { Micros, Notifier, Pollable, Poller } from '../api.ts';
import { EDGE, NEVER, ONESHOT, READABLE, WRITABLE } from '../api.ts';
import { sysError } from '../errno.ts';
import { LocalNotifier } from './port-notifier.ts';

/** Sockets that one `wait()` reports; the rest come with the next. */
const EVENTS_MAX = 256;
/** The longest delay of a Node timer (2^31 - 1 ms, 24 days); later deadlines are armed again when it fires. */
const TIMER_MILLIS_MAX = 0x7fff_ffff;

/** What a socket shows its pollers. */
export interface Watchable extends Pollable {
  /** READABLE and WRITABLE bits as of now. */
  readiness(): number;
  /** Those that want to hear of changes. Pollers add and remove themselves. */
  readonly watches: Watch[];
}

/** One socket in one poller. */
export interface Watch {
  readonly poller: DgramPoller;
  readonly socket: Watchable;
  key: number;
  interest: number;
  /** Changes since the last report: what EDGE reports. */
  changed: number;
  /** False after a ONESHOT report, until `modify`. */
  armed: boolean;
  /** In the list of those that may be ready. */
  listed: boolean;
  /** False once removed. */
  live: boolean;
}

/** Watches sockets of the same `DgramSys`, found by their `pollHandle`. */
export class DgramPoller implements Poller {
  readonly canBlock = false;
  readonly keys: Int32Array = new Int32Array(EVENTS_MAX);
  readonly flags: Uint8Array = new Uint8Array(EVENTS_MAX);

  private readonly now: () => Micros;
  private readonly sockets: ReadonlyMap<number, Watchable>;
  private readonly watches = new Map<number, Watch>();
  private candidates: Watch[] = [];
  private spare: Watch[] = [];
  private readonly ports: MessagePort[] = [];
  private notified = false;
  private wake: (() => void) | null = null;
  private keepAlive: NodeJS.Timeout | null = null;
  private immediate: NodeJS.Immediate | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** When `timer` fires, as far as its whole milliseconds can tell. */
  private timerAt: Micros = NEVER;
  private deadline: Micros = NEVER;
  private open = true;

  /** @param sockets the open sockets of the Sys by `pollHandle`, live */
  constructor(now: () => Micros, sockets: ReadonlyMap<number, Watchable>) {
    this.now = now;
    this.sockets = sockets;
  }

  add(source: Pollable, key: number, interest: number): void {
    const socket = this.sockets.get(source.pollHandle);
    if (socket === undefined) throw sysError('EBADF', 'add');
    if (this.watches.has(source.pollHandle)) throw sysError('EEXIST', 'add');
    const watch: Watch = {
      poller: this,
      socket,
      key: 0,
      interest: 0,
      changed: 0,
      armed: true,
      listed: false,
      live: true,
    };
    this.watches.set(source.pollHandle, watch);
    socket.watches.push(watch);
    this.change(watch, key, interest);
  }

  modify(source: Pollable, key: number, interest: number): void {
    const watch = this.watches.get(source.pollHandle);
    if (watch === undefined) throw sysError('ENOENT', 'modify');
    this.change(watch, key, interest);
  }

  remove(source: Pollable): void {
    const watch = this.watches.get(source.pollHandle);
    if (watch === undefined) return;
    this.watches.delete(source.pollHandle);
    watch.live = false; // it leaves the list of candidates when that is next walked
    const place = watch.socket.watches.indexOf(watch);
    if (place >= 0) watch.socket.watches.splice(place, 1);
  }

  wait(timeoutMicros: Micros): number {
    if (!this.open) throw sysError('EBADF', 'wait');
    if (timeoutMicros !== 0) {
      throw new Error("only wait(0) here: node:dgram learns of datagrams in Node's loop, so use attach() and arm()");
    }
    this.notified = false;
    const looked = this.candidates;
    this.candidates = this.spare;
    this.spare = looked;
    let ready = 0;
    for (let i = 0; i < looked.length; i++) {
      const watch = looked[i]!;
      if (ready === EVENTS_MAX) {
        this.candidates.push(watch);
        continue;
      }
      watch.listed = false;
      const flags = due(watch);
      watch.changed = 0;
      if (flags === 0) continue;
      this.keys[ready] = watch.key;
      this.flags[ready] = flags;
      ready++;
      if (watch.interest & ONESHOT) watch.armed = false;
      else if ((watch.interest & EDGE) === 0) this.list(watch);
    }
    looked.length = 0;
    return ready;
  }

  attach(wake: () => void): void {
    if (!this.open) throw sysError('EBADF', 'attach');
    if (this.wake !== null) throw new Error('this poller is attached already: detach() it first');
    this.wake = wake;
    // Sockets and timers here are unreferenced, as descriptors are: only an attached poller keeps a process alive.
    this.keepAlive = setInterval(() => {}, TIMER_MILLIS_MAX);
    if (this.deadline !== NEVER) this.startTimer();
    this.schedule();
  }

  detach(): void {
    this.wake = null;
    this.deadline = NEVER;
    this.stopTimer();
    if (this.keepAlive !== null) clearInterval(this.keepAlive);
    this.keepAlive = null;
    if (this.immediate !== null) clearImmediate(this.immediate);
    this.immediate = null;
  }

  arm(deadline: Micros): void {
    this.deadline = deadline;
    // A timer that fires too early finds out and starts again; only one that would be late must be replaced. So an engine
    // that moves its deadline outwards each turn costs nothing here.
    if (this.wake !== null && deadline < this.timerAt) this.startTimer();
  }

  notifier(): Notifier {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', () => this.notice());
    port1.unref();
    this.ports.push(port1);
    return new LocalNotifier(port2, () => this.notice());
  }

  close(): void {
    if (!this.open) return;
    this.detach();
    this.open = false;
    for (const watch of [...this.watches.values()]) this.remove(watch.socket);
    for (const port of this.ports) port.close();
    this.candidates.length = 0;
  }

  /** A socket says that `bits` have become true. */
  signal(watch: Watch, bits: number): void {
    const news = bits & watch.interest;
    if (news === 0 || !watch.armed) return;
    watch.changed |= news;
    this.list(watch);
    this.schedule();
  }

  private change(watch: Watch, key: number, interest: number): void {
    if (!Number.isInteger(key) || key < 0 || key > 0x7fff_ffff)
      throw new RangeError(`key ${key} is not in 0 .. 2^31 - 1`);
    watch.key = key;
    watch.interest = interest;
    watch.armed = true;
    watch.changed = 0;
    this.signal(watch, watch.socket.readiness());
  }

  private list(watch: Watch): void {
    if (watch.listed) return;
    watch.listed = true;
    this.candidates.push(watch);
  }

  private notice(): void {
    if (!this.open) return;
    this.notified = true;
    this.schedule();
  }

  /** Whether `wait(0)` has something to say. Drops the candidates at the front that are not ready after all. */
  private hasNews(): boolean {
    if (this.notified || this.deadline <= this.now()) return true;
    const { candidates } = this;
    let stale = 0;
    while (stale < candidates.length && due(candidates[stale]!) === 0) candidates[stale++]!.listed = false;
    if (stale > 0) candidates.splice(0, stale);
    return candidates.length > 0;
  }

  /** Wakes after this phase of the loop: what else arrives in it comes with the same wake-up. */
  private schedule(): void {
    if (this.wake === null || this.immediate !== null || !this.hasNews()) return;
    this.immediate = setImmediate(() => {
      this.immediate = null;
      this.fire();
    });
  }

  private fire(): void {
    if (this.wake === null) return;
    if (this.hasNews()) {
      if (this.deadline <= this.now()) this.deadline = NEVER; // this is its wake-up
      this.wake();
    }
    this.schedule();
  }

  private startTimer(): void {
    this.stopTimer();
    const left = this.deadline - this.now();
    if (left <= 0) {
      this.schedule();
      return;
    }
    const millis = Math.min(Math.ceil(left / 1000), TIMER_MILLIS_MAX);
    this.timerAt = this.deadline;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.timerAt = NEVER;
      // Node counts from the start of the loop's turn, in whole milliseconds: it may be up to one too early.
      if (this.deadline > this.now()) {
        if (this.deadline !== NEVER) this.startTimer();
        return;
      }
      // Not at once: timers come before sockets in Node's loop. After a pause of the process, a connection would be timed
      // out while the datagrams that kept it alive lie unread.
      this.schedule();
    }, millis);
    this.timer.unref();
  }

  private stopTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.timerAt = NEVER;
  }
}

/** What to report of a socket now. */
function due(watch: Watch): number {
  if (!watch.live || !watch.armed) return 0;
  const ready = watch.socket.readiness() & watch.interest & (READABLE | WRITABLE);
  return watch.interest & EDGE ? ready & watch.changed : ready;
}
