/**
 * A poller in the simulated world: level, edge and one-shot readiness as epoll has them, waking through the event queue.
 *
 * `attach` and `arm` become events of the world, so the engine runs over it as it does over Node's loop. It cannot
 * block: only the world lets time pass.
 */

import {
  EDGE,
  type Micros,
  NEVER,
  type Notifier,
  ONESHOT,
  type Pollable,
  type Poller,
  READABLE,
  SysError,
  WRITABLE,
} from '../../sys/api.ts';
import type { SimHost } from './host.ts';
import type { Network } from './network.ts';
import type { SimSocket } from './sim-socket.ts';
import { DUE_DEADLINE, DUE_WAKE } from './timeline.ts';

/** Sockets that one `wait` reports; the others wait for the next. */
const EVENTS_PER_WAIT = 256;
/** What a turn of Node's loop takes that finds a socket still unread: so that a program that never reads gets nowhere fast. */
const LOOP_TURN_MICROS: Micros = 10;
const BOTH = READABLE | WRITABLE;

/** Tells which simulated sockets have something to do. */
export class SimPoller implements Poller {
  readonly canBlock = false;
  readonly keys: Int32Array = new Int32Array(EVENTS_PER_WAIT);
  readonly flags: Uint8Array = new Uint8Array(EVENTS_PER_WAIT);
  readonly host: SimHost;

  readonly #network: Network;
  readonly #id: number;
  #wake: (() => void) | null = null;
  /** Time of the earliest wake event in the queue. */
  #wakeEvent: Micros = NEVER;
  #notified = false;
  /** What `arm` asked for, by the host's clock. */
  #armedFor: Micros = NEVER;
  /** The same in world time. */
  #deadline: Micros = NEVER;
  /** Time of the deadline event that counts; others in the queue are left-overs of earlier arming. */
  #deadlineEvent: Micros = NEVER;
  #firstReady: Registration | null = null;
  #lastReady: Registration | null = null;
  #readyCount = 0;
  readonly #registrations: Set<Registration> = new Set();
  #closed = false;
  /** It went with its host: what code that outlives it still asks for does nothing. */
  #dead = false;

  constructor(network: Network, host: SimHost, id: number) {
    this.#network = network;
    this.host = host;
    this.#id = id;
  }

  add(source: Pollable, key: number, interest: number): void {
    if (this.#dead) return;
    this.#checkOpen('epoll_ctl');
    const socket = this.#network.socketOf(source.pollHandle);
    if (socket === null) throw new SysError('EBADF', 'epoll_ctl', 'the socket is closed; add it before closing it');
    if (this.#registrationOf(source) !== null) {
      throw new SysError('EEXIST', 'epoll_ctl', 'the socket is already watched; use modify(), or remove() it first');
    }
    const registration = new Registration(this, socket, key);
    socket.registrations.push(registration);
    this.#registrations.add(registration);
    registration.arm(key, interest);
  }

  modify(source: Pollable, key: number, interest: number): void {
    if (this.#dead) return;
    this.#checkOpen('epoll_ctl');
    const registration = this.#registrationOf(source);
    if (registration === null) {
      throw new SysError('ENOENT', 'epoll_ctl', 'the socket is not watched by this poller; add() it first');
    }
    registration.arm(key, interest);
  }

  remove(source: Pollable): void {
    const registration = this.#registrationOf(source);
    if (registration === null) return;
    const watchers = registration.socket.registrations;
    watchers.splice(watchers.indexOf(registration), 1);
    this.#registrations.delete(registration);
    registration.forget();
  }

  wait(timeoutMicros: Micros): number {
    if (timeoutMicros !== 0) {
      throw new Error('a simulated poller cannot block: call wait(0), or attach() and arm() (canBlock is false)');
    }
    this.#notified = false;
    let count = 0;
    // Each registration is looked at once: what stays ready goes to the back of the queue.
    for (let left = this.#readyCount; left > 0 && count < EVENTS_PER_WAIT; left--) {
      const registration = this.#firstReady!;
      this.#unlink(registration);
      const flags = registration.report();
      if (flags === 0) continue;
      this.keys[count] = registration.key;
      this.flags[count] = flags;
      count++;
    }
    return count;
  }

  attach(wake: () => void): void {
    if (this.#dead) return;
    this.#checkOpen('attach');
    if (this.#wake !== null) throw new Error('a poller is attached once: detach() it first');
    this.#wake = wake;
    if (this.#hasNews()) this.requestWake();
    this.#scheduleDeadline();
  }

  detach(): void {
    this.#wake = null;
    this.#armedFor = NEVER;
    this.#deadline = NEVER;
  }

  arm(deadline: Micros): void {
    this.#armedFor = deadline;
    this.#deadline = this.host.clock.worldTime(deadline);
    if (this.#wake !== null) this.#scheduleDeadline();
  }

  /** The host's clock was changed: its deadline is at another world time. */
  aimAnew(): void {
    if (this.#deadline !== NEVER) this.arm(this.#armedFor);
  }

  notifier(): Notifier {
    const notify = (): void => {
      if (this.#closed) return;
      this.#notified = true;
      this.requestWake();
    };
    return { handle: null, transfer: [], notify };
  }

  close(): void {
    if (this.#closed) return;
    for (const registration of this.#registrations) this.remove(registration.socket);
    this.detach();
    this.#closed = true;
    this.#network.forgetPoller(this.#id);
  }

  /** Its host has crashed. */
  die(): void {
    this.#dead = true;
    this.close();
  }

  /** The world: a wake event of this poller is due. True when its owner was called. */
  onWake(): boolean {
    this.#wakeEvent = NEVER;
    // Nothing when it was read, removed or silenced since.
    return this.#hasNews() && this.#callOwner();
  }

  /** The world: a deadline event of this poller is due. True when its owner was called. */
  onDeadline(): boolean {
    return this.deadlineCounts && this.onLateDeadline();
  }

  /** Whether the deadline event of this instant is the one that counts; else it is left over from earlier arming. */
  get deadlineCounts(): boolean {
    return this.#network.timeline.now === this.#deadlineEvent;
  }

  /** The world: a deadline event that counted had to wait until now, since the host could not run. */
  onLateDeadline(): boolean {
    this.#deadlineEvent = NEVER;
    if (this.#deadline > this.#network.timeline.now) {
      this.#scheduleDeadline();
      return false;
    }
    this.#deadline = NEVER;
    return this.#callOwner();
  }

  /** A registration has something to report: puts it at the back and wakes the owner at this instant. */
  markReady(registration: Registration): void {
    this.link(registration);
    this.requestWake();
  }

  /** Puts a registration at the back of the queue of those to look at. */
  link(registration: Registration): void {
    if (registration.linked) return;
    registration.linked = true;
    registration.previous = this.#lastReady;
    if (this.#lastReady === null) this.#firstReady = registration;
    else this.#lastReady.next = registration;
    this.#lastReady = registration;
    this.#readyCount++;
  }

  /** Takes a registration out of the queue of ready ones, if it is there. */
  markSilent(registration: Registration): void {
    if (registration.linked) this.#unlink(registration);
  }

  /** Calls the owner at this instant, once however often it is asked. */
  requestWake(): void {
    this.#scheduleWake(this.#network.timeline.now);
  }

  /** Whether a wait would say something, or was asked to return. Forgets what is no longer ready. */
  #hasNews(): boolean {
    while (this.#firstReady !== null && this.#firstReady.wanted === 0) this.#unlink(this.#firstReady);
    return this.#readyCount > 0 || this.#notified;
  }

  #scheduleWake(time: Micros): void {
    if (this.#wake === null || time >= this.#wakeEvent) return;
    this.#wakeEvent = time;
    this.#network.timeline.schedule(time, DUE_WAKE, this.#id);
  }

  #callOwner(): boolean {
    if (this.#wake === null) return false;
    this.#wake();
    // Node's loop calls again while something is ready and unread, a turn of it later; so does this one.
    if (this.#hasNews()) this.#scheduleWake(this.#network.timeline.now + LOOP_TURN_MICROS);
    return true;
  }

  #scheduleDeadline(): void {
    if (this.#deadline >= this.#deadlineEvent) return;
    const now = this.#network.timeline.now;
    this.#deadlineEvent = Math.max(this.#deadline, now);
    this.#network.timeline.schedule(this.#deadlineEvent, DUE_DEADLINE, this.#id);
  }

  #unlink(registration: Registration): void {
    if (registration.previous === null) this.#firstReady = registration.next;
    else registration.previous.next = registration.next;
    if (registration.next === null) this.#lastReady = registration.previous;
    else registration.next.previous = registration.previous;
    registration.linked = false;
    registration.previous = null;
    registration.next = null;
    this.#readyCount--;
  }

  #registrationOf(source: Pollable): Registration | null {
    const watchers = this.#network.socketOf(source.pollHandle)?.registrations ?? [];
    return watchers.find((registration) => registration.poller === this) ?? null;
  }

  #checkOpen(syscall: string): void {
    if (this.#closed) throw new SysError('EBADF', syscall, 'the poller is closed; open another one');
  }
}

/** One socket watched by one poller. */
export class Registration {
  readonly poller: SimPoller;
  readonly socket: SimSocket;
  key: number;
  /** Links of the poller's queue of ready registrations. */
  linked = false;
  previous: Registration | null = null;
  next: Registration | null = null;

  #interest = 0;
  /** Edge: changes not yet reported. */
  #changes = 0;
  /** One-shot: reported, so silent until `modify`. */
  #spent = false;

  constructor(poller: SimPoller, socket: SimSocket, key: number) {
    this.poller = poller;
    this.socket = socket;
    this.key = key;
  }

  /** New interest; what is already ready counts as a change. */
  arm(key: number, interest: number): void {
    this.key = key;
    this.#interest = interest;
    this.#spent = false;
    this.#changes = this.socket.readiness;
    if (this.wanted !== 0) this.poller.markReady(this);
    else this.poller.markSilent(this);
  }

  /** The socket became readable or writable (again). */
  changed(flags: number): void {
    this.#changes |= flags;
    if (this.wanted !== 0) this.poller.markReady(this);
  }

  /** What to report now; for level interest that is still ready, queues itself again. 0: nothing after all. */
  report(): number {
    const flags = this.wanted;
    if (flags === 0) return 0;
    this.#changes &= ~flags;
    if ((this.#interest & ONESHOT) !== 0) this.#spent = true;
    if (this.wanted !== 0) this.poller.link(this);
    return flags;
  }

  forget(): void {
    this.#interest = 0;
    this.poller.markSilent(this);
  }

  /** What would be reported now. */
  get wanted(): number {
    if (this.#spent) return 0;
    const ready = (this.#interest & EDGE) !== 0 ? this.#changes & this.socket.readiness : this.socket.readiness;
    return ready & this.#interest & BOTH;
  }
}
