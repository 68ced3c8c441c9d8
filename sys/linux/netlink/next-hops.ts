/**
 * Ways to destinations: which interface, MACs, source address and MTU a frame to an address needs, as the kernel's routing
 * and neighbour tables say.
 *
 * Only what the kernel knows for sure is usable. For anything else `find` answers -1 and the caller lets the kernel send
 * that datagram, which also makes the kernel resolve the neighbour; a later look then finds it. A neighbour that has gone
 * stale counts as unknown for the same reason: the kernel must go on verifying it, and does so only when it sends itself.
 *
 * News of the kernel (links, addresses, routes, rules, neighbours) invalidate rows at once; questions are asked at a
 * bounded rate. A destination that was never seen costs a question before it gets a row, so that floods of made-up
 * addresses can neither grow the table nor push out, in a hurry, those that are in use.
 */

import type { Micros, Rng } from '../../api.ts';
import { isMapped } from '../../posix/sockaddr.ts';
import { Destinations, KEY_WORDS } from './destinations.ts';
import { copyMac, Links, MAC_BYTES } from './links.ts';
import { Lookup } from './lookup.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import { News } from './news.ts';

/** Destinations that have a row: several times the players of a large server. About 110 bytes each. */
const ROWS_DEFAULT = 4096;
/** Questions a second about new or forgotten destinations, and how many may be asked at once. Each takes about 15 us. */
const QUESTIONS_A_SECOND = 2000;
const QUESTIONS_AT_ONCE = 512;
/** How long a neighbour that is not usable is left to the kernel before it is looked at again. */
const NEIGHBOUR_RETRY_MICROS = 10_000;
/** The same for a destination that cannot be reached by frames at all: loopback, multicast, no route. */
const REFUSED_RETRY_MICROS = 1_000_000;
/** A row is asked for again after this long even without news: not every change of the kernel's mind is told. */
const ROW_LIFE_MICROS = 30_000_000;

/** Rows whose age one look checks, and how often: all of them are checked about once a second. */
const ROWS_A_SWEEP = 64;
const SWEEP_MICROS = 10_000;

/** What is known of a row's way. */
const ROUTE_UNKNOWN = 0;
const NEIGHBOUR_UNKNOWN = 1;
const USABLE = 2;
const REFUSED = 3;

/** What is counted, since the beginning. */
export interface NextHopStats {
  /** Questions about routes and about neighbours. */
  routeQuestions: number;
  neighbourQuestions: number;
  /** Not asked, as too many had been. */
  questionsSaved: number;
  /** Times that news made rows be forgotten or brought another MAC. */
  changes: number;
  /** News were lost, so everything was forgotten. */
  overruns: number;
}

export interface NextHopOptions {
  /** A power of two, at least 8. Default 4,096. */
  readonly rows?: number;
}

/** The table. It belongs to the network namespace in which it was opened. */
export class NextHops {
  readonly rows: number;
  /** Interface through which frames leave, by the kernel's number. */
  readonly interfaceIndex: Int32Array;
  /** Largest IP packet that the interface takes. */
  readonly mtuBytes: Int32Array;
  /** Source address, 4 canonical words a row. */
  readonly source: Int32Array;
  /** 12 bytes a row, as a frame begins: MAC of the next hop, MAC of the interface. */
  readonly macs: Uint8Array;
  /**
   * Another number whenever any of the above, or the destination of the row, may be another, and when the row is too old:
   * whoever keeps what `find` told asks again then. Wraps; compare for equality.
   */
  readonly version: Int32Array;
  /** 1 by row: set by whoever uses a row that it keeps, so that the row is not given to another destination. */
  readonly recent: Uint8Array;
  readonly stats: NextHopStats = {
    routeQuestions: 0,
    neighbourQuestions: 0,
    questionsSaved: 0,
    changes: 0,
    overruns: 0,
  };
  private readonly destinations: Destinations;
  /** Address of the neighbour that takes the frames: the gateway, or the destination itself. 4 canonical words a row. */
  private readonly hop: Int32Array;
  private readonly state: Uint8Array;
  /** When to look again. */
  private readonly due: Float64Array;
  private readonly now: Float64Array = new Float64Array(1);
  private readonly sweepAt: Float64Array = new Float64Array(1);
  private sweepFrom = 0;
  private readonly questionsLeft: Float64Array = new Float64Array(1);
  private readonly questions: NetlinkSocket = new NetlinkSocket();
  private readonly links: Links = new Links(this.questions);
  private readonly lookup: Lookup = new Lookup(this.questions);
  private readonly news: News;

  /**
   * @param rng makes the table's hash unpredictable
   * @throws SysError where netlink sockets cannot be opened
   */
  constructor(rng: Rng, options: NextHopOptions = {}) {
    const rows = options.rows ?? ROWS_DEFAULT;
    this.rows = rows;
    this.destinations = new Destinations(rows, rng);
    this.recent = this.destinations.recent;
    this.interfaceIndex = new Int32Array(rows);
    this.mtuBytes = new Int32Array(rows);
    this.source = new Int32Array(rows * 4);
    this.macs = new Uint8Array(rows * 2 * MAC_BYTES);
    this.version = new Int32Array(rows);
    this.hop = new Int32Array(rows * 4);
    this.state = new Uint8Array(rows);
    this.due = new Float64Array(rows);
    this.questionsLeft[0] = QUESTIONS_AT_ONCE;
    this.news = new News(this.links, this);
  }

  /** Begins a turn at `now`: takes in what the kernel has told since. Call before the `find`s of a flush. */
  look(now: Micros): void {
    const elapsed = now - this.now[0]!;
    this.now[0] = now;
    this.questionsLeft[0] = Math.min(QUESTIONS_AT_ONCE, this.questionsLeft[0]! + (elapsed * QUESTIONS_A_SECOND) / 1e6);
    this.destinations.beginTurn();
    this.news.take(now);
    if (now >= this.sweepAt[0]!) this.sweep(now);
  }

  /**
   * The row of the way to the canonical address at word `at` of `to`, from the one at word `fromAt` of `from` (all zeros:
   * the kernel chooses). -1: not usable now, let the kernel send. The row is good until the next `look`.
   */
  find(to: Int32Array, at: number, from: Int32Array, fromAt: number): number {
    const row = this.destinations.find(to, at, from, fromAt);
    if (row >= 0 && this.due[row]! > this.now[0]!) return this.state[row] === USABLE ? row : -1;
    return this.findAgain(row, to, at, from, fromAt);
  }

  /** Says that a frame by way of `row` was refused: it is asked for anew before it is used again. */
  doubt(row: number): void {
    this.forget(row);
    if (this.links.refresh(this.interfaceIndex[row]!)) this.forgetAll();
  }

  close(): void {
    this.questions.close();
    this.news.close();
    for (let row = 0; row < this.rows; row++) this.forget(row);
    this.questionsLeft[0] = 0;
  }

  // What News tells.

  /** Nothing that was known is certain. */
  forgetAll(): void {
    for (let row = 0; row < this.rows; row++) this.forget(row);
    this.stats.changes++;
  }

  /** News were lost. */
  overrun(): void {
    this.stats.overruns++;
    this.links.clear();
    this.forgetAll();
  }

  /** A route to the first `bits` bits of the canonical address at word 0 of `prefix` has changed. */
  routeChanged(prefix: Int32Array, bits: number): void {
    const { keys, held } = this.destinations;
    for (let row = 0; row < this.rows; row++) {
      if (held[row] === 1 && startsWith(keys, row * KEY_WORDS, prefix, bits)) {
        this.forget(row);
        this.stats.changes++;
      }
    }
  }

  /** What the kernel knows of neighbour `address` (canonical, 4 words) of an interface. `mac` at `macAt`; -1: not usable. */
  neighbourChanged(interfaceIndex: number, address: Int32Array, mac: Uint8Array, macAt: number): void {
    const { hop, state } = this;
    for (let row = 0; row < this.rows; row++) {
      if (this.interfaceIndex[row] !== interfaceIndex || state[row] === ROUTE_UNKNOWN || state[row] === REFUSED)
        continue;
      const at = row * 4;
      if (
        hop[at + 3] === address[3] &&
        hop[at] === address[0] &&
        hop[at + 1] === address[1] &&
        hop[at + 2] === address[2]
      ) {
        this.setNeighbour(row, mac, macAt);
      }
    }
  }

  /** Takes notes of some rows: which were used, and which are so old that they must be asked for again. */
  private sweep(now: Micros): void {
    this.sweepAt[0] = now + SWEEP_MICROS;
    const end = Math.min(this.rows, this.sweepFrom + ROWS_A_SWEEP);
    for (let row = this.sweepFrom; row < end; row++) {
      this.destinations.note(row);
      if (this.state[row] === USABLE && this.due[row]! <= now) this.version[row]!++;
    }
    this.sweepFrom = end === this.rows ? 0 : end;
  }

  private setNeighbour(row: number, mac: Uint8Array, macAt: number): void {
    const was = this.state[row];
    if (macAt < 0) {
      this.version[row]!++;
      this.state[row] = NEIGHBOUR_UNKNOWN;
      this.due[row] = this.now[0]! + NEIGHBOUR_RETRY_MICROS;
    } else {
      if (copyMac(mac, macAt, this.macs, row * 2 * MAC_BYTES)) {
        this.version[row]!++;
        this.stats.changes++;
      }
      this.state[row] = USABLE;
      if (was !== USABLE) this.due[row] = this.now[0]! + ROW_LIFE_MICROS;
    }
  }

  /** The slow half of `find`: it is time to ask the kernel, if it may be asked. `row` is -1 for an unknown destination. */
  private findAgain(row: number, to: Int32Array, at: number, from: Int32Array, fromAt: number): number {
    if (this.questionsLeft[0]! < 1) {
      this.stats.questionsSaved++;
      // An old row is still the best answer; one that was told to be wrong is none.
      return row >= 0 && this.state[row] === USABLE ? row : -1;
    }
    this.questionsLeft[0]!--;
    let asked = row;
    if (asked < 0) {
      asked = this.destinations.claim(to, at, from, fromAt);
      this.forget(asked);
    }
    if (this.state[asked] !== NEIGHBOUR_UNKNOWN) this.askRoute(asked);
    if (this.state[asked] === NEIGHBOUR_UNKNOWN) this.askNeighbour(asked);
    return this.state[asked] === USABLE ? asked : -1;
  }

  private setRefused(row: number): void {
    this.state[row] = REFUSED;
    this.due[row] = this.now[0]! + REFUSED_RETRY_MICROS;
  }

  private forget(row: number): void {
    this.version[row]!++;
    this.state[row] = ROUTE_UNKNOWN;
    this.due[row] = 0;
  }

  /** Finds interface, next hop and source; leaves the row REFUSED or NEIGHBOUR_UNKNOWN. */
  private askRoute(row: number): void {
    const { lookup, links, destinations } = this;
    this.stats.routeQuestions++;
    this.setRefused(row);
    if (!lookup.route(destinations.keys, row * KEY_WORDS)) return;
    const link = links.rowOf(lookup.interfaceIndex);
    if (links.evicted) {
      links.evicted = false;
      this.forgetAll();
      this.setRefused(row);
    }
    if (link < 0 || links.ready[link] === 0) return;
    let changed = this.interfaceIndex[row] !== lookup.interfaceIndex || this.mtuBytes[row] !== links.mtuBytes[link];
    this.interfaceIndex[row] = lookup.interfaceIndex;
    this.mtuBytes[row] = links.mtuBytes[link]!;
    changed = copyMac(links.macs, link * MAC_BYTES, this.macs, row * 2 * MAC_BYTES + MAC_BYTES) || changed;
    for (let i = 0; i < 4; i++) {
      changed = this.source[row * 4 + i] !== lookup.source[i] || changed;
      this.source[row * 4 + i] = lookup.source[i]!;
      this.hop[row * 4 + i] = lookup.hop[i]!;
    }
    if (changed) this.version[row]!++;
    this.state[row] = NEIGHBOUR_UNKNOWN;
  }

  /** Finds the MAC of the next hop; the answer is good for every row that goes by it. */
  private askNeighbour(row: number): void {
    const { lookup } = this;
    this.stats.neighbourQuestions++;
    this.due[row] = this.now[0]! + NEIGHBOUR_RETRY_MICROS;
    const macAt = lookup.neighbour(this.interfaceIndex[row]!, this.hop, row * 4);
    if (macAt < 0) return;
    this.neighbourChanged(this.interfaceIndex[row]!, lookup.hop, lookup.bytes, macAt);
  }
}

/** Whether the first `bits` bits of the address at word `at` of `keys` are those of `prefix`, counted in its own family. */
function startsWith(keys: Int32Array, at: number, prefix: Int32Array, bits: number): boolean {
  const ipv4 = isMapped(prefix, 0);
  if (ipv4 !== isMapped(keys, at)) return false;
  let left = bits;
  for (let word = ipv4 ? 3 : 0; word < 4 && left > 0; word++) {
    const differing = swapped(keys[at + word]! ^ prefix[word]!);
    if (left < 32 ? differing >>> (32 - left) !== 0 : differing !== 0) return false;
    left -= 32;
  }
  return true;
}

/** A word of network order as a number of the machine. */
function swapped(word: number): number {
  return (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff_0000) | (word << 24) | 0;
}
