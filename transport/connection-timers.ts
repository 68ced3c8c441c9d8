/**
 * When each connection is to be looked at next: the earliest of ack, loss by time, probe, copy and pacing. One timer a connection in a
 * wheel; a deadline that moves later is not set again, the wheel looks too early then, and once.
 */

import { type Micros, NEVER } from '../sys/api.ts';
import type { Pacer } from './congestion/pacer.ts';
import { DueWheel } from './due-wheel.ts';
import type { AckTracker } from './recovery/ack-tracker.ts';
import type { LossDetector } from './recovery/loss-detector.ts';

/** When copies wait and no packet leaves, one goes of its own after so long: more than a tick at 60 Hz. */
const COPY_MICROS = 20_000;

export class ConnectionTimers {
  /** When a packet of its own goes out for copies, NEVER: none wait. */
  readonly copyAt: Float64Array;
  readonly #wheel: DueWheel;
  /** 1: the wheel has a time for the connection. */
  readonly #isSet: Uint8Array;
  readonly #tracker: AckTracker;
  readonly #detector: LossDetector;
  readonly #pacer: Pacer;

  constructor(connections: number, tracker: AckTracker, detector: LossDetector, pacer: Pacer) {
    this.copyAt = new Float64Array(connections).fill(NEVER);
    this.#wheel = new DueWheel(connections);
    this.#isSet = new Uint8Array(connections);
    this.#tracker = tracker;
    this.#detector = detector;
    this.#pacer = pacer;
  }

  /** A packet has left: copies that still wait have until the next tick to ride with another one. */
  onSent(c: number, eliciting: boolean, copiesWait: boolean, now: Micros): void {
    if (!copiesWait) this.copyAt[c] = NEVER;
    else if (eliciting || this.copyAt[c] === NEVER) this.copyAt[c] = now + COPY_MICROS;
  }

  /** Sees to it that the connection is looked at when something of it is due. */
  arm(c: number): void {
    let at = this.#tracker.dueAt[c]!;
    const lossAt = this.#detector.lossAt[c]!;
    if (lossAt < at) at = lossAt;
    const probeAt = this.#detector.probeAt[c]!;
    if (probeAt < at) at = probeAt;
    const copyAt = this.copyAt[c]!;
    if (copyAt < at) at = copyAt;
    const bulkAt = this.#pacer.nextBulkAt[c]!;
    if (bulkAt > 0 && bulkAt < at) at = bulkAt;
    if (at === NEVER || (this.#isSet[c] === 1 && this.#wheel.at[c]! <= at)) return;
    this.#isSet[c] = 1;
    this.#wheel.at[c] = at;
    this.#wheel.set(c);
  }

  disarm(c: number): void {
    this.copyAt[c] = NEVER;
    this.#pacer.nextBulkAt[c] = 0;
    this.#isSet[c] = 0;
    this.#wheel.cancel(c);
  }

  /** Takes out a connection whose time has come, or returns -1. Call until -1; `arm` it again afterwards. */
  takeDue(now: Micros): number {
    const c = this.#wheel.takeDue(now);
    if (c >= 0) this.#isSet[c] = 0;
    return c;
  }

  deadline(): Micros {
    return this.#wheel.deadline();
  }
}
