/** How often workers and their supervisor look at each other. */

import type { Micros } from '../../sys/api.ts';

/** A worker's beat. */
export const PULSE_MICROS: Micros = 100_000;
/** How often the supervisor looks whether hearts beat. */
export const WATCH_MICROS: Micros = 100_000;
/** Silence after which a worker counts as hanging. Longer than a collection of garbage or a stop in a virtual machine. */
export const HANG_MICROS: Micros = 2_000_000;
/** Time for a game to load and to start. */
export const START_MICROS: Micros = 30_000_000;
/** Before a worker is started again that did not live for long; doubled each time, up to the longest. */
export const RESTART_MICROS_MIN: Micros = 100_000;
export const RESTART_MICROS_MAX: Micros = 5_000_000;
/** A worker that has lived for so long is started again at once. */
export const SETTLED_MICROS: Micros = 10_000_000;
