/**
 * A bottleneck: a line of a certain rate with a byte queue before it, served in the order of arrival.
 *
 * One packet is on the line at a time; the others wait, and what finds the queue full is dropped at its tail. Times of
 * departure are exact: they are whole microseconds plus a remainder that is carried to the next packet, and a packet is
 * let go at the first whole microsecond at which its last bit has left. The bottleneck knows neither packets nor clocks:
 * it keeps numbers that belong to the caller, who asks for the next departure and comes back at that time. Which packet
 * goes on the line is decided when the line is free and not before, so that a queue discipline that drops at the head,
 * or a rate that changes meanwhile, has its place in `#serve`.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import { LatencyHistogram } from '../world/latency-histogram.ts';
import { checkInteger } from './option-checks.ts';

/** A rate and the queue before it. */
export interface BottleneckOptions {
  /** Bits a second on the line, 1,000 .. 10^12. */
  readonly rateBitsPerSecond: number;
  /** Bytes that may wait, not counting the packet on the line; 0: none may wait. Default: 64 MiB. */
  readonly queueBytes?: number;
  /** Bytes that each datagram takes on the line and in the queue besides its payload. Default 28: IPv4 and UDP headers. */
  readonly overheadBytes?: number;
}

/** Counters of one bottleneck; `entered = departed + packetsNow + the packet on the line`. Bytes include the overhead. */
export interface BottleneckStats {
  /** Packets that were taken in. */
  entered: number;
  /** Packets that have left the line. */
  departed: number;
  departedBytes: number;
  /** Packets that found the queue full. */
  dropped: number;
  droppedBytes: number;
  /** Packets that wait now. */
  packetsNow: number;
  /** Bytes that wait now. */
  bytesNow: number;
  /** Most bytes that ever waited. */
  bytesHighest: number;
}

/** Slower lines are a mistake in the unit: a full frame would take more than ten seconds. */
const RATE_BITS_MIN = 1_000;
/** A terabit: bits times 10^6 and remainders stay far below 2^53. */
const RATE_BITS_MAX = 1e12;
/** The most that may wait: five seconds at 100 Mbit/s, and of packets with 100 bytes half of what a world may hold. */
export const QUEUE_BYTES_MAX: number = 64 * 1024 * 1024;
/** Packets that may wait however small they are: a quarter of the datagrams that a world may hold. */
export const QUEUE_PACKETS_MAX: number = 1 << 18;
/** IPv4 header without options, and UDP header. */
export const OVERHEAD_BYTES = 28;
/** More than any stack of tunnels adds. */
const OVERHEAD_BYTES_MAX = 1_000;
const PACKETS_AT_BIRTH = 16;
const MICROS_PER_SECOND = 1_000_000;
/** A queue that nobody has met yet. */
export const UNNUMBERED = -1;
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
    packetsNow: 0,
    bytesNow: 0,
    bytesHighest: 0,
  };
  /** How long packets waited, from their entry until their first bit was on the line. */
  readonly delays: LatencyHistogram = new LatencyHistogram(DELAY_SUB_BITS);
  /** When the packet on the line leaves it: ask `leave` then. NEVER while the line is free. */
  nextDeparture: Micros = NEVER;

  /** Bits a second; 0: no limit, packets leave at once. */
  #rate = 0;
  #queueBytes = 0;
  #overheadBytes = 0;
  /** The line is free from this time and `#freeParts / #rate` of a microsecond on. */
  #freeAt: Micros = 0;
  #freeParts = 0;
  #onLine = 0;
  #onLineBytes = 0;
  #head = 0;
  #packets: Int32Array = new Int32Array(PACKETS_AT_BIRTH);
  #bytes: Int32Array = new Int32Array(PACKETS_AT_BIRTH);
  #enteredAt: Float64Array = new Float64Array(PACKETS_AT_BIRTH);

  constructor(name: string, options: BottleneckOptions) {
    this.name = name;
    this.configure(options);
  }

  /** Sets rate and queue; what is not named returns to its default. The packet on the line keeps its time. */
  configure(options: BottleneckOptions): void {
    checkBottleneck(`bottleneck ${this.name}`, options);
    this.#setRate(options.rateBitsPerSecond);
    this.#queueBytes = options.queueBytes ?? QUEUE_BYTES_MAX;
    this.#overheadBytes = options.overheadBytes ?? OVERHEAD_BYTES;
  }

  /** Takes the limit away: what waits leaves behind the packet on the line, at once. */
  open(): void {
    this.#setRate(0);
    this.#queueBytes = QUEUE_BYTES_MAX;
  }

  /** Neither a limit nor anything that waits for one. */
  get isOpen(): boolean {
    return this.#rate === 0 && this.nextDeparture === NEVER;
  }

  /**
   * Takes in `packet` (the caller's number, int32) of `lengthBytes` payload, which comes not before those that came
   * earlier. False when the queue is full: the packet is dropped and counted, and is the caller's again.
   */
  enter(packet: number, lengthBytes: number, now: Micros): boolean {
    const stats = this.stats;
    const bytes = lengthBytes + this.#overheadBytes;
    const free = this.nextDeparture === NEVER;
    if (!free && (stats.bytesNow + bytes > this.#queueBytes || stats.packetsNow === QUEUE_PACKETS_MAX)) {
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
    if (this.stats.packetsNow > 0) this.#serve();
    return packet;
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

/** Throws RangeError that names `whose` it is and the field when an option is out of its range. */
export function checkBottleneck(whose: string, options: BottleneckOptions): void {
  checkInteger(whose, 'rateBitsPerSecond', options.rateBitsPerSecond, RATE_BITS_MAX, RATE_BITS_MIN);
  checkInteger(whose, 'queueBytes', options.queueBytes ?? 0, QUEUE_BYTES_MAX);
  checkInteger(whose, 'overheadBytes', options.overheadBytes ?? 0, OVERHEAD_BYTES_MAX);
}
