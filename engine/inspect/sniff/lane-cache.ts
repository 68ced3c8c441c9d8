/**
 * The short way to a flow: UDP over plain IPv4, whose tuple is three words of the frame. What was found last under these
 * words is tried first; a miss, or another flow in the place, costs the long way and nothing else.
 */

/** Lanes of the flow table's 4,096 flows, if they are spread well. A power of two. */
const PLACES = 8192;
/** Words of a place: the key's three, the lane, its flow's life; a cache line holds two places. */
const PLACE_WORDS = 8;
const LANE = 3;
const LIFE = 4;

export class LaneCache {
  readonly #places: Int32Array = new Int32Array(PLACES * PLACE_WORDS);
  readonly #seed: number;
  #place = 0;

  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /**
   * The lane of the words; -1 where it is not known.
   *
   * @param life by flow: `LruIndex.life`
   */
  find(source: number, destination: number, ports: number, life: Int32Array): number {
    let hash = Math.imul(source ^ this.#seed, 0x9e37_79b1) ^ Math.imul(destination, 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ ports, 0xc2b2_ae35);
    const at = ((hash >>> 17) & (PLACES - 1)) * PLACE_WORDS;
    this.#place = at;
    const places = this.#places;
    if (places[at] !== source || places[at + 1] !== destination || places[at + 2] !== ports) return -1;
    const lane = places[at + LANE]!;
    return places[at + LIFE] === life[lane >> 1] ? lane : -1; // a flow's first life is 1
  }

  /** Remembers the lane of the words that `find` was asked for last. */
  keep(source: number, destination: number, ports: number, lane: number, life: number): void {
    const at = this.#place;
    this.#places[at] = source;
    this.#places[at + 1] = destination;
    this.#places[at + 2] = ports;
    this.#places[at + LANE] = lane;
    this.#places[at + LIFE] = life;
  }
}
