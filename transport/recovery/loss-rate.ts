/**
 * How lossy a path is, from the fates of ack-eliciting packets in the order of their numbers: how many are lost (p), how
 * many of those that follow a lost one (q), how long bursts are; and from p and q how often a small reliable message should
 * ride again (PROTOCOL.md, section 3, Redundancy).
 */

/** The mean of all at first, then the last 256 packets weigh most: about four seconds at 60 Hz. */
const LOSS_WINDOW = 256;
/** Losses are rarer, so fewer of them must do. */
const BURST_WINDOW = 64;
/** What the share of messages lost with all their copies shall not exceed. */
const RESIDUAL_MAX = 1 / 2000;
const COPIES_MAX = 8;
const LONGEST_MAX = 0xffff;

export class LossRate {
  /** Share of lost packets, 0 .. 1. */
  readonly lossRate: Float64Array;
  /** Share of lost ones among those directly after a lost one, 0 .. 1. */
  readonly lostAfterLost: Float64Array;
  /** Mean length of the bursts that have ended, in packets; 0 before the first. */
  readonly meanBurst: Float64Array;
  /** Longest burst so far, at most 65,535. */
  readonly longestBurst: Uint16Array;
  /** Packets whose fate was lost, and all. */
  readonly lostPackets: Float64Array;
  readonly settledPackets: Float64Array;
  /** How many times the three means were updated, up to their windows. */
  readonly #packets: Uint16Array;
  readonly #afterLost: Uint8Array;
  readonly #bursts: Uint8Array;
  /** Lost packets at the end so far. */
  readonly #burst: Uint16Array;
  readonly #copies: Uint8Array;
  readonly #stale: Uint8Array;

  constructor(connections: number) {
    this.lossRate = new Float64Array(connections);
    this.lostAfterLost = new Float64Array(connections);
    this.meanBurst = new Float64Array(connections);
    this.longestBurst = new Uint16Array(connections);
    this.lostPackets = new Float64Array(connections);
    this.settledPackets = new Float64Array(connections);
    this.#packets = new Uint16Array(connections);
    this.#afterLost = new Uint8Array(connections);
    this.#bursts = new Uint8Array(connections);
    this.#burst = new Uint16Array(connections);
    this.#copies = new Uint8Array(connections);
    this.#stale = new Uint8Array(connections);
  }

  reset(c: number): void {
    this.lossRate[c] = 0;
    this.lostAfterLost[c] = 0;
    this.meanBurst[c] = 0;
    this.longestBurst[c] = 0;
    this.lostPackets[c] = 0;
    this.settledPackets[c] = 0;
    this.#packets[c] = 0;
    this.#afterLost[c] = 0;
    this.#bursts[c] = 0;
    this.#burst[c] = 0;
    this.#copies[c] = 0;
    this.#stale[c] = 0;
  }

  /** The next packet's fate, in order of number. */
  onFate(c: number, lost: boolean): void {
    const hit = lost ? 1 : 0;
    this.settledPackets[c]!++;
    this.lostPackets[c]! += hit;
    this.#stale[c] = 1;
    if (this.#packets[c]! < LOSS_WINDOW) this.#packets[c]!++;
    this.lossRate[c]! += (hit - this.lossRate[c]!) / this.#packets[c]!;
    const burst = this.#burst[c]!;
    if (burst > 0) {
      if (this.#afterLost[c]! < BURST_WINDOW) this.#afterLost[c]!++;
      this.lostAfterLost[c]! += (hit - this.lostAfterLost[c]!) / this.#afterLost[c]!;
    }
    if (lost) {
      if (burst < LONGEST_MAX) this.#burst[c] = burst + 1;
      if (this.#burst[c]! > this.longestBurst[c]!) this.longestBurst[c] = this.#burst[c]!;
    } else if (burst > 0) {
      if (this.#bursts[c]! < BURST_WINDOW) this.#bursts[c]!++;
      this.meanBurst[c]! += (burst - this.meanBurst[c]!) / this.#bursts[c]!;
      this.#burst[c] = 0;
    }
  }

  /** How many times a small reliable message should ride again: the least k for which p q^k <= 1/2,000, at most 8. */
  copies(c: number): number {
    if (this.#stale[c] !== 0) {
      this.#stale[c] = 0;
      let copies = 0;
      let residual = this.lossRate[c]!;
      while (residual > RESIDUAL_MAX && copies < COPIES_MAX) {
        residual *= this.lostAfterLost[c]!;
        copies++;
      }
      this.#copies[c] = copies;
    }
    return this.#copies[c]!;
  }
}
