/**
 * How much of what is sent is lost, and how much of that is the path's own: a radio's noise, not a full queue.
 *
 * Random loss does not ask how fast one sends; the loss of a full queue goes away when one yields. So the floor is the
 * least smoothed loss of the last 10 to 20 seconds, and only what is clearly above it is taken for congestion.
 */

import type { AckSample } from './ack-sample.ts';

/** A round counts when it has this many packets; one with fewer is joined to the next. One packet of five is not 20 %. */
const ROUND_PACKETS = 40;
/** Weight of a round in the smoothed loss: about the last four rounds. */
const SMOOTHING = 0.25;
/** Rounds before the smoothed loss may become the floor. */
const SETTLED_ROUNDS = 8;
/** Half of the window of the floor: longer than the rounds between two yields. */
const FLOOR_TURN_MICROS = 10_000_000;
/** What is clearly above a known floor: twice the floor and 4 %, five standard deviations of 200 packets at 10 %. */
const CLEAR_FACTOR = 2;
const CLEAR_MARGIN = 0.04;
/** More than this is no path that a game can be played on, but a queue so short that it cannot be seen. */
const FLOOR_MAX = 0.1;
/** Clear when no floor is known: more than the 10 % of random loss that must be survived. */
const CLEAR_UNKNOWN = 0.18;
const NONE = 1;

export class LossFloor {
  /** Smoothed share of packets lost: 0 .. 1. */
  readonly smoothed: Float64Array;
  /** Loss above which congestion is plain. */
  readonly clear: Float64Array;
  /** What the path loses by itself, as far as known. */
  readonly floor: Float64Array;
  /** Counts changes of `smoothed`, modulo 256: so that one is not answered twice. */
  readonly folds: Uint8Array;
  readonly #least: Float64Array;
  readonly #leastPrevious: Float64Array;
  readonly #turnsAt: Float64Array;
  readonly #rounds: Uint8Array;
  readonly #acked: Uint32Array;
  readonly #lost: Uint32Array;

  constructor(connections: number) {
    this.smoothed = new Float64Array(connections);
    this.clear = new Float64Array(connections);
    this.floor = new Float64Array(connections);
    this.folds = new Uint8Array(connections);
    this.#least = new Float64Array(connections);
    this.#leastPrevious = new Float64Array(connections);
    this.#turnsAt = new Float64Array(connections);
    this.#rounds = new Uint8Array(connections);
    this.#acked = new Uint32Array(connections);
    this.#lost = new Uint32Array(connections);
  }

  reset(connection: number): void {
    this.smoothed[connection] = 0;
    this.clear[connection] = CLEAR_UNKNOWN;
    this.floor[connection] = 0;
    this.#least[connection] = NONE;
    this.#leastPrevious[connection] = NONE;
    this.#turnsAt[connection] = 0;
    this.#rounds[connection] = 0;
    this.#acked[connection] = 0;
    this.#lost[connection] = 0;
  }

  /** Counts packets of the round that is under way. */
  count(connection: number, ackedPackets: number, lostPackets: number): void {
    this.#acked[connection]! += ackedPackets;
    this.#lost[connection]! += lostPackets;
  }

  /** Whether this round has lost more packets than the floor explains: what a loss-based flow would call congestion. */
  roundAbove(connection: number): boolean {
    const lost = this.#lost[connection]!;
    const floor = this.floor[connection]!;
    // Twice the floor, and two packets: in small rounds a floor is a matter of luck.
    return lost > CLEAR_FACTOR * floor * (lost + this.#acked[connection]!) + (floor > 0.002 ? 2 : 0);
  }

  /** Starts the count of this round anew, so that one loss is not answered twice. */
  answered(connection: number): void {
    this.#acked[connection] = 0;
    this.#lost[connection] = 0;
  }

  /** A round has ended: folds it, if it is large enough, into the average and the floor. */
  endRound(connection: number, sample: AckSample): void {
    const now = sample.now;
    const lost = this.#lost[connection]!;
    const packets = lost + this.#acked[connection]!;
    if (packets < ROUND_PACKETS) return;
    this.answered(connection);
    this.folds[connection]!++;
    const share = lost / packets;
    const rounds = this.#rounds[connection]!;
    // The mean of the first rounds, then an average that forgets.
    const weight = rounds < 3 ? 1 / (rounds + 1) : SMOOTHING;
    const smoothed = this.smoothed[connection]! + weight * (share - this.smoothed[connection]!);
    this.smoothed[connection] = smoothed;
    if (rounds < SETTLED_ROUNDS) {
      this.#rounds[connection] = rounds + 1;
      return;
    }
    if (now >= this.#turnsAt[connection]!) {
      if (this.#turnsAt[connection]! > 0) this.#leastPrevious[connection] = this.#least[connection]!;
      this.#least[connection] = smoothed;
      this.#turnsAt[connection] = now + FLOOR_TURN_MICROS;
    } else if (smoothed < this.#least[connection]!) this.#least[connection] = smoothed;
    const floor = Math.min(this.#least[connection]!, this.#leastPrevious[connection]!, FLOOR_MAX);
    this.floor[connection] = floor;
    this.clear[connection] = CLEAR_FACTOR * floor + CLEAR_MARGIN;
  }
}
