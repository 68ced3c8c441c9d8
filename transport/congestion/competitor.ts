/**
 * Whether somebody else holds the queue.
 *
 * Flows of ours empty the queue within a round trip or two, since all of them see it and cut in proportion. When it still
 * stands after several cuts, it belongs to a flow that answers to loss only (NewReno, CUBIC), or there is no queue at all: the
 * path has grown longer. Which of the three it is later shows a test: yield once by as much as would empty the queue if we
 * were alone, and look. Empty: we are alone. The same as in the last tests, to the millisecond: a longer path, for the queue of a
 * loss-based flow moves all the time. Else the competitor is still there.
 */

import type { AckSample } from './ack-sample.ts';
import type { QueueDelay } from './queue-delay.ts';
import type { QueueTarget } from './queue-target.ts';

/** Yields in a row after which the queue is somebody else's; fewer when one was met lately. */
const YIELDS_MAX = 4;
const YIELDS_MAX_AGAIN = 2;
const MEMORY_MICROS = 15_000_000;
/**
 * Share of the window that may be yielded after a competitor was taken for gone. On fast paths a loss-based flow grows so slowly that
 * each of our yields empties the queue, and takes what was yielded all the same.
 */
const DECLINE_MAX = 0.5;
/** Between two tests, whichever is longer: a test costs about a round trip of half the window. */
const TEST_MICROS = 1_500_000;
const TEST_RTTS = 15;
/** How long a test waits for a queue that is worth it. */
const TEST_PATIENCE_MICROS = 2_000_000;
/** Queues after tests that differ by less than this, so many times in a row, are none. */
const FLAT_MICROS = 1000;
const FLAT_TESTS = 2;

/** A queue that stayed below the target for so long while we competed: two flows that have halved need less to fill it, up to 200 Mbit/s. */
const GONE_MICROS = 1_500_000;

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
  /** The window when the last competitor was taken for gone. */
  readonly #leftCwndBytes: Float64Array;
  readonly #testAt: Float64Array;
  readonly #testQueue: Float64Array;
  readonly #flatTests: Uint8Array;
  /** When the queue was last above the target. */
  readonly #queuedAt: Float64Array;
  /** Greatest queue since the last test. */
  readonly #queueMax: Float64Array;

  constructor(connections: number) {
    this.savedCwndBytes = new Float64Array(connections);
    this.testing = new Uint8Array(connections);
    this.#yields = new Uint8Array(connections);
    this.#metAt = new Float64Array(connections);
    this.#leftCwndBytes = new Float64Array(connections);
    this.#testAt = new Float64Array(connections);
    this.#testQueue = new Float64Array(connections);
    this.#flatTests = new Uint8Array(connections);
    this.#queuedAt = new Float64Array(connections);
    this.#queueMax = new Float64Array(connections);
  }

  reset(connection: number): void {
    this.savedCwndBytes[connection] = 0;
    this.testing[connection] = 0;
    this.#yields[connection] = 0;
    this.#metAt[connection] = -MEMORY_MICROS;
    this.#leftCwndBytes[connection] = 0;
    this.#flatTests[connection] = 0;
  }

  /** The queue was seen at or below the target. */
  drained(connection: number): void {
    this.#yields[connection] = 0;
  }

  /** The queue stands. Whether to yield (true), or to see that yielding is in vain and compete (false). */
  mayYield(connection: number, cwndBytes: Float64Array, sample: AckSample): boolean {
    const cwnd = cwndBytes[connection]!;
    if (this.#yields[connection] === 0) this.savedCwndBytes[connection] = cwnd;
    this.#yields[connection]!++;
    if (sample.now - this.#metAt[connection]! >= MEMORY_MICROS) return this.#yields[connection]! <= YIELDS_MAX;
    const left = this.#leftCwndBytes[connection]!;
    if (cwnd < DECLINE_MAX * left) {
      this.savedCwndBytes[connection] = left;
      return false;
    }
    return this.#yields[connection]! <= YIELDS_MAX_AGAIN;
  }

  /** Competing begins. */
  met(connection: number, sample: AckSample): void {
    this.#metAt[connection] = sample.now;
    this.#testAt[connection] = sample.now + TEST_MICROS;
    this.#queuedAt[connection] = sample.now;
    this.#yields[connection] = 0;
    this.#flatTests[connection] = 0;
    this.#testQueue[connection] = 0;
    this.#queueMax[connection] = 0;
  }

  /** Competing ends. */
  left(connection: number, cwndBytes: Float64Array, sample: AckSample): void {
    this.#metAt[connection] = sample.now;
    this.#leftCwndBytes[connection] = cwndBytes[connection]!;
  }

  /** Whether the queue has stayed short for so long, while we competed, that nobody can be filling it. */
  isGone(connection: number, queue: QueueDelay, target: QueueTarget, sample: AckSample): boolean {
    if (queue.queueMicros[connection]! > target.micros[connection]!) this.#queuedAt[connection] = sample.now;
    return sample.now - this.#queuedAt[connection]! >= GONE_MICROS;
  }

  /**
   * Whether a test should start. For a while only when the queue is at least half of the greatest since the last one: a
   * loss-based flow that has just halved may leave an empty queue behind, and would be taken for gone.
   */
  testDue(connection: number, queue: QueueDelay, sample: AckSample): boolean {
    const waits = queue.queueMicros[connection]!;
    if (waits > this.#queueMax[connection]!) this.#queueMax[connection] = waits;
    const late = sample.now - this.#testAt[connection]!;
    return late >= TEST_PATIENCE_MICROS || (late >= 0 && waits >= this.#queueMax[connection]! / 2);
  }

  beginTest(connection: number, cwndBytes: Float64Array): void {
    this.savedCwndBytes[connection] = cwndBytes[connection]!;
    this.testing[connection] = 1;
  }

  /** COMPETITOR, ALONE or LONGER_PATH, from the queue that a test has left. */
  endTest(connection: number, queue: QueueDelay, target: QueueTarget, sample: AckSample): number {
    const waits = queue.queueMicros[connection]!;
    const rtt = queue.baseMicros[connection]! + waits;
    this.testing[connection] = 0;
    this.#testAt[connection] = sample.now + Math.max(TEST_MICROS, TEST_RTTS * rtt);
    this.#queueMax[connection] = waits;
    if (waits <= target.micros[connection]!) return ALONE;
    this.#metAt[connection] = sample.now;
    if (Math.abs(waits - this.#testQueue[connection]!) > FLAT_MICROS) this.#flatTests[connection] = 0;
    else this.#flatTests[connection]!++;
    this.#testQueue[connection] = waits;
    return this.#flatTests[connection]! >= FLAT_TESTS ? LONGER_PATH : COMPETITOR;
  }
}
