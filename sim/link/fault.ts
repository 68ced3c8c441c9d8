/**
 * Faults as text, one a line: what a run that failed is boiled down to, and what a person writes by hand.
 *
 *     drop client-0>server #3
 *     delay server>client-0 #17 by 40ms            # on top of the latency; less than 0 comes earlier
 *     duplicate client-0>server #5 after 3ms       # the copy, after the original
 *     corrupt client-0>server #7 flip              # or truncate, extend, splice
 *     deliver client-0>server #9                   # whatever chance says, it arrives after the plain latency
 *     replay client-0>server #11 after 30ms flip from elsewhere
 *     cut client-0>server at 250ms for 150ms       # and what else befalls ways and hosts in time (`timed-fault.ts`)
 *
 * Packets are counted from 0 in each direction. A direction is `from>to`, by the names of the hosts.
 */

import type { Micros } from '../../sys/api.ts';
import { CORRUPT_KINDS, type CorruptKind } from './corrupt.ts';
import { timeOf, timeText } from './fault-time.ts';
import { DELAY_MICROS_MAX } from './option-checks.ts';
import { isTimedKind, parseTimed, TIMED_EXAMPLES, type TimedFault, timedText } from './timed-fault.ts';

/** What becomes of one packet of one direction. */
export interface PacketFault {
  readonly kind: 'drop' | 'delay' | 'duplicate' | 'corrupt' | 'deliver' | 'replay';
  readonly direction: string;
  readonly index: number;
  /** `delay`: on top of the latency. `duplicate`: the copy, after the original. `replay`: after it was sent. Else 0. */
  readonly micros: Micros;
  /** `corrupt`, and of `replay` what a stranger did to the bytes; null: nothing. */
  readonly damage: CorruptKind | null;
  /** `replay`: under the address of a stranger, not of the sender. */
  readonly elsewhere: boolean;
  /** When the packet was judged, where that is known. */
  readonly at?: Micros;
}

export type Fault = PacketFault | TimedFault;

/** A line that cannot be read. */
export class FaultTextError extends Error {}

/** Comments begin at a line's start or after a blank, and not before a digit: `#3` is a packet. */
const COMMENT = /(^|\s)#(?!\d).*$/;
const PACKET = /^(\w+) (.+>.+) #(\d+)(?: (.*))?$/;
const INDEX_MAX = 0xffff_ffff;
const FORMS: { readonly [kind: string]: string } = {
  drop: "'drop a>b #3'",
  deliver: "'deliver a>b #3'",
  delay: "'delay a>b #3 by 40ms'",
  duplicate: "'duplicate a>b #3' or 'duplicate a>b #3 after 5ms'",
  corrupt: `'corrupt a>b #3 flip' (or ${CORRUPT_KINDS.slice(1).join(', ')})`,
  replay: "'replay a>b #3 after 30ms', then perhaps a damage and 'from elsewhere'",
  ...TIMED_EXAMPLES,
};

/** Reads a script. Throws FaultTextError that names the line. */
export function parseFaults(text: string): Fault[] {
  const faults: Fault[] = [];
  text.split('\n').forEach((line, i) => {
    const words = wordsOf(line);
    if (words !== '') faults.push(parseFault(words, i + 1));
  });
  return faults;
}

/** What is on a line besides its comment. */
export function wordsOf(line: string): string {
  return line.replace(COMMENT, '').trim().replace(/\s+/g, ' ');
}

/** Reads one line without its comment. */
export function parseFault(words: string, lineNumber: number): Fault {
  const [kind = ''] = words.split(' ', 1);
  const form = Object.hasOwn(FORMS, kind) ? FORMS[kind]! : null;
  if (form === null) {
    throw new FaultTextError(`line ${lineNumber}: '${kind}' is no fault: give one of ${Object.keys(FORMS).join(', ')}`);
  }
  const found = isTimedKind(kind) ? parseTimed(words) : parsePacket(words);
  if (found === null) throw new FaultTextError(`line ${lineNumber}: '${words}' cannot be read: write ${form}`);
  return found;
}

/** The line of a fault. */
export function faultText(fault: Fault): string {
  if (!isPacketFault(fault)) return timedText(fault);
  const { kind, direction, index, micros, damage, elsewhere } = fault;
  const words = [`${kind} ${direction} #${index}`];
  if (kind === 'delay') words.push(`by ${timeText(micros)}`);
  if (kind === 'replay' || (kind === 'duplicate' && micros > 0)) words.push(`after ${timeText(micros)}`);
  if (damage !== null) words.push(damage);
  if (elsewhere) words.push('from elsewhere');
  return words.join(' ');
}

/** Whether it is about one packet; else it befalls a way or a host at a time. */
export function isPacketFault(fault: Fault): fault is PacketFault {
  return 'index' in fault;
}

function parsePacket(words: string): PacketFault | null {
  const [, name, direction, digits, rest = ''] = PACKET.exec(words) ?? [];
  const index = Number(digits);
  if (name === undefined || index > INDEX_MAX) return null;
  const kind = name as PacketFault['kind'];
  const fault = { kind, direction: direction!, index, micros: 0, damage: null, elsewhere: false };
  switch (kind) {
    case 'drop':
    case 'deliver':
      return rest === '' ? fault : null;
    case 'corrupt':
      return isDamage(rest) ? { ...fault, damage: rest } : null;
    case 'delay':
      return rest.startsWith('by ') ? withTime(fault, timeOf(rest.slice(3)), -DELAY_MICROS_MAX) : null;
    case 'duplicate':
      if (rest === '') return fault;
      return rest.startsWith('after ') ? withTime(fault, timeOf(rest.slice(6)), 0) : null;
    default: {
      const [, time, damage, elsewhere] = /^after ([^a-z]+[a-z]+)(?: (\w+))??( from elsewhere)?$/.exec(rest) ?? [];
      if (damage !== undefined && !isDamage(damage)) return null;
      const more = { ...fault, damage: damage ?? null, elsewhere: elsewhere !== undefined };
      return withTime(more, timeOf(time ?? ''), 0);
    }
  }
}

function withTime(fault: PacketFault, micros: Micros, min: Micros): PacketFault | null {
  return micros >= min && micros <= DELAY_MICROS_MAX ? { ...fault, micros } : null;
}

function isDamage(text: string): text is CorruptKind {
  return (CORRUPT_KINDS as readonly string[]).includes(text);
}
