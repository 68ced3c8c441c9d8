/**
 * Cross traffic that listens to nobody: packets at a constant rate, all the time or in bursts (on/off).
 *
 * A call, a camera, another game: it takes its share of a line whatever becomes of it. On and off times are exponential
 * and drawn from the stream of its name, so the mean load is rate * on / (on + off). Times
 * between packets are exact in the long run: remainders are carried.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import type { Stream } from '../world/streams.ts';
import { DUE_SOURCE } from '../world/timeline.ts';
import type { Transit } from '../world/transit.ts';
import type { DirectionOptions } from './direction-options.ts';
import { LinkDirection } from './link.ts';
import { checkInteger } from './option-checks.ts';
import { exponentialTable, UNIT } from './quantile-table.ts';

/** One flow of packets. */
export interface CbrOptions {
  /** What it sends over: a direction of the world, or the options of one of its own, say `{ bottleneck }`. */
  readonly over: LinkDirection | DirectionOptions;
  /** Payload bits a second while it is on, 1,000 .. 10^12; at most one packet a microsecond. */
  readonly rateBitsPerSecond: number;
  /** Payload of each packet, 1 .. 65,507. Default 1,200. */
  readonly packetBytes?: number;
  /** Mean time for which it sends, 1 .. 60,000,000; give `offMicros` too. Default: all the time. */
  readonly onMicros?: Micros;
  /** Mean time for which it then does not, 1 .. 60,000,000. */
  readonly offMicros?: Micros;
  /** World time of the first packet. Default: now, plus up to one gap between packets drawn from the stream `cbr/<name>`. */
  readonly startMicros?: Micros;
  /** World time after which nothing is sent. Default NEVER. */
  readonly stopMicros?: Micros;
}

/** Counters of one source. */
export interface CbrStats {
  sent: number;
  arrived: number;
  arrivedBytes: number;
  /** Times that it began to send. */
  bursts: number;
}

const RATE_BITS_MIN = 1_000;
const RATE_BITS_MAX = 1e12;
const PACKET_BYTES = 1_200;
const PACKET_BYTES_MAX = 65_507;
const PERIOD_MICROS_MAX = 60_000_000;
const MICROS_PER_SECOND = 1_000_000;

/** A flow of packets. Made by `World.cbrSource()`. */
export class CbrSource {
  readonly name: string;
  /** Its place among the world's sources. */
  readonly number: number;
  /** What it sends over. */
  readonly direction: LinkDirection;
  readonly stats: CbrStats = { sent: 0, arrived: 0, arrivedBytes: 0, bursts: 0 };

  readonly #transit: Transit;
  readonly #stream: Stream;
  readonly #packetBytes: number;
  readonly #rate: number;
  /** Between two packets: whole microseconds, and what is left in parts of 1 / rate. */
  readonly #gapMicros: Micros;
  readonly #gapParts: number;
  readonly #onMicros: Micros;
  readonly #offMicros: Micros;
  readonly #stopMicros: Micros;
  #nextAt: Micros;
  #parts = 0;
  /** When it next falls silent. */
  #onUntil: Micros;

  constructor(transit: Transit, name: string, number: number, stream: Stream, options: CbrOptions) {
    checkOptions(name, options);
    const { over, rateBitsPerSecond, onMicros, offMicros, packetBytes = PACKET_BYTES } = options;
    this.name = name;
    this.number = number;
    this.#transit = transit;
    this.#stream = stream;
    this.#packetBytes = packetBytes;
    this.#rate = rateBitsPerSecond;
    const parts = packetBytes * 8 * MICROS_PER_SECOND;
    this.#gapMicros = Math.floor(parts / rateBitsPerSecond);
    this.#gapParts = parts % rateBitsPerSecond;
    this.#onMicros = onMicros ?? 0;
    this.#offMicros = offMicros ?? 0;
    this.#stopMicros = options.stopMicros ?? NEVER;
    this.direction = over instanceof LinkDirection ? over : transit.addDirection(`cbr/${name}`, over);
    this.#nextAt = options.startMicros ?? transit.timeline.now + Math.floor(stream.double() * this.#gapMicros);
    this.#onUntil = this.#onMicros === 0 ? NEVER : this.#nextAt + this.#period(this.#onMicros);
    this.stats.bursts = 1;
    transit.timeline.schedule(this.#nextAt, DUE_SOURCE, number);
  }

  /** A datagram of its own has arrived. It stays the caller's. */
  arrive(_id: number): void {
    this.stats.arrived++;
    this.stats.arrivedBytes += this.#packetBytes;
  }

  /** The next packet is due. */
  turn(): void {
    if (this.#nextAt >= this.#stopMicros) return;
    const number = this.stats.sent++;
    this.#transit.send(this.direction, this.#transit.pool.takeBlank(this.#packetBytes, this.number, number));
    this.#parts += this.#gapParts;
    this.#nextAt += this.#gapMicros;
    if (this.#parts >= this.#rate) {
      this.#parts -= this.#rate;
      this.#nextAt++;
    }
    while (this.#nextAt >= this.#onUntil) this.#rest();
    this.#transit.timeline.schedule(this.#nextAt, DUE_SOURCE, this.number);
  }

  /**
   * An off time, and an on time after it. The gap that the silence cut short goes on behind it: on times that are shorter
   * than a gap still have their share, and the load is what it is told to be.
   */
  #rest(): void {
    const silence = this.#period(this.#offMicros);
    this.#nextAt += silence;
    this.#onUntil += silence + this.#period(this.#onMicros);
    this.stats.bursts++;
  }

  #period(mean: Micros): Micros {
    return Math.round((exponentialTable().at(this.#stream.int32()) * mean) / UNIT);
  }
}

function checkOptions(name: string, options: CbrOptions): void {
  const { rateBitsPerSecond, onMicros, offMicros, packetBytes = PACKET_BYTES } = options;
  const source = `source ${name}`;
  checkInteger(source, 'rateBitsPerSecond', rateBitsPerSecond, RATE_BITS_MAX, RATE_BITS_MIN);
  checkInteger(source, 'packetBytes', packetBytes, PACKET_BYTES_MAX, 1);
  if (packetBytes * 8 * MICROS_PER_SECOND < rateBitsPerSecond) {
    throw new RangeError(`${source}: rateBitsPerSecond is more than a packet a microsecond: give larger packetBytes`);
  }
  if ((onMicros === undefined) !== (offMicros === undefined)) {
    throw new RangeError(
      `${source}: onMicros and offMicros belong together: give both, or neither to send all the time`,
    );
  }
  checkInteger(source, 'onMicros', onMicros ?? 1, PERIOD_MICROS_MAX, 1);
  checkInteger(source, 'offMicros', offMicros ?? 1, PERIOD_MICROS_MAX, 1);
  checkInteger(source, 'startMicros', options.startMicros ?? 0, NEVER);
  checkInteger(source, 'stopMicros', options.stopMicros ?? NEVER, NEVER);
}
