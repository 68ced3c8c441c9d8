/**
 * The clients of a proxy: one for each address that datagrams came from, with the two directions of its link.
 *
 * A client is a small number, its place in the columns. Its name counts on: `client-0` is the first that came, and one that
 * was forgotten and comes again is a new one, so that its datagrams are counted from 0 as in a new run.
 */

import { ADDRESS_BYTES, type Micros, NEVER, type Rng } from '../../sys/api.ts';
import { KeyedTable } from '../../transport/keyed-table.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import { type DirectionStats, type LinkDirection, noDirectionStats } from '../link/link.ts';
import { NONE } from '../world/datagram-pool.ts';
import type { Transit } from '../world/transit.ts';

export const ADDRESS_WORDS: number = ADDRESS_BYTES / 4;
/** Ways: the low bit of a side, whose other bits are the client. */
export const UP = 0;
export const DOWN = 1;

/** Directions of cross traffic, which take numbers too: as many as a scenario file may have. */
const SOURCES_MAX = 1_000;

/** Counters of one way of a client, besides those of its direction. */
export interface WayCounters {
  /** Came to an earlier mapping of its NAT. */
  unheard: number;
  /** Found a socket's batch full. */
  overflowed: number;
}

/** Who they are. */
export class ProxyClients {
  readonly capacity: number;
  /** Clients now, most at once, ever, and forgotten. */
  count = 0;
  highest = 0;
  seen = 0;
  forgotten = 0;
  /** By the number of a direction: its client and way, `client << 1 | way`. */
  readonly sides: Int32Array;
  /** Canonical addresses as words. */
  readonly addressWords: Int32Array;
  readonly up: (LinkDirection | null)[];
  readonly down: (LinkDirection | null)[];
  /** World time of the last datagram from or to it. */
  readonly lastAt: Float64Array;
  /** World time of the last datagram from it. */
  readonly sentAt: Float64Array;
  /** Its NAT forgets a mapping by which nothing was sent for so long; NEVER: it forgets none by itself. */
  readonly natTimeoutMicros: Float64Array;
  /** How it fares: the number of its kind. */
  readonly kind: Int32Array;
  /** Index of the first datagram down that was sent to its present mapping. */
  readonly mappedFrom: Float64Array;
  /** 1 while its socket towards the server is being opened. */
  readonly opening: Uint8Array;
  /** Datagrams up that have arrived while its socket was not open yet: the first and the last of a list, or NONE. */
  readonly firstHeld: Int32Array;
  readonly lastHeld: Int32Array;

  readonly #transit: Transit;
  readonly #table: KeyedTable;
  readonly #addresses: Uint8Array;
  readonly #names: string[];
  readonly #free: number[] = [];
  /** Of the directions of clients that are forgotten, by way. */
  readonly #past: readonly [DirectionStats, DirectionStats] = [noDirectionStats(), noDirectionStats()];

  constructor(transit: Transit, capacity: number, rng: Rng) {
    this.capacity = capacity;
    this.#transit = transit;
    this.#table = new KeyedTable(ADDRESS_BYTES, capacity, rng);
    this.sides = new Int32Array(capacity * 2 + SOURCES_MAX);
    this.addressWords = new Int32Array(capacity * ADDRESS_WORDS);
    this.#addresses = new Uint8Array(this.addressWords.buffer);
    this.up = new Array<LinkDirection | null>(capacity).fill(null);
    this.down = new Array<LinkDirection | null>(capacity).fill(null);
    this.#names = new Array<string>(capacity).fill('');
    this.lastAt = new Float64Array(capacity);
    this.sentAt = new Float64Array(capacity);
    this.natTimeoutMicros = new Float64Array(capacity).fill(NEVER);
    this.kind = new Int32Array(capacity);
    this.mappedFrom = new Float64Array(capacity);
    this.opening = new Uint8Array(capacity);
    this.firstHeld = new Int32Array(capacity).fill(NONE);
    this.lastHeld = new Int32Array(capacity).fill(NONE);
    for (let client = capacity - 1; client >= 0; client--) this.#free.push(client);
  }

  /** The client with the address at `words[at ..]`; NONE. */
  find(words: Int32Array, at: number): number {
    return this.#table.findWords(words, at);
  }

  /** What the next client will be called. */
  get nextName(): string {
    return `client-${this.seen}`;
  }

  /** A new client with its link; NONE when no more may come. */
  add(words: Int32Array, at: number, link: DirectionOptions, down: DirectionOptions): number {
    const client = this.#free.pop() ?? NONE;
    if (client === NONE) return NONE;
    const name = this.nextName;
    for (let i = 0; i < ADDRESS_WORDS; i++) this.addressWords[client * ADDRESS_WORDS + i] = words[at + i]!;
    this.#table.set(this.#addresses, client * ADDRESS_BYTES, client);
    this.up[client] = this.#direct(`${name}>server`, client, UP, link);
    this.down[client] = this.#direct(`server>${name}`, client, DOWN, down);
    this.#names[client] = name;
    this.mappedFrom[client] = 0;
    this.seen++;
    this.count++;
    if (this.count > this.highest) this.highest = this.count;
    return client;
  }

  /** Forgets a client that nothing is under way from or to. */
  forget(client: number): void {
    this.#table.remove(this.#addresses, client * ADDRESS_BYTES);
    for (const [way, list] of [this.up, this.down].entries()) {
      const direction = list[client]!;
      addStats(this.#past[way]!, direction.stats);
      this.#transit.removeDirection(direction);
      list[client] = null;
    }
    this.#free.push(client);
    this.count--;
    this.forgotten++;
  }

  /** Whether the client has been silent since `since` and nothing is under way from or to it. */
  idleSince(client: number, since: Micros): boolean {
    const [up, down] = [this.up[client], this.down[client]];
    if (!up || !down || this.lastAt[client]! > since) return false;
    return up.underWay === 0 && down.underWay === 0;
  }

  /** The client of that name (`client-3`); NONE. */
  named(name: string): number {
    const client = this.#names.indexOf(name);
    return client >= 0 && this.has(client) ? client : NONE;
  }

  has(client: number): boolean {
    return this.up[client] !== null;
  }

  /** What all directions of a way have counted. */
  totals(way: number): DirectionStats {
    const sum = { ...this.#past[way]! };
    for (const direction of way === UP ? this.up : this.down) if (direction !== null) addStats(sum, direction.stats);
    return sum;
  }

  #direct(name: string, client: number, way: number, options: DirectionOptions): LinkDirection {
    const made = this.#transit.addDirection(name, options);
    this.sides[made.number] = (client << 1) | way;
    return made;
  }
}

function addStats(sum: DirectionStats, stats: DirectionStats): void {
  for (const name of Object.keys(sum) as (keyof DirectionStats)[]) sum[name] += stats[name];
}
