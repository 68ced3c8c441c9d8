/** The columns of a run over time, as reports carry them. */

import type { Side } from './message-latencies.ts';

/** Columns of equal length, one number a step. `null`: there was nothing to measure. */
export interface SeriesReport {
  /** Row i is about the step that ends at (i + 1) * stepMs. */
  readonly stepMs: number;
  /** The client whose two ends are shown. */
  readonly client: number;
  /** What the messages of one side did within the step. */
  readonly flows: Readonly<Record<Side, FlowColumns>>;
  /** Packets that did not arrive, by whatever cause. */
  readonly dropped: readonly number[];
  /** Bytes that wait before lines at the end of the step: all clients' ways up, down, and each shared line by name. */
  readonly queueBytes: Readonly<Record<string, readonly number[]>>;
  /** Both ends of one connection. */
  readonly connection: Readonly<Record<Side, ConnectionColumns>>;
}

export interface FlowColumns {
  readonly goodputBytesPerSecond: readonly number[];
  /** Of the messages that came: share that came after the deadline. */
  readonly lateShare: readonly (number | null)[];
  /** The longest that one of them was under way. */
  readonly worstMs: readonly (number | null)[];
}

export interface ConnectionColumns {
  readonly rttMs: readonly (number | null)[];
  readonly cwndBytes: readonly (number | null)[];
  readonly inFlightBytes: readonly (number | null)[];
  readonly budgetBytesPerSecond: readonly (number | null)[];
}
