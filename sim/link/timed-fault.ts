/**
 * Faults that befall a way or a host at a time and, but for those of an instant, for a time, as text:
 *
 *     cut client-0>server at 250ms for 150ms              # nothing enters this way
 *     hold server>client-0 at 250ms for 150ms             # what would arrive waits, and comes all at once
 *     pause server at 250ms for 30ms
 *     failSends client-0 at 250ms for 30ms EAGAIN         # or another of SEND_ERRORS
 *     failReceives client-0 at 250ms 3 times
 *     natTimeout client-0 at 250ms for 150ms after 30ms   # ports that were silent for so long are forgotten
 *     receiveBuffer server at 250ms for 150ms of 4096B
 *     drift client-0 at 250ms for 150ms by -200ppm
 *     leap client-0 at 250ms by 300ms
 *     stepCalendar client-0 at 250ms by -90s
 *     rebind client-0 at 250ms to another address
 *
 * The words are those of the timeline of a scenario file.
 */

import type { Micros } from '../../sys/api.ts';
import { RECEIVE_BUFFER_BYTES_MAX, RECEIVE_BUFFER_BYTES_MIN } from '../world/host.ts';
import { DRIFT_PPM_MAX, STEP_MICROS_MAX } from '../world/host-clock.ts';
import { TIMEOUT_MICROS_MAX } from '../world/nat.ts';
import { SEND_ERRORS, TIMES_MAX } from '../world/socket-faults.ts';
import { timeOf, timeText } from './fault-time.ts';

/** Something goes on at one way for a time (`LinkDirection.cut`, `hold`). */
export interface WayFault {
  readonly kind: 'cut' | 'hold';
  readonly direction: string;
  readonly at: Micros;
  readonly lastsMicros: Micros;
}

/** Something is done to a host (`SimHost`, its clock, `World.natTimeout`). */
export interface HostFault {
  readonly kind:
    | 'pause'
    | 'failSends'
    | 'failReceives'
    | 'natTimeout'
    | 'receiveBuffer'
    | 'drift'
    | 'leap'
    | 'stepCalendar';
  readonly host: string;
  readonly at: Micros;
  /** 0 for those of an instant: `failReceives`, `leap`, `stepCalendar`. */
  readonly lastsMicros: Micros;
  /**
   * `failSends`: a place in SEND_ERRORS. `failReceives`: times. `natTimeout`, `leap`, `stepCalendar`: microseconds.
   * `receiveBuffer`: bytes. `drift`: ppm. `pause`: 0.
   */
  readonly amount: number;
}

/** A host is seen under another port, or address, from a time on (`World.rebind`). */
export interface RebindFault {
  readonly kind: 'rebind';
  readonly host: string;
  readonly at: Micros;
  readonly address: boolean;
}

export type TimedFault = WayFault | HostFault | RebindFault;

/** What is said behind the times of a kind. */
interface Form {
  /** How it is written, for who wrote it otherwise. */
  readonly example: string;
  readonly lasts: boolean;
  /** NaN when it cannot be. */
  readonly read: (rest: string) => number;
  readonly write: (amount: number) => string;
}

/** A fault is at most so far from the beginning: a day. */
const AT_MICROS_MAX = 86_400_000_000;
/** An hour: what a pause and an error of the kernel last at most. */
const LASTS_MICROS_MAX = 3_600_000_000;
const TIME = '-?\\d[\\d.]* ?(?:us|ms|s)';
const LINE = new RegExp(`^(\\w+) (.+) at (${TIME})(?: for (${TIME}))?(?: (.+))?$`);

const NOTHING = { read: (rest: string): number => (rest === '' ? 0 : Number.NaN), write: (): string => '' };

/** A number between words. */
function number(pattern: RegExp, min: number, max: number): Form['read'] {
  return (rest) => {
    const value = Number(pattern.exec(rest)?.[1] ?? Number.NaN);
    return value >= min && value <= max ? value : Number.NaN;
  };
}

/** A time behind a word. */
function time(word: string, min: Micros, max: Micros): Pick<Form, 'read' | 'write'> {
  return {
    read: (rest) => {
      const value = rest.startsWith(`${word} `) ? timeOf(rest.slice(word.length + 1)) : Number.NaN;
      return value >= min && value <= max ? value : Number.NaN;
    },
    write: (amount) => `${word} ${timeText(amount)}`,
  };
}

const FORMS: { readonly [kind in TimedFault['kind']]: Form } = {
  cut: { example: "'cut a>b at 250ms for 150ms'", lasts: true, ...NOTHING },
  hold: { example: "'hold a>b at 250ms for 150ms'", lasts: true, ...NOTHING },
  pause: { example: "'pause a at 250ms for 30ms'", lasts: true, ...NOTHING },
  failSends: {
    example: `'failSends a at 250ms for 30ms EAGAIN' (or ${SEND_ERRORS.slice(1).join(', ')})`,
    lasts: true,
    read: (rest) => {
      const place = (SEND_ERRORS as readonly string[]).indexOf(rest);
      return place < 0 ? Number.NaN : place;
    },
    write: (amount) => SEND_ERRORS[amount]!,
  },
  failReceives: {
    example: "'failReceives a at 250ms 3 times'",
    lasts: false,
    read: number(/^(\d+) times$/, 1, TIMES_MAX),
    write: (amount) => `${amount} times`,
  },
  natTimeout: {
    example: "'natTimeout a at 250ms for 150ms after 30ms'",
    lasts: true,
    ...time('after', 1, TIMEOUT_MICROS_MAX),
  },
  receiveBuffer: {
    example: "'receiveBuffer a at 250ms for 150ms of 4096B'",
    lasts: true,
    read: number(/^of (\d+)B$/, RECEIVE_BUFFER_BYTES_MIN, RECEIVE_BUFFER_BYTES_MAX),
    write: (amount) => `of ${amount}B`,
  },
  drift: {
    example: "'drift a at 250ms for 150ms by -200ppm'",
    lasts: true,
    read: number(/^by (-?\d+)ppm$/, -DRIFT_PPM_MAX, DRIFT_PPM_MAX),
    write: (amount) => `by ${amount}ppm`,
  },
  leap: { example: "'leap a at 250ms by 300ms'", lasts: false, ...time('by', 0, STEP_MICROS_MAX) },
  stepCalendar: {
    example: "'stepCalendar a at 250ms by -90s'",
    lasts: false,
    ...time('by', -STEP_MICROS_MAX, STEP_MICROS_MAX),
  },
  rebind: {
    example: "'rebind a at 250ms', then perhaps 'to another address'",
    lasts: false,
    read: (rest) => (rest === '' ? 0 : rest === 'to another address' ? 1 : Number.NaN),
    write: (amount) => (amount === 0 ? '' : 'to another address'),
  },
};

/** How each kind is written, for messages. */
export const TIMED_EXAMPLES: { readonly [kind: string]: string } = Object.fromEntries(
  Object.entries(FORMS).map(([kind, { example }]) => [kind, example]),
);

/** Whether there is a fault in time of that name. */
export function isTimedKind(kind: string): kind is TimedFault['kind'] {
  return Object.hasOwn(FORMS, kind);
}

/** Whether something of this kind goes on for a time. */
export function lastsLong(kind: TimedFault['kind']): boolean {
  return FORMS[kind].lasts;
}

/** Reads one line without its comment; null when it cannot be. */
export function parseTimed(words: string): TimedFault | null {
  const [, name = '', place = '', begin = '', span, rest = ''] = LINE.exec(words) ?? [];
  if (!isTimedKind(name)) return null;
  const form = FORMS[name];
  const at = timeOf(begin);
  const lastsMicros = span === undefined ? 0 : timeOf(span);
  const amount = form.read(rest);
  if (!(at >= 0 && at <= AT_MICROS_MAX) || Number.isNaN(amount)) return null;
  if (form.lasts ? !(lastsMicros >= 1 && lastsMicros <= LASTS_MICROS_MAX) : span !== undefined) return null;
  if (name === 'rebind') return { kind: name, host: place, at, address: amount === 1 };
  if (name !== 'cut' && name !== 'hold') return { kind: name, host: place, at, lastsMicros, amount };
  return /^.+>.+$/.test(place) ? { kind: name, direction: place, at, lastsMicros } : null;
}

/** The line of a fault. */
export function timedText(fault: TimedFault): string {
  const form = FORMS[fault.kind];
  const words: string[] = [fault.kind, 'host' in fault ? fault.host : fault.direction, 'at', timeText(fault.at)];
  if (fault.kind === 'rebind') return [...words, ...(fault.address ? ['to another address'] : [])].join(' ');
  if (form.lasts) words.push('for', timeText(fault.lastsMicros));
  const rest = form.write('amount' in fault ? fault.amount : 0);
  return rest === '' ? words.join(' ') : `${words.join(' ')} ${rest}`;
}
