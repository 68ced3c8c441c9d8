/**
 * A bottleneck: a line of a certain rate with a queue before it, served in the order of arrival.
 *
 * One packet is on the line at a time; the others wait, and what finds the queue full is dropped at its tail, or as its
 * discipline says. Times of
 * departure are exact: they are whole microseconds plus a remainder that is carried to the next packet, and a packet is
 * let go at the first whole microsecond at which its last bit has left. The bottleneck knows neither packets nor clocks:
 * it keeps numbers that belong to the caller, who asks for the next departure and comes back at that time, and after each
 * call for what was dropped. Which packet goes on the line is decided when the line is free and not before, so that a
 * discipline that drops at the head, or a rate that changes meanwhile, has its place in `#serve`.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import { LatencyHistogram } from '../world/latency-histogram.ts';
import {
  type BottleneckOptions,
  checkBottleneck,
  OVERHEAD_BYTES,
  QUEUE_BYTES_MAX,
  QUEUE_PACKETS_MAX,
  type QueueDiscipline,
} from './bottleneck-options.ts';
import type { Chance } from './chance.ts';
import { Codel } from './codel.ts';
import { RateTrace, TRACE_OVERHEAD_BYTES } from './rate-trace.ts';
import { RED_DROP, RED_KEEP, Red } from './red.ts';

/**
 * Counters of one bottleneck; `entered = departed + droppedWaiting + packetsNow + the packet on the line`. Bytes include the
 * overhead.
 */
export interface BottleneckStats {
  /** Packets that were taken in. */
  entered: number;
  /** Packets that have left the line. */
  departed: number;
  departedBytes: number;
  /** Packets that found the queue full, or that its discipline dropped. */
  dropped: number;
  droppedBytes: number;
  /** Of them, those that had been taken in and waited. */
  droppedWaiting: number;
  /** Packets that its discipline marked in place of dropping them. */
  marked: number;
  /** Packets that wait now. */
  packetsNow: number;
  /** Bytes that wait now. */
  bytesNow: number;
  /** Most bytes that ever waited. */
  bytesHighest: number;
}

const PACKETS_AT_BIRTH = 16;
const MICROS_PER_SECOND = 1_000_000;
/** A queue that nobody has met yet. */
export const UNNUMBERED = -1;
/** The answer of `takeDropped` when there is none. */
export const NO_PACKET = -1;
/** Delays in queues are exact below 512 us and within 1/256 above: some KB each, and there may be thousands of queues. */
const DELAY_SUB_BITS = 8;

/** A line and its queue. Numbers in it are the caller's. */
export class Bottleneck {
  readonly name: string;
  /** Its place in the network; the network's to set. */
  number: number = UNNUMBERED;
  readonly stats: BottleneckStats = {
    entered: 0,
    departed: 0,
    departedBytes: 0,
    dropped: 0,
    droppedBytes: 0,
    droppedWaiting: 0,
    marked: 0,
    packetsNow: 0,
    bytesNow: 0,
    bytesHighest: 0,
  };
  /** How long packets waited, from their entry until their first bit was on the line. */
  readonly delays: LatencyHistogram = new LatencyHistogram(DELAY_SUB_BITS);
  /** When the packet on the line leaves it: ask `leave` then. NEVER while the line is free. */
  nextDeparture: Micros = NEVER;

  /** Bits a second; 0: no limit, packets leave at once, or `#trace` says when. */
  #rate = 0;
  #trace: RateTrace | null = null;
  #queueBytes = 0;
  #queuePackets = 0;
  #overheadBytes = 0;
  readonly #chance: Chance | null;
  #dropsHead = false;
  #codel: Codel | null = null;
  #red: Red | null = null;
  #marks = false;
  /** The line is free from this time and `#freeParts / #rate` of a microsecond on. */
  #freeAt: Micros = 0;
  #freeParts = 0;
  #onLine = 0;
  #onLineBytes = 0;
  #head = 0;
  #packets: Int32Array = new Int32Array(PACKETS_AT_BIRTH);
  #bytes: Int32Array = new Int32Array(PACKETS_AT_BIRTH);
  #enteredAt: Float64Array = new Float64Array(PACKETS_AT_BIRTH);
  /** Dropped while they waited, until the caller takes them: from `#taken` to `#gone`. */
  #dropped: Int32Array = new Int32Array(PACKETS_AT_BIRTH);
  #gone = 0;
  #taken = 0;

  /** `chance` is for RED alone. */
  constructor(name: string, options: BottleneckOptions, chance: Chance | null = null) {
    this.name = name;
    this.#chance = chance;
    this.configure(options);
  }

  /** Sets rate and queue; what is not named returns to its default. The packet on the line keeps its time. */
  configure(options: BottleneckOptions): void {
    checkBottleneck(`bottleneck ${this.name}`, options);
    const { rateBitsPerSecond = 0, rateTrace } = options;
    this.#setRate(rateBitsPerSecond);
    if (rateTrace === undefined) this.#trace = null;
    else if (this.#trace?.given !== rateTrace) this.#trace = new RateTrace(rateTrace);
    this.#queueBytes = options.queueBytes ?? QUEUE_BYTES_MAX;
    this.#queuePackets = options.queuePackets ?? QUEUE_PACKETS_MAX;
    this.#overheadBytes = options.overheadBytes ?? (this.#trace === null ? OVERHEAD_BYTES : TRACE_OVERHEAD_BYTES);
    this.#discipline(options.queue ?? 'tail', options.ecn ?? false);
  }

  /** Takes the limit away: what waits leaves behind the packet on the line, at once. */
  open(): void {
    this.#setRate(0);
    this.#trace = null;
    this.#queueBytes = QUEUE_BYTES_MAX;
    this.#queuePackets = QUEUE_PACKETS_MAX;
    this.#discipline('tail', false);
  }

  /** Neither a limit nor anything that waits for one. */
  get isOpen(): boolean {
    return this.#rate === 0 && this.#trace === null && this.nextDeparture === NEVER;
  }

  /**
   * Takes in `packet` (the caller's number, 0 .. 2^31 - 1) of `lengthBytes` payload, which comes not before those that came
   * earlier. False when it is dropped: it is counted, and is the caller's again. Others may be (`takeDropped`).
   */
  enter(packet: number, lengthBytes: number, now: Micros): boolean {
    const stats = this.stats;
    const bytes = lengthBytes + this.#overheadBytes;
    const free = this.nextDeparture === NEVER;
    if (!(this.#red === null || this.#passesRed(now, free)) || !(free || this.#makesRoom(bytes))) {
      stats.dropped++;
      stats.droppedBytes += bytes;
      return false;
    }
    if (stats.packetsNow === this.#packets.length) this.#grow();
    const slot = (this.#head + stats.packetsNow) & (this.#packets.length - 1);
    this.#packets[slot] = packet;
    this.#bytes[slot] = bytes;
    this.#enteredAt[slot] = now;
    stats.entered++;
    stats.packetsNow++;
    stats.bytesNow += bytes;
    if (free) this.#serve();
    else if (stats.bytesNow > stats.bytesHighest) stats.bytesHighest = stats.bytesNow;
    return true;
  }

  /** At `nextDeparture`: the packet on the line has left it and is returned; the next one is on the line. */
  leave(): number {
    const packet = this.#onLine;
    this.stats.departed++;
    this.stats.departedBytes += this.#onLineBytes;
    this.nextDeparture = NEVER;
    if (this.#codel !== null) this.#dropLate(this.#codel);
    if (this.stats.packetsNow > 0) this.#serve();
    return packet;
  }

  /** A packet that was dropped while it waited, and is the caller's again; NO_PACKET when there is none (any more). */
  takeDropped(): number {
    if (this.#taken < this.#gone) return this.#dropped[this.#taken++]!;
    this.#taken = 0;
    this.#gone = 0;
    return NO_PACKET;
  }

  /** Whether `bytes` may wait too, perhaps since others have gone for them. */
  #makesRoom(bytes: number): boolean {
    const stats = this.stats;
    if (this.#dropsHead && bytes <= this.#queueBytes && this.#queuePackets > 0) {
      while (stats.bytesNow + bytes > this.#queueBytes || stats.packetsNow >= this.#queuePackets) this.#dropHead();
    }
    return stats.bytesNow + bytes <= this.#queueBytes && stats.packetsNow < this.#queuePackets;
  }

  #passesRed(now: Micros, free: boolean): boolean {
    const verdict = this.#red!.judge(this.stats.bytesNow, free ? now - this.#freeAt : 0);
    if (verdict === RED_KEEP) return true;
    if (verdict === RED_DROP || !this.#marks) return false;
    this.stats.marked++;
    return true;
  }

  /** The line is free: drops what CoDel drops before the next one goes, or marks that. */
  #dropLate(codel: Codel): void {
    const stats = this.stats;
    while (stats.packetsNow > 0) {
      const waited = this.#freeAt - this.#enteredAt[this.#head]!;
      const behind = stats.bytesNow - this.#bytes[this.#head]!;
      if (!codel.drops(this.#freeAt, waited, behind, this.#marks)) return;
      if (this.#marks) {
        stats.marked++;
        return;
      }
      this.#dropHead();
    }
    codel.empty();
  }

  #dropHead(): void {
    const stats = this.stats;
    const head = this.#head;
    if (this.#gone === this.#dropped.length) {
      const dropped = new Int32Array(this.#gone * 2);
      dropped.set(this.#dropped);
      this.#dropped = dropped;
    }
    this.#dropped[this.#gone++] = this.#packets[head]!;
    stats.dropped++;
    stats.droppedWaiting++;
    stats.droppedBytes += this.#bytes[head]!;
    stats.packetsNow--;
    stats.bytesNow -= this.#bytes[head]!;
    this.#head = (head + 1) & (this.#packets.length - 1);
  }

  /** Puts the first that waits on the line. Its bits follow the last ones without a gap, unless it came later. */
  #serve(): void {
    const head = this.#head;
    const bytes = this.#bytes[head]!;
    const enteredAt = this.#enteredAt[head]!;
    this.#onLine = this.#packets[head]!;
    this.#onLineBytes = bytes;
    this.#head = (head + 1) & (this.#packets.length - 1);
    this.stats.packetsNow--;
    this.stats.bytesNow -= bytes;
    if (this.#trace !== null) {
      this.#freeAt = this.#trace.serve(bytes, enteredAt, this.#freeAt);
      this.#freeParts = 0;
      this.delays.add(this.#trace.begunAt - enteredAt);
      this.nextDeparture = this.#freeAt;
      return;
    }
    if (enteredAt > this.#freeAt) {
      this.#freeAt = enteredAt;
      this.#freeParts = 0;
    }
    this.delays.add(this.#freeAt - enteredAt);
    if (this.#rate > 0) {
      // Exact: both terms and the quotient's error are far below 2^53.
      const parts = bytes * 8 * MICROS_PER_SECOND + this.#freeParts;
      const whole = Math.floor(parts / this.#rate);
      this.#freeAt += whole;
      this.#freeParts = parts - whole * this.#rate;
    }
    this.nextDeparture = this.#freeParts > 0 ? this.#freeAt + 1 : this.#freeAt;
  }

  /** A discipline that stays keeps its state: a new rate is no new queue. */
  #discipline(queue: QueueDiscipline, marks: boolean): void {
    this.#dropsHead = queue === 'head';
    this.#marks = marks;
    this.#codel = queue === 'codel' ? (this.#codel ?? new Codel()) : null;
    if (queue !== 'red') this.#red = null;
    else {
      if (this.#chance === null) throw new Error(`bottleneck ${this.name} has no chance for red: make it by a world`);
      this.#red ??= new Red(this.#chance);
      this.#red.configure(this.#queueBytes);
    }
  }

  /** The remainder counts in parts of 1 / rate microseconds, so it is told anew in those of the new rate. */
  #setRate(rate: number): void {
    if (rate === this.#rate) return;
    this.#freeParts = this.#rate === 0 || rate === 0 ? 0 : Math.floor((this.#freeParts / this.#rate) * rate);
    this.#rate = rate;
  }

  #grow(): void {
    const size = this.#packets.length;
    const packets = new Int32Array(size * 2);
    const bytes = new Int32Array(size * 2);
    const enteredAt = new Float64Array(size * 2);
    for (let i = 0; i < size; i++) {
      const slot = (this.#head + i) & (size - 1);
      packets[i] = this.#packets[slot]!;
      bytes[i] = this.#bytes[slot]!;
      enteredAt[i] = this.#enteredAt[slot]!;
    }
    this.#head = 0;
    this.#packets = packets;
    this.#bytes = bytes;
    this.#enteredAt = enteredAt;
  }
}
