/**
 * Cross traffic that behaves as a bulk transfer over TCP does: it fills the queue, loses, halves and climbs again.
 *
 * NewReno with selective acknowledgements: slow start, one packet more a round trip, half the window once a loss is
 * learned (three later packets are acknowledged), a window of one after a timeout (RFC 5681, 6582, 6298, 6675). Every
 * packet has a number of its own and is sent when fewer than the window are in flight; what is lost needs no sending
 * again, since nobody reads the bytes: each packet that arrives is goodput. There are no sockets and no host: packets go
 * over a direction like any other, and each brings back an acknowledgement over a way that only delays.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import type { DatagramPool } from '../world/datagram-pool.ts';
import type { Stream } from '../world/streams.ts';
import { DUE_SOURCE } from '../world/timeline.ts';
import type { Transit } from '../world/transit.ts';
import type { DirectionOptions } from './direction-options.ts';
import { LinkDirection } from './link.ts';
import { checkInteger } from './option-checks.ts';

/** One bulk transfer. */
export interface AimdOptions {
  /**
   * What it sends over: a direction of the world, or the options of one of its own, say `{ bottleneck }`, whose latency is
   * half of the round trip unless it is given. Without a rate or a loss it grows to 65,536 packets in flight, and slows
   * the simulation down accordingly.
   */
  readonly over: LinkDirection | DirectionOptions;
  /** Round trip without queues, 1 .. 60,000,000; what the way there does not take, the way back does. */
  readonly rttMicros: Micros;
  /** Payload of each packet, 1 .. 65,507. Default 1,472: with the headers a full Ethernet frame. */
  readonly packetBytes?: number;
  /** World time of the first packet. Default: now, plus up to one round trip drawn from the stream `aimd/<name>`. */
  readonly startMicros?: Micros;
  /** World time after which nothing is sent. Default NEVER. */
  readonly stopMicros?: Micros;
  /** Length of the intervals in which goodput is counted, from 1,000. Default a second. */
  readonly intervalMicros?: Micros;
}

/** Counters of one source. */
export interface AimdStats {
  sent: number;
  /** Packets that arrived before they were taken for lost, and their payload. */
  arrived: number;
  goodputBytes: number;
  /** Packets taken for lost. */
  lost: number;
  /** Packets that arrived after they were taken for lost, and copies. */
  useless: number;
  /** Times that the window was halved, and that it fell to one. */
  halvings: number;
  timeouts: number;
}

/** RFC 6928. */
const INITIAL_WINDOW_PACKETS = 10;
/** Full frames in flight for 10 Gbit/s at 80 ms; there it stops to grow. */
const WINDOW_PACKETS_MAX = 1 << 16;
/** RFC 5681 3.2 and RFC 9002 6.1.1: three later packets have arrived. */
const PACKET_THRESHOLD = 3;
/** Linux' lower bound of the timeout; RFC 6298 would have a second. */
const TIMEOUT_MICROS_MIN = 200_000;
/** RFC 6298 2.1: before there is a round trip. */
const TIMEOUT_MICROS_FIRST = 1_000_000;
/** RFC 6298 2.5 allows an upper bound of a minute or more. */
const TIMEOUT_MICROS_MAX = 60_000_000;
const RTT_MICROS_MAX = 60_000_000;
const PACKET_BYTES_MAX = 65_507;
const PACKET_BYTES = 1_472;
const INTERVAL_MICROS = 1_000_000;
const INTERVAL_MICROS_MIN = 1_000;
/** Intervals that are kept; a run that has more adds to the last. */
const INTERVALS_MAX = 1 << 20;
const SLOTS_AT_BIRTH = 64;

/** States of a packet from `#lowest` on. */
const IN_FLIGHT = 1;
const ARRIVED = 2;
const OVER = 3;

/** A bulk transfer. Made by `World.aimdSource()`. */
export class AimdSource {
  readonly name: string;
  /** Its place among the world's sources. */
  readonly number: number;
  /** What it sends over. */
  readonly direction: LinkDirection;
  readonly stats: AimdStats = {
    sent: 0,
    arrived: 0,
    goodputBytes: 0,
    lost: 0,
    useless: 0,
    halvings: 0,
    timeouts: 0,
  };
  /** Bytes of goodput in each interval of world time, from 0. */
  readonly goodputByInterval: number[] = [];
  readonly intervalMicros: Micros;

  readonly #transit: Transit;
  readonly #pool: DatagramPool;
  readonly #packetBytes: number;
  readonly #returnMicros: Micros;
  readonly #startMicros: Micros;
  readonly #stopMicros: Micros;

  /** Window and threshold of slow start, in packets. */
  #window = INITIAL_WINDOW_PACKETS;
  #threshold = WINDOW_PACKETS_MAX;
  #inFlight = 0;
  #next = 0;
  /** No packet before this one matters any more. */
  #lowest = 0;
  #largestAcked = -1;
  /** The window answers to packets from this one on: those before it were sent when it was cut last. */
  #recovered = 0;
  #srttMicros = 0;
  #rttvarMicros = 0;
  #backoff = 0;
  /** The timeout counts from here: the last acknowledgement, or the first packet after silence. */
  #progressAt: Micros = 0;
  /** The next timer in the timeline. */
  #timerAt: Micros = NEVER;
  /** By packet number. */
  #states: Uint8Array = new Uint8Array(SLOTS_AT_BIRTH);
  #sentAt: Float64Array = new Float64Array(SLOTS_AT_BIRTH);
  /** Acknowledgements on their way back, in the order of their times. */
  #ackTimes: Float64Array = new Float64Array(SLOTS_AT_BIRTH);
  #ackNumbers: Uint32Array = new Uint32Array(SLOTS_AT_BIRTH);
  #ackHead = 0;
  #acks = 0;

  constructor(transit: Transit, name: string, number: number, stream: Stream, options: AimdOptions) {
    checkOptions(name, options);
    const { over, rttMicros } = options;
    this.name = name;
    this.number = number;
    this.#transit = transit;
    this.#pool = transit.pool;
    this.#packetBytes = options.packetBytes ?? PACKET_BYTES;
    this.intervalMicros = options.intervalMicros ?? INTERVAL_MICROS;
    this.direction =
      over instanceof LinkDirection
        ? over
        : transit.addDirection(`aimd/${name}`, { latencyMicros: Math.floor(rttMicros / 2), ...over });
    const thereMicros = this.direction.latencyMicros;
    if (thereMicros > rttMicros) {
      throw new RangeError(
        `source ${name}: rttMicros ${rttMicros} is less than the latency of ${this.direction.name}: give ${thereMicros} or more`,
      );
    }
    this.#returnMicros = rttMicros - thereMicros;
    this.#startMicros = options.startMicros ?? transit.timeline.now + stream.below(rttMicros);
    this.#stopMicros = options.stopMicros ?? NEVER;
    transit.timeline.schedule(this.#startMicros, DUE_SOURCE, number);
  }

  /** The window now, in packets. */
  get windowPackets(): number {
    return this.#window;
  }

  /** Mean goodput from one world time to another, in bits a second; both rounded down to whole intervals. */
  goodputBitsPerSecond(fromMicros: Micros, toMicros: Micros): number {
    const from = Math.floor(fromMicros / this.intervalMicros);
    const to = Math.floor(toMicros / this.intervalMicros);
    let bytes = 0;
    for (let i = from; i < to; i++) bytes += this.goodputByInterval[i] ?? 0;
    return to > from ? (bytes * 8) / (((to - from) * this.intervalMicros) / 1_000_000) : 0;
  }

  /** Datagram `id`, one of its own, has arrived. It stays the caller's. */
  arrive(id: number): void {
    const number = this.#pool.mark[id]!;
    const slot = number & (this.#states.length - 1);
    if (number < this.#lowest || this.#states[slot] !== IN_FLIGHT) {
      this.stats.useless++;
      return;
    }
    const now = this.#transit.timeline.now;
    this.#states[slot] = ARRIVED;
    this.stats.arrived++;
    this.#count(now);
    if (this.#acks === this.#ackTimes.length) this.#growAcks();
    const ack = (this.#ackHead + this.#acks++) & (this.#ackTimes.length - 1);
    const acked = now + this.#returnMicros;
    this.#ackTimes[ack] = acked;
    this.#ackNumbers[ack] = number;
    this.#transit.timeline.schedule(acked, DUE_SOURCE, this.number);
  }

  /** Something is due: the start, acknowledgements, or a timeout. */
  turn(): void {
    const now = this.#transit.timeline.now;
    if (now >= this.#timerAt) this.#timerAt = NEVER;
    while (this.#acks > 0 && this.#ackTimes[this.#ackHead]! <= now) {
      const number = this.#ackNumbers[this.#ackHead]!;
      this.#ackHead = (this.#ackHead + 1) & (this.#ackTimes.length - 1);
      this.#acks--;
      this.#acknowledge(number, now);
    }
    if (this.#inFlight > 0 && now >= this.#progressAt + this.#timeoutMicros()) this.#giveUp(now);
    if (now >= this.#startMicros && now < this.#stopMicros) this.#fill(now);
    this.#setTimer();
  }

  #acknowledge(number: number, now: Micros): void {
    const slot = number & (this.#states.length - 1);
    if (number < this.#lowest || this.#states[slot] !== ARRIVED) return; // taken for lost meanwhile
    this.#states[slot] = OVER;
    this.#inFlight--;
    if (number > this.#largestAcked) this.#largestAcked = number;
    this.#measure(now - this.#sentAt[slot]!);
    this.#backoff = 0;
    this.#progressAt = now;
    if (number >= this.#recovered) {
      const grown = this.#window + (this.#window < this.#threshold ? 1 : 1 / this.#window);
      this.#window = Math.min(grown, WINDOW_PACKETS_MAX);
    }
    this.#findLost();
  }

  /** What was sent three or more before the largest acknowledged is lost; the first such loss of a window halves it. */
  #findLost(): void {
    while (this.#lowest <= this.#largestAcked - PACKET_THRESHOLD) {
      const number = this.#lowest++;
      if (this.#states[number & (this.#states.length - 1)] === OVER) continue;
      this.#inFlight--;
      this.stats.lost++;
      if (number < this.#recovered) continue;
      this.stats.halvings++;
      this.#threshold = Math.max(this.#window / 2, 2);
      this.#window = this.#threshold;
      this.#recovered = this.#next;
    }
  }

  /** Nothing has come back for too long: all is lost, and the path is felt for with one packet. */
  #giveUp(now: Micros): void {
    this.stats.timeouts++;
    this.stats.lost += this.#inFlight;
    this.#inFlight = 0;
    this.#lowest = this.#next;
    this.#recovered = this.#next;
    if (this.#backoff === 0) this.#threshold = Math.max(this.#window / 2, 2);
    this.#window = 1;
    this.#backoff++;
    this.#progressAt = now;
  }

  #fill(now: Micros): void {
    const window = Math.floor(this.#window);
    if (this.#inFlight === 0) this.#progressAt = now;
    while (this.#inFlight < window) {
      if (this.#next - this.#lowest === this.#states.length) this.#growPackets();
      const number = this.#next++;
      const slot = number & (this.#states.length - 1);
      this.#states[slot] = IN_FLIGHT;
      this.#sentAt[slot] = now;
      this.#inFlight++;
      this.stats.sent++;
      this.#transit.send(this.direction, this.#pool.takeBlank(this.#packetBytes, this.number, number));
    }
  }

  /** RFC 6298 2.2 and 2.3. */
  #measure(rtt: Micros): void {
    if (this.#srttMicros === 0) {
      this.#srttMicros = rtt;
      this.#rttvarMicros = rtt / 2;
      return;
    }
    this.#rttvarMicros += (Math.abs(this.#srttMicros - rtt) - this.#rttvarMicros) / 4;
    this.#srttMicros += (rtt - this.#srttMicros) / 8;
  }

  #timeoutMicros(): Micros {
    const srtt = this.#srttMicros;
    const once = srtt === 0 ? TIMEOUT_MICROS_FIRST : Math.max(srtt + 4 * this.#rttvarMicros, TIMEOUT_MICROS_MIN);
    return Math.ceil(Math.min(once * 2 ** Math.min(this.#backoff, 16), TIMEOUT_MICROS_MAX));
  }

  #setTimer(): void {
    if (this.#inFlight === 0) return;
    const due = this.#progressAt + this.#timeoutMicros();
    if (this.#timerAt !== NEVER && this.#timerAt <= due) return; // looks again when it fires
    this.#timerAt = due;
    this.#transit.timeline.schedule(due, DUE_SOURCE, this.number);
  }

  #count(now: Micros): void {
    this.stats.goodputBytes += this.#packetBytes;
    const interval = Math.min(Math.floor(now / this.intervalMicros), INTERVALS_MAX - 1);
    while (this.goodputByInterval.length <= interval) this.goodputByInterval.push(0);
    this.goodputByInterval[interval]! += this.#packetBytes;
  }

  #growPackets(): void {
    const size = this.#states.length;
    const states = new Uint8Array(size * 2);
    const sentAt = new Float64Array(size * 2);
    for (let number = this.#lowest; number < this.#next; number++) {
      states[number & (size * 2 - 1)] = this.#states[number & (size - 1)]!;
      sentAt[number & (size * 2 - 1)] = this.#sentAt[number & (size - 1)]!;
    }
    this.#states = states;
    this.#sentAt = sentAt;
  }

  #growAcks(): void {
    const size = this.#ackTimes.length;
    const times = new Float64Array(size * 2);
    const numbers = new Uint32Array(size * 2);
    for (let i = 0; i < size; i++) {
      times[i] = this.#ackTimes[(this.#ackHead + i) & (size - 1)]!;
      numbers[i] = this.#ackNumbers[(this.#ackHead + i) & (size - 1)]!;
    }
    this.#ackHead = 0;
    this.#ackTimes = times;
    this.#ackNumbers = numbers;
  }
}

function checkOptions(name: string, options: AimdOptions): void {
  const { startMicros = 0, stopMicros = NEVER } = options;
  const source = `source ${name}`;
  checkInteger(source, 'rttMicros', options.rttMicros, RTT_MICROS_MAX, 1);
  checkInteger(source, 'packetBytes', options.packetBytes ?? PACKET_BYTES, PACKET_BYTES_MAX, 1);
  checkInteger(source, 'intervalMicros', options.intervalMicros ?? INTERVAL_MICROS, NEVER, INTERVAL_MICROS_MIN);
  checkInteger(source, 'startMicros', startMicros, NEVER);
  checkInteger(source, 'stopMicros', stopMicros, NEVER);
}
