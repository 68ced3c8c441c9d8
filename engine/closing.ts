/** How a connection is to end: at once, or once what was sent has arrived. */

import type { Micros } from '../sys/api.ts';
import { checkWhole } from '../transport/config-error.ts';

export interface CloseOptions {
  /** What the other side is told, at most 255 bytes of UTF-8. */
  readonly text?: string;
  /** First wait until everything that was sent has arrived. Nothing more is sent meanwhile. Default false. */
  readonly drain?: boolean;
  /** How long to wait for that at most. Default 2,000,000: several round trips of a bad path. */
  readonly drainMicros?: number;
}

/** The same with nothing left open. */
export interface Closing {
  readonly text: string;
  /** 0: at once. */
  readonly drainMicros: Micros;
}

const DRAIN_MICROS = 2_000_000;
const DRAIN_MICROS_MAX = 600_000_000;

export function closingOf(given: string | CloseOptions): Closing {
  if (typeof given === 'string') return { text: given, drainMicros: 0 };
  const { text = '', drain = false, drainMicros = DRAIN_MICROS } = given;
  checkWhole('drainMicros', drainMicros, 1, DRAIN_MICROS_MAX);
  return { text, drainMicros: drain ? drainMicros : 0 };
}
