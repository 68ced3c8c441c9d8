/**
 * The sockets of a poller whose system reports what has happened, not what is so: node:dgram and completion ports.
 *
 * It keeps what epoll keeps: a list of sockets that may be ready, in the order in which they became so. `collect()` looks
 * at each once; a level-triggered socket that is still ready goes to the end of the list again.
 */

import type { Pollable } from './api.ts';
import { EDGE, ONESHOT, READABLE, WRITABLE } from './api.ts';
import { sysError } from './errno.ts';

/** Sockets that one `collect()` reports; the rest come with the next. */
const EVENTS_MAX = 256;

/** What a socket shows those that watch it. */
export interface Watchable extends Pollable {
  /** READABLE and WRITABLE bits as of now. */
  readiness(): number;
  /** Those that want to hear of changes. Lists add and remove themselves. */
  readonly watches: Watch[];
}

/** One socket in one list. */
export interface Watch {
  readonly list: WatchList;
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

/** Tells every list in which `socket` is watched that `bits` have become true. */
export function signalWatches(socket: Watchable, bits: number): void {
  const { watches } = socket;
  for (let i = 0; i < watches.length; i++) watches[i]!.list.signal(watches[i]!, bits);
}

/** Removes `socket` from every list in which it is watched. */
export function forgetWatches(socket: Watchable): void {
  for (const watch of [...socket.watches]) watch.list.remove(socket);
}

/** Watches sockets of one `Sys`, found by their `pollHandle`. */
export class WatchList {
  readonly keys: Int32Array = new Int32Array(EVENTS_MAX);
  readonly flags: Uint8Array = new Uint8Array(EVENTS_MAX);

  private readonly sockets: ReadonlyMap<number, Watchable>;
  private readonly onNews: () => void;
  private readonly watches = new Map<number, Watch>();
  private candidates: Watch[] = [];
  private spare: Watch[] = [];

  /**
   * @param sockets the open sockets of the Sys by `pollHandle`, live
   * @param onNews called when a socket may have become ready
   */
  constructor(sockets: ReadonlyMap<number, Watchable>, onNews: () => void) {
    this.sockets = sockets;
    this.onNews = onNews;
  }

  add(source: Pollable, key: number, interest: number): void {
    const socket = this.sockets.get(source.pollHandle);
    if (socket === undefined) throw sysError('EBADF', 'add');
    if (this.watches.has(source.pollHandle)) throw sysError('EEXIST', 'add');
    const watch: Watch = {
      list: this,
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

  /** Removes every socket. */
  clear(): void {
    for (const watch of [...this.watches.values()]) this.remove(watch.socket);
    this.candidates.length = 0;
  }

  /** Writes who is ready into `keys` and `flags`, and returns how many. */
  collect(): number {
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

  /** Whether `collect()` has something to say. Drops the candidates at the front that are not ready after all. */
  hasReady(): boolean {
    const { candidates } = this;
    let stale = 0;
    while (stale < candidates.length && due(candidates[stale]!) === 0) candidates[stale++]!.listed = false;
    if (stale > 0) candidates.splice(0, stale);
    return candidates.length > 0;
  }

  /** A socket says that `bits` have become true. */
  signal(watch: Watch, bits: number): void {
    const news = bits & watch.interest;
    if (news === 0 || !watch.armed) return;
    watch.changed |= news;
    this.list(watch);
    this.onNews();
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
}

/** What to report of a socket now. */
function due(watch: Watch): number {
  if (!watch.live || !watch.armed) return 0;
  const ready = watch.socket.readiness() & watch.interest & (READABLE | WRITABLE);
  return watch.interest & EDGE ? ready & watch.changed : ready;
}
