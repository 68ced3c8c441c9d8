/**
 * Whether somebody else holds the queue.
 *
 * Flows of ours empty the queue within a round trip or two, since all of them see it and cut in proportion. When it still
 * stands after several cuts, it belongs to a flow that answers to loss only (NewReno, CUBIC), or there is no queue at all: the
 * path has grown longer. Which of the three it is later shows a test: yield once by as much as would empty the queue if we
 * were alone, and look. Empty: we are alone. The same as in the last tests, to the millisecond: a longer path, for the queue of a
 * loss-based flow moves all the time. Else the competitor is still there.
 */

import type { Micros } from '../../sys/api.ts';

/** Yields in a row after which the queue is somebody else's; fewer when one was met in the last ten seconds. */
const YIELDS_MAX = 4;
const YIELDS_MAX_AGAIN = 2;
const MEMORY_MICROS = 10_000_000;
/** Between two tests, whichever is longer: a test costs about a round trip of half the window. */
const TEST_MICROS = 1_500_000;
const TEST_RTTS = 15;
/** Queues after tests that differ by less than this, so many times in a row, are none. */
const FLAT_MICROS = 1000;
const FLAT_TESTS = 2;

export const COMPETITOR = 0;
export const ALONE = 1;
export const LONGER_PATH = 2;

export class Competitor {
  /** The window before the first yield of a row, or before the test that is running. */
  readonly savedCwndBytes: Float64Array;
  /** 1 while a test is running. */
  readonly testing: Uint8Array;
  readonly #yields: Uint8Array;
  readonly #metAt: Float64Array;
  readonly #testAt: Float64Array;
  readonly #testQueue: Float64Array;
  readonly #flatTests: Uint8Array;
  /** Greatest queue since the last test. */
  readonly #queueMax: Float64Array;

  constructor(connections: number) {
    this.savedCwndBytes = new Float64Array(connections);
    this.testing = new Uint8Array(connections);
    this.#yields = new Uint8Array(connections);
    this.#metAt = new Float64Array(connections);
    this.#testAt = new Float64Array(connections);
    this.#testQueue = new Float64Array(connections);
    this.#flatTests = new Uint8Array(connections);
    this.#queueMax = new Float64Array(connections);
  }

  reset(connection: number): void {
    this.savedCwndBytes[connection] = 0;
    this.testing[connection] = 0;
    this.#yields[connection] = 0;
    this.#metAt[connection] = -MEMORY_MICROS;
    this.#flatTests[connection] = 0;
  }

  /** The queue was seen at or below the target. */
  drained(connection: number): void {
    this.#yields[connection] = 0;
  }

  /** The queue stands. Whether to yield (true), or to see that yielding is in vain and compete (false). */
  mayYield(connection: number, cwndBytes: number, now: Micros): boolean {
    if (this.#yields[connection] === 0) this.savedCwndBytes[connection] = cwndBytes;
    this.#yields[connection]!++;
    const again = now - this.#metAt[connection]! < MEMORY_MICROS;
    return this.#yields[connection]! <= (again ? YIELDS_MAX_AGAIN : YIELDS_MAX);
  }

  /** Competing begins. */
  met(connection: number, now: Micros): void {
    this.#metAt[connection] = now;
    this.#testAt[connection] = now + TEST_MICROS;
    this.#yields[connection] = 0;
    this.#flatTests[connection] = 0;
    this.#testQueue[connection] = 0;
    this.#queueMax[connection] = 0;
  }

  /**
   * Whether a test should start. Only while the queue is at least half of the greatest since the last one: a loss-based flow
   * that has just halved may leave an empty queue behind, and would be taken for gone.
   */
  testDue(connection: number, queueMicros: number, now: Micros): boolean {
    if (queueMicros > this.#queueMax[connection]!) this.#queueMax[connection] = queueMicros;
    return now >= this.#testAt[connection]! && queueMicros >= this.#queueMax[connection]! / 2;
  }

  beginTest(connection: number, cwndBytes: number): void {
    this.savedCwndBytes[connection] = cwndBytes;
    this.testing[connection] = 1;
  }

  /** COMPETITOR, ALONE or LONGER_PATH, from the queue that a test has left. */
  endTest(connection: number, queueMicros: number, targetMicros: number, rttMicros: number, now: Micros): number {
    this.testing[connection] = 0;
    this.#testAt[connection] = now + Math.max(TEST_MICROS, TEST_RTTS * rttMicros);
    this.#queueMax[connection] = queueMicros;
    this.#metAt[connection] = now;
    if (queueMicros <= targetMicros) return ALONE;
    if (Math.abs(queueMicros - this.#testQueue[connection]!) > FLAT_MICROS) this.#flatTests[connection] = 0;
    else this.#flatTests[connection]!++;
    this.#testQueue[connection] = queueMicros;
    return this.#flatTests[connection]! >= FLAT_TESTS ? LONGER_PATH : COMPETITOR;
  }
}
