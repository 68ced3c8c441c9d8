/**
 * A stranger on the path: sees every datagram, and sends copies of some again, at once or much later, as they were or
 * damaged, under the sender's address or its own.
 *
 * It cannot hold anything back (that is loss), and has no keys. What it does with packet n of a direction is chance with an
 * address, and a fault with a line of its own (`replay`), so a record of it can be played back. Its copies pass no stage
 * of the link: it is as near to the receiver as it likes, and may be faster than the original.
 */

import type { Micros } from '../../sys/api.ts';
import { Chance } from '../link/chance.ts';
import { CORRUPT_KINDS, Corrupt, EXTENSION_BYTES_MAX } from '../link/corrupt.ts';
import type { PacketFault } from '../link/fault.ts';
import type { LinkDirection } from '../link/link.ts';
import { EVENT_REPLAYED } from './digest.ts';
import type { SimHost } from './host.ts';
import type { Streams } from './streams.ts';
import { DUE_ARRIVAL } from './timeline.ts';
import type { Transit } from './transit.ts';

export interface StrangerOptions {
  /** Share of datagrams that it sends again. */
  readonly replay: number;
  /** Copies of each at most. */
  readonly copiesMax: number;
  /** Of the copies: damaged, and sent from its own address. */
  readonly damaged: number;
  readonly elsewhere: number;
  /** Datagrams of this length are not sent from there: what whoever comes first with it may have by design. Default: none. */
  readonly notElsewhereBytes?: number;
  /** A third of the copies go at once, a third within so long, the rest within twenty times that. */
  readonly soonMicros: Micros;
}

const LANE_REPLAY = 1;
const LANE_COPIES = 2;
/** Each copy has four lanes from here on. */
const LANE_COPY = 8;
const LANES_A_COPY = 4;
const LATER = 20;
const TWO_TO_32 = 0x1_0000_0000;

/** How long after the original the last copy may come. */
export function longestReplay(options: StrangerOptions): Micros {
  return options.soonMicros * LATER;
}

export class Stranger {
  readonly host: SimHost;
  readonly #transit: Transit;
  readonly #streams: Streams;
  #options: StrangerOptions | null;
  readonly #chances: Chance[] = [];
  readonly #damages: Corrupt[] = [];

  /** `options` null: it does only what a script says. */
  constructor(transit: Transit, streams: Streams, host: SimHost, options: StrangerOptions | null) {
    this.#transit = transit;
    this.#streams = streams;
    this.host = host;
    this.#options = options;
  }

  /** From now on it only does what a script says; copies that it has sent are under way. */
  stop(): void {
    this.#options = null;
  }

  /** Datagram `id` is sent into `direction`: its columns are filled. */
  see(direction: LinkDirection, id: number): void {
    const { pool, fates } = this.#transit;
    const index = pool.index[id]!;
    const scripted = fates?.of(direction.name).replays(index) ?? [];
    for (let copy = 0; copy < scripted.length; copy++) this.#send(direction, id, copy, scripted[copy]!);
    const options = this.#options;
    if (options === null || fates?.replaces === true) return;
    const chance = this.#chanceOf(direction);
    if (!(this.#part(chance, index, LANE_REPLAY) < options.replay)) return;
    const copies = 1 + chance.below(index, LANE_COPIES, options.copiesMax);
    for (let copy = 0; copy < copies; copy++) {
      this.#send(direction, id, copy, this.#draw(options, chance, direction, id, copy));
    }
  }

  #draw(options: StrangerOptions, chance: Chance, direction: LinkDirection, id: number, copy: number): PacketFault {
    const { pool, timeline } = this.#transit;
    const index = pool.index[id]!;
    const mayMove = pool.lengthBytes[id] !== options.notElsewhereBytes;
    const lane = LANE_COPY + copy * LANES_A_COPY;
    const when = chance.below(index, lane, 3);
    const within = when === 0 ? 1 : when === 1 ? options.soonMicros : options.soonMicros * LATER;
    const isDamaged = this.#part(chance, index, lane + 1) < options.damaged;
    return {
      kind: 'replay',
      direction: direction.name,
      index,
      micros: chance.below(index, lane + 2, within),
      damage: isDamaged
        ? CORRUPT_KINDS[chance.below(index, lane, CORRUPT_KINDS.length * 3) % CORRUPT_KINDS.length]!
        : null,
      elsewhere: mayMove && this.#part(chance, index, lane + 3) < options.elsewhere,
      at: timeline.now,
    };
  }

  #send(direction: LinkDirection, id: number, copy: number, fault: PacketFault): void {
    const transit = this.#transit;
    const { pool, timeline } = transit;
    const made = pool.copy(id, EXTENSION_BYTES_MAX);
    if (fault.damage !== null) this.#damage(direction, made, copy, CORRUPT_KINDS.indexOf(fault.damage));
    if (fault.elsewhere) pool.sendFrom(made, this.host.ipv4);
    direction.stats.duplicated++;
    transit.stats.duplicated++;
    const { now } = timeline;
    transit.mix(EVENT_REPLAYED, made);
    timeline.schedule(now + fault.micros, DUE_ARRIVAL, made);
    transit.fates?.of(direction.name).noteReplay({ ...fault, at: now });
  }

  #damage(direction: LinkDirection, made: number, copy: number, kind: number): void {
    const { pool } = this.#transit;
    this.#chanceOf(direction);
    const corrupt = this.#damages[direction.number]!;
    // Each copy of a packet is damaged in its own way; the index of a copy is that of no other packet soon.
    const index = (pool.index[made]! + Math.imul(copy, 0x1000_0000)) >>> 0;
    const length = pool.lengthBytes[made]!;
    pool.changed(made, corrupt.damage(index, kind, pool.arenaOf(made), pool.offsetOf(made), length));
  }

  #part(chance: Chance, index: number, lane: number): number {
    return (chance.int32(index, lane) >>> 0) / TWO_TO_32;
  }

  #chanceOf(direction: LinkDirection): Chance {
    const known = this.#chances[direction.number];
    if (known !== undefined) return known;
    const chance = new Chance(this.#streams.stream(`stranger/${direction.name}`));
    this.#chances[direction.number] = chance;
    this.#damages[direction.number] = new Corrupt(chance);
    return chance;
  }
}
