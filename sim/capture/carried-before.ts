/**
 * What the packets of one direction of a session carried, so that the next one's frames can be said to be new or not, and
 * acks can be expanded to whole numbers. Bounded: it forgets the oldest.
 */

import type { NumberRange, Repetition } from './captured-packet.ts';
import type { FieldValues, Frame } from './frames.ts';

/** Messages remembered: 200 KB; fewer than their 16 bits tell apart. What comes again after more than that looks new. */
const MESSAGES_MAX = 2_048;
/** Lost packets remembered: as many as messages may name. */
const LOST_MAX = 2_048;

/**
 * A server's numbers begin anywhere, and with 16 digits nobody tells two of them apart: from here on they are counted from
 * the first that was seen. A client's begin at 0.
 */
const LONG_NUMBER = 2 ** 32;

/** One direction of a session. Numbers of packets are short ones (`shortOf`). */
export class CarriedBefore {
  /** The number that counts as 0; -1: none was sent yet. */
  #base = -1;
  /** Greatest packet number sent. */
  #newest = -1;
  /** Number of the last packet that carried each message. */
  readonly #messages: Map<string, number> = new Map();
  readonly #lost: Map<number, true> = new Map();

  /** A packet of this number goes out: the short form, by which it is known here. */
  shortOf(wireNumber: number): number {
    if (this.#base < 0) this.#base = wireNumber < LONG_NUMBER ? 0 : wireNumber;
    const number = wireNumber - this.#base;
    this.#newest = Math.max(this.#newest, number);
    return number;
  }

  /** Packet `number` was lost. */
  onLost(number: number): void {
    put(this.#lost, number, true, LOST_MAX);
  }

  /** What of `frames`, in packet `number`, earlier packets carried; and remembers that this one does. */
  repetitions(frames: readonly Frame[], number: number, nameOf: (channel: number) => string): Repetition[] {
    const found: Repetition[] = [];
    for (const frame of frames) {
      for (const { key, what } of contentOf(frame, nameOf)) {
        const before = this.#messages.get(key);
        this.#messages.delete(key); // so that it is put at the end, as the youngest
        put(this.#messages, key, number, MESSAGES_MAX);
        if (before === undefined || before === number) continue;
        found.push({ packet: before, lost: this.#lost.has(before), what });
      }
    }
    return found;
  }

  /** The numbers of this direction that an ack, sent the other way now, tells of; the newest first. */
  ackedBy({ fields, items }: Frame): NumberRange[] {
    const behind = (this.#base % 0x1_0000) + (this.#newest % 0x1_0000) - (fields.newest as number);
    let last = this.#newest - (behind & 0xffff);
    const ranges: NumberRange[] = [];
    let first = last - (fields.run as number);
    if (last >= 0) ranges.push({ first: Math.max(0, first), last });
    for (const item of items) {
      last = first - (item.gap as number) - 2;
      first = last - (item.run as number);
      if (last >= 0) ranges.push({ first: Math.max(0, first), last });
    }
    return ranges;
  }
}

/** What of a frame may come again: a name of it that is the same each time, and what it is called. */
function contentOf(frame: Frame, nameOf: (channel: number) => string): { key: string; what: string }[] {
  const { row, fields, items } = frame;
  const channel = fields.channel as number;
  const name = channel === undefined ? '' : nameOf(channel);
  switch (row.name) {
    case 'messages': {
      const ids = items.map((_, i) => ((fields.firstId as number) + i) & 0xffff);
      return ids.map((id) => ({ key: `${channel}/${id}`, what: `${name} ${id}` }));
    }
    case 'keyed':
      return items.map(({ id, key }) => ({ key: `${channel}/${id}`, what: `${name} ${id} of key ${key}` }));
    case 'fragment':
    case 'keyed fragment': {
      const { id, index } = fields as { [name: string]: number };
      return [{ key: `${channel}/${id}/${index}`, what: `${name} ${id} piece ${index}` }];
    }
    case 'skip':
      return [{ key: `skip ${channel}/${skipped(fields)}`, what: `skip of ${name} ${skipped(fields)}` }];
    case 'hello':
      return [{ key: row.name, what: row.name }];
    default:
      return []; // inputs and the first ids ride in several packets by design
  }
}

function skipped({ first, count }: FieldValues): string {
  return `${first}+${count}`;
}

function put<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value as K);
}
