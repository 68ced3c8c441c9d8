/** Quantities as people write them: `50ms`, `2Mbit/s`, `64KiB`, `5%`; and as the simulator counts: microseconds, bits, bytes. */

/** A unit and what one of it is in the base unit. */
export type Units = Readonly<Record<string, number>>;

/** In nanoseconds: what code costs. */
export const COST_UNITS: Units = { ns: 1, us: 1_000, ms: 1_000_000, s: 1_000_000_000 };
/** In microseconds. */
export const DURATION_UNITS: Units = { us: 1, ms: 1_000, s: 1_000_000, min: 60_000_000, h: 3_600_000_000 };
/** In bits a second. */
export const RATE_UNITS: Units = { 'bit/s': 1, 'kbit/s': 1_000, 'Mbit/s': 1_000_000, 'Gbit/s': 1_000_000_000 };
/** In millionths. */
export const PPM_UNITS: Units = { ppm: 1 };
/** In bytes. */
export const SIZE_UNITS: Units = { B: 1, kB: 1_000, KiB: 1_024, MB: 1_000_000, MiB: 1_048_576 };

/** What a quantity in these units looks like. */
export function patternOf(units: Units): RegExp {
  return new RegExp(`^\\d+(\\.\\d+)? ?(${Object.keys(units).join('|')})$`);
}

/** A quantity in the base unit, rounded to a whole number; null when it is written otherwise. */
export function readQuantity(text: string, units: Units): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z/]+)$/.exec(text);
  const unit = match === null || !Object.hasOwn(units, match[2]!) ? undefined : units[match[2]!];
  return unit === undefined ? null : Math.round(Number(match![1]) * unit);
}

/** A share: `5%`, or a number from 0 to 1; null when it is neither. */
export function readShare(value: number | string): number | null {
  const share =
    typeof value === 'number' ? value : /^\d+(\.\d+)? ?%$/.test(value) ? Number.parseFloat(value) / 100 : -1;
  return share >= 0 && share <= 1 ? share : null;
}

/** A quantity of base units in the largest unit that shows it in whole numbers: 1500 -> `1500us`, 2000 -> `2ms`. */
export function writeQuantity(value: number, units: Units): string {
  const fitting = Object.entries(units).filter(([, size]) => value % size === 0 && (value !== 0 || size === 1));
  const [unit, size] = fitting.at(-1) ?? [Object.keys(units)[0]!, 1];
  return `${value / size}${unit}`;
}
