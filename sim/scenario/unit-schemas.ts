/** Quantities in a scenario file: strings with a unit that become whole numbers of the base unit. */

import { z } from 'zod';
import {
  COST_UNITS,
  DURATION_UNITS,
  PPM_UNITS,
  patternOf,
  RATE_UNITS,
  readQuantity,
  readShare,
  SIZE_UNITS,
  type Units,
  writeQuantity,
} from './units.ts';

/** What is read as a string and comes out as a number. */
export type QuantitySchema = z.ZodType<number, string>;
export type ShareSchema = z.ZodType<number, number | string>;

/** Microseconds from `min` to `max`; with a sign where `min` is negative. */
export function duration(min: number, max: number, example = '50ms'): QuantitySchema {
  return quantity('a duration', DURATION_UNITS, min, max, example);
}

/** Nanoseconds up to `max`. */
export function cost(max: number, example: string): QuantitySchema {
  return quantity('a time', COST_UNITS, 0, max, example);
}

/** Millionths up to `max`, either way. */
export function drift(max: number): QuantitySchema {
  return quantity('a drift', PPM_UNITS, -max, max, '50ppm');
}

/** Bits a second. */
export function rate(): QuantitySchema {
  return quantity('a rate', RATE_UNITS, 1_000, 1e12, '2Mbit/s');
}

/** Bytes from `min` to `max`. */
export function size(min: number, max: number, example = '64KiB'): QuantitySchema {
  return quantity('a size', SIZE_UNITS, min, max, example);
}

function quantity(what: string, units: Units, min: number, max: number, example: string): QuantitySchema {
  const say =
    `give ${what} from ${writeQuantity(min, units)} to ${writeQuantity(max, units)}, ` + `such as "${example}"`;
  return z
    .string({ error: say })
    .regex(min < 0 ? signed(patternOf(units)) : patternOf(units), { error: say })
    .transform((text, context) => {
      const value = text.startsWith('-') ? -readQuantity(text.slice(1), units)! : readQuantity(text, units)!;
      if (value < min || value > max) context.issues.push({ code: 'custom', message: say, input: text });
      return value;
    });
}

function signed(pattern: RegExp): RegExp {
  return new RegExp(pattern.source.replace('^', '^-?'));
}

/** A probability or a share: 0 .. 1, or a percentage. */
export function share(what = 'a probability'): ShareSchema {
  const say = `give ${what} from 0 to 1, or a percentage such as "5%"`;
  return z
    .union(
      [z.number().min(0, { error: say }).max(1, { error: say }), z.string().regex(/^\d+(\.\d+)? ?%$/, { error: say })],
      { error: say },
    )
    .transform((value, context) => {
      const read = readShare(value);
      if (read === null) context.issues.push({ code: 'custom', message: say, input: value });
      return read ?? 0;
    });
}

/** A whole number. */
export function whole(min: number, max: number): z.ZodType<number, number> {
  const say = `give a whole number from ${min} to ${max}`;
  return z.int({ error: say }).min(min, { error: say }).max(max, { error: say });
}

/** One of some words. */
export function oneOf<const Word extends string>(words: readonly Word[]): z.ZodType<Word, Word> {
  return z.enum(words, { error: `give one of ${words.join(', ')}` });
}

/** Fields of an object and what each may be. */
export type Shape = Readonly<Record<string, z.ZodType>>;

/** An object with these fields and no others; `say` what to say of one that it does not know. */
export function fields<T>(shape: Shape, say: typeof unknownField = unknownField): z.ZodType<T> {
  const known = Object.keys(shape);
  const schema = z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return issue.keys!.map((key) => say(key, known)).join('\n');
      const some = known.filter((name) => !name.startsWith('$'));
      return `give an object: { ${some.slice(0, 4).join(', ')}${some.length > 4 ? ', ...' : ''} }`;
    },
  });
  return schema as z.ZodType as z.ZodType<T>;
}

/** Fields that are known are listed up to this many. */
const LISTED_MAX = 12;
/** Words that differ in more letters than this are not the same word misspelt. */
const DISTANCE_MAX = 3;

/** What to say of a field that nobody knows. */
export function unknownField(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  if (near !== null) return `unknown field; do you mean "${near}"?`;
  return known.length <= LISTED_MAX
    ? `unknown field; there is ${known.filter((name) => !name.startsWith('$')).join(', ')}`
    : 'unknown field; see sim/README.md for those that there are';
}

/** The word that differs least, if by little: in a third of its letters at most. */
export function nearest(word: string, words: readonly string[]): string | null {
  let [best, least] = [null as string | null, Math.min(DISTANCE_MAX, Math.ceil(word.length / 2)) + 1];
  for (const candidate of words) {
    const distance = distanceBetween(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Letters to put in, take out or change (Levenshtein). */
function distanceBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
