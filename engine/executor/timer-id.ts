/** The id of a timer: where it lies, and who it is of all that have lain there. */

/** Timers of one wheel: bits of the index in an id. */
const INDEX_BITS = 20;
export const INDEXES_MAX: number = 1 << INDEX_BITS;
const INDEX_MASK = INDEXES_MAX - 1;
/** The rest of a non-negative 31-bit id tells two users of one place apart. */
const GENERATION_MASK = (1 << (31 - INDEX_BITS)) - 1;
/** What `insert` never returns: for a field that says "no timer". */
export const NO_TIMER = -1;

export function timerId(index: number, generation: number): number {
  return (generation << INDEX_BITS) | index;
}

/** Of a non-negative id. */
export function indexOf(id: number): number {
  return id & INDEX_MASK;
}

/** Of a non-negative id. */
export function generationOf(id: number): number {
  return id >>> INDEX_BITS;
}

export function nextGeneration(generation: number): number {
  return (generation + 1) & GENERATION_MASK;
}
