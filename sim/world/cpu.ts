/**
 * When the code of a host may run: not while it is paused, nor while it is busy with what its last turn cost.
 *
 * What becomes due meanwhile waits here in its order. Once the host is free it has these turns one after the other, each
 * of which may make it busy again; nothing else of the host comes before them. Datagrams do not wait here: they fill the
 * receive buffers.
 */

import type { Micros } from '../../sys/api.ts';
import type { HostFaultStats } from './host-faults.ts';
import { DUE_RESUME, type Timeline } from './timeline.ts';

/** What code of a host costs, in nanoseconds; what is not named is free. */
export interface CpuOptions {
  /** For each turn: a timer, a wake-up, a deadline. */
  readonly perTurnNanos?: number;
  /** For each datagram that it receives or sends. */
  readonly perPacketNanos?: number;
  /** For each byte of their payloads. */
  readonly perByteNanos?: number;
}

/** A second for one turn, packet or byte: more is a pause. */
export const COST_NANOS_MAX = 1_000_000_000;
const KINDS = 8;
/** Turns taken from the front after which the row is moved up. */
const WAITING_SPLICE = 1_024;

/** Throws RangeError, naming the field. */
export function checkCpu(name: string, options: CpuOptions): void {
  for (const field of ['perTurnNanos', 'perPacketNanos', 'perByteNanos'] as const) {
    const nanos = options[field] ?? 0;
    if (!(Number.isInteger(nanos) && nanos >= 0 && nanos <= COST_NANOS_MAX)) {
      throw new RangeError(`cpu of ${name}: ${field} is an integer in 0 .. ${COST_NANOS_MAX}, not ${nanos}`);
    }
  }
}

/** The CPU of one host. */
export class Cpu {
  /** What the last `next()` has taken out: a DUE kind and whom it concerns. */
  kind = 0;
  id = 0;

  readonly #timeline: Timeline;
  readonly #hostNumber: number;
  readonly #stats: HostFaultStats;
  #perTurnNanos = 0;
  #perPacketNanos = 0;
  #perByteNanos = 0;
  /** What the turn has cost so far, with what is left of a microsecond from before. */
  #spentNanos = 0;
  #busyUntil: Micros = 0;
  /** What waits, as `id * KINDS + kind`, from #first on. */
  #waiting: number[] = [];
  #first = 0;
  /** An event that calls `next()` is in the queue. */
  #resumes = false;

  constructor(timeline: Timeline, hostNumber: number, stats: HostFaultStats) {
    this.#timeline = timeline;
    this.#hostNumber = hostNumber;
    this.#stats = stats;
  }

  /** Sets what code costs from now on; what is not named is free. */
  configure(options: CpuOptions): void {
    this.#perTurnNanos = options.perTurnNanos ?? 0;
    this.#perPacketNanos = options.perPacketNanos ?? 0;
    this.#perByteNanos = options.perByteNanos ?? 0;
  }

  /** No turn begins before `time`. */
  stopUntil(time: Micros): void {
    if (time > this.#busyUntil) this.#busyUntil = time;
  }

  /** It is no longer busy, since another life begins or one has ended. What waits is due now, and void by then. */
  reset(): void {
    for (const waiting of this.#waiting.slice(this.#first)) {
      const kind = waiting % KINDS;
      this.#timeline.schedule(this.#timeline.now, kind, (waiting - kind) / KINDS);
    }
    this.#busyUntil = 0;
    this.#spentNanos = 0;
    this.#waiting = [];
    this.#first = 0;
    this.#resumes = false;
  }

  /** Whether what is due now has to wait; it is kept then. */
  defers(kind: number, id: number): boolean {
    if (this.#waiting.length === this.#first && this.#busyUntil <= this.#timeline.now) return false;
    this.#waiting.push(id * KINDS + kind);
    this.#stats.delayedTurns++;
    this.resume();
    return true;
  }

  /** The world: the host may be free again. Takes the first that waits into `kind` and `id`; false when there is none yet. */
  next(): boolean {
    this.#resumes = false;
    if (this.#waiting.length === this.#first) return false;
    if (this.#busyUntil > this.#timeline.now) {
      this.resume();
      return false;
    }
    const first = this.#waiting[this.#first++]!;
    this.kind = first % KINDS;
    this.id = (first - this.kind) / KINDS;
    if (this.#first >= WAITING_SPLICE || this.#first === this.#waiting.length) {
      this.#waiting.splice(0, this.#first);
      this.#first = 0;
    }
    return true;
  }

  /** What waits has its turn when the host is free. */
  resume(): void {
    if (this.#resumes || this.#waiting.length === this.#first) return;
    this.#resumes = true;
    this.#timeline.schedule(this.#busyUntil, DUE_RESUME, this.#hostNumber);
  }

  /** Datagrams were received or sent. */
  charge(packets: number, bytes: number): void {
    this.#spentNanos += packets * this.#perPacketNanos + bytes * this.#perByteNanos;
  }

  /** A turn is over: the host is busy for what it cost. */
  endTurn(): void {
    this.#spentNanos += this.#perTurnNanos;
    const micros = Math.floor(this.#spentNanos / 1_000);
    this.#spentNanos -= micros * 1_000;
    this.#stats.busyMicros += micros;
    this.stopUntil(this.#timeline.now + micros);
  }
}
