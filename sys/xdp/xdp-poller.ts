/**
 * The poller of sockets that have several descriptors: the kernel's socket and an AF_XDP socket for each queue, all under
 * one key. They lie in the epoll set of `EpollPoller`; here their reports become one.
 *
 * (A set inside the set would give one descriptor, but it could never tell that there is room to send.)
 */

import { EDGE, type Micros, type Notifier, ONESHOT, type Pollable, type Poller, READABLE } from '../api.ts';
import type { EpollPoller } from '../linux/epoll.ts';
import { XdpSocket } from './xdp-socket.ts';

/** Places for keys of one wait, a power of two: twice as many as it can report. */
const PLACES = 1024;

/** A socket that is watched under ONESHOT: whether it has been reported, by one of its descriptors. */
interface OneShot {
  fired: boolean;
}

/** Made by `XdpSys.openPoller`. */
export class XdpPoller implements Poller {
  readonly canBlock = true;
  readonly keys: Int32Array;
  readonly flags: Uint8Array;
  private readonly epoll: EpollPoller;
  /** Sockets with bells that are watched here. */
  private readonly watched = new Set<XdpSocket>();
  private readonly oneShots = new Map<number, OneShot>();
  /** Where a key of this wait stands in `keys`, in the place that its hash names, and the wait that wrote it. */
  private readonly places: Int32Array = new Int32Array(PLACES);
  private readonly placeWaits: Int32Array = new Int32Array(PLACES);
  private waits = 0;
  private readonly onClose: (poller: XdpPoller) => void;

  constructor(epoll: EpollPoller, onClose: (poller: XdpPoller) => void) {
    this.epoll = epoll;
    this.keys = epoll.keys;
    this.flags = epoll.flags;
    this.onClose = onClose;
  }

  add(source: Pollable, key: number, interest: number): void {
    this.epoll.add(source, key, interest);
    if (!(source instanceof XdpSocket)) return;
    this.watched.add(source);
    this.noteOneShot(key, interest);
    for (const bell of source.bells) {
      if (bell.pollHandle >= 0) this.epoll.add(bell, key, bellInterest(interest));
    }
  }

  modify(source: Pollable, key: number, interest: number): void {
    this.epoll.modify(source, key, interest);
    if (!(source instanceof XdpSocket)) return;
    this.watched.add(source);
    this.noteOneShot(key, interest);
    for (const bell of source.bells) {
      if (bell.pollHandle >= 0) this.epoll.modify(bell, key, bellInterest(interest));
    }
  }

  remove(source: Pollable): void {
    this.epoll.remove(source);
    if (source instanceof XdpSocket && this.watched.delete(source)) {
      for (const bell of source.bells) this.epoll.remove(bell);
    }
  }

  wait(timeoutMicros: Micros): number {
    const reported = this.epoll.wait(timeoutMicros);
    return this.watched.size === 0 ? reported : this.merge(reported);
  }

  attach(wake: () => void): void {
    this.epoll.attach(wake);
  }
  detach(): void {
    this.epoll.detach();
  }
  arm(deadline: Micros): void {
    this.epoll.arm(deadline);
  }
  notifier(): Notifier {
    return this.epoll.notifier();
  }

  close(): void {
    this.watched.clear();
    this.epoll.close();
    this.onClose(this);
  }

  /** One report a key, the flags of all its descriptors together; none for a one-shot that was reported before. */
  private merge(reported: number): number {
    const { keys, flags, places, placeWaits } = this;
    const wait = ++this.waits | 0;
    let ready = 0;
    for (let i = 0; i < reported; i++) {
      const key = keys[i]!;
      let place = Math.imul(key, 0x9e37_79b1) >>> 22;
      while (placeWaits[place] === wait && keys[places[place]!] !== key) place = (place + 1) & (PLACES - 1);
      if (placeWaits[place] === wait) {
        flags[places[place]!]! |= flags[i]!;
        continue;
      }
      if (this.hasFired(key)) continue;
      placeWaits[place] = wait;
      places[place] = ready;
      keys[ready] = key;
      flags[ready] = flags[i]!;
      ready++;
    }
    return ready;
  }

  private noteOneShot(key: number, interest: number): void {
    if (interest & ONESHOT) this.oneShots.set(key, { fired: false });
    else this.oneShots.delete(key);
  }

  /** Whether `key` is a one-shot that was reported already; it counts as reported now. */
  private hasFired(key: number): boolean {
    if (this.oneShots.size === 0) return false;
    const shot = this.oneShots.get(key);
    if (shot === undefined) return false;
    const before = shot.fired;
    shot.fired = true;
    return before;
  }
}

/** Bells ring for arrivals only. */
function bellInterest(interest: number): number {
  return interest & READABLE ? interest & (READABLE | EDGE | ONESHOT) : 0;
}
