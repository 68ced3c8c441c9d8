/**
 * Errors that the kernel of a host answers its sockets with, and none else: those that a backend has to live with
 * (`sys/api.ts`, `sys/linux/send-table.ts`, `receive-table.ts`).
 *
 * - EAGAIN, ENOBUFS: `flush()` takes nothing, or not all. After EAGAIN the socket is not writable until there is room;
 *   after ENOBUFS it says that it is, and says so again when there is room (the device is full, not the socket).
 * - ECONNREFUSED, EMSGSIZE, EPERM: the datagram is dropped and counted, its neighbours go out.
 * - An error met by a receive (ICMP's answer to an earlier datagram): the socket is readable, and there may be nothing.
 */

import type { Micros } from '../../sys/api.ts';
import type { HostFaultStats } from './host-faults.ts';
import type { SimSocket } from './sim-socket.ts';

export type BlockError = 'EAGAIN' | 'ENOBUFS';
export type RefuseError = 'ECONNREFUSED' | 'EMSGSIZE' | 'EPERM';
export type SendError = BlockError | RefuseError;

/** How long: for a time, or so many times (flushes that are blocked, datagrams that are refused). */
export type FaultSpan =
  | { readonly forMicros: Micros; readonly times?: undefined }
  | { readonly times: number; readonly forMicros?: undefined };

export const SEND_ERRORS: readonly SendError[] = ['EAGAIN', 'ENOBUFS', 'ECONNREFUSED', 'EMSGSIZE', 'EPERM'];
/** An hour. */
export const SPAN_MICROS_MAX = 3_600_000_000;
export const TIMES_MAX = 1_000_000;
/** After which a flush finds room again that was one of so many: what a full buffer of 200 KiB takes at some Gbit/s. */
const ROOM_MICROS: Micros = 1_000;

/** Throws RangeError, naming the field. */
export function checkSpan(name: string, span: FaultSpan): void {
  const { forMicros, times } = span;
  if ((forMicros === undefined) === (times === undefined)) {
    throw new RangeError(`${name}: give either forMicros or times`);
  }
  if (forMicros !== undefined) checkNumber(`${name}: forMicros`, forMicros, SPAN_MICROS_MAX);
  if (times !== undefined) checkNumber(`${name}: times`, times, TIMES_MAX);
}

/** Throws RangeError when it is not an integer in 1 .. `max`. */
export function checkNumber(name: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new RangeError(`${name} is an integer in 1 .. ${max}, not ${value}`);
}

/** One error and how long it lasts. */
class Span<E> {
  error: E | null = null;
  #until: Micros = 0;
  #times = 0;

  set(error: E, span: FaultSpan, now: Micros): void {
    this.error = error;
    this.#until = now + (span.forMicros ?? 0);
    this.#times = span.times ?? 0;
  }

  /** Whether it is there now; one of its times is over then. */
  meets(now: Micros): boolean {
    if (this.error === null) return false;
    if (this.#times > 0) {
      this.#times--;
      return true;
    }
    if (now < this.#until) return true;
    this.error = null;
    return false;
  }

  /** When there is room again after it was met at `now`. */
  roomAt(now: Micros): Micros {
    return now < this.#until ? this.#until : now + ROOM_MICROS;
  }

  /** Whether it is one for a time. */
  lasts(now: Micros): boolean {
    return now < this.#until;
  }
}

/** The errors of one host. */
export class SocketFaults {
  readonly #stats: HostFaultStats;
  readonly #block: Span<BlockError> = new Span();
  readonly #refuse: Span<RefuseError> = new Span();

  constructor(stats: HostFaultStats) {
    this.#stats = stats;
  }

  /** From now on sockets of the host meet `error` when they send; it takes the place of another one of its kind. */
  set(error: SendError, span: FaultSpan, now: Micros): void {
    if (error === 'EAGAIN' || error === 'ENOBUFS') this.#block.set(error, span, now);
    else this.#refuse.set(error, span, now);
  }

  /** How many of `count` datagrams the kernel lets `socket` flush; fewer than all: it is told when there is room. */
  admits(socket: SimSocket, count: number, now: Micros): number {
    const block = this.#block;
    if (!block.meets(now)) return count;
    this.#stats.sendsBlocked++;
    const roomAt = block.roomAt(now);
    const taken = block.lasts(now) ? 0 : count >> 1; // one of so many flushes finds room for a part of it
    if (block.error === 'EAGAIN') socket.blockSending(roomAt);
    else socket.tellRoomAt(roomAt);
    return taken;
  }

  /** Whether the kernel refuses the next datagram of `socket`, which counts why. */
  refuses(socket: SimSocket, now: Micros): boolean {
    if (!this.#refuse.meets(now)) return false;
    this.#stats.sendsRefused++;
    const { stats } = socket;
    if (this.#refuse.error === 'ECONNREFUSED') stats.refused++;
    else if (this.#refuse.error === 'EMSGSIZE') stats.tooLarge++;
    else stats.sendFailed++;
    return true;
  }

  /** A receive has met an error. */
  onReceiveError(): void {
    this.#stats.receiveErrors++;
  }
}
