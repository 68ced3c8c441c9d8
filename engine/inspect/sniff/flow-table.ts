/**
 * Flows by address pair, ports and protocol: who spoke to whom, how much, since when. Columns by flow number; those of
 * a direction have two entries a flow, `2 * flow + side`: side 0 is the way of the flow's first packet.
 *
 * Both directions are one flow. The table is bounded: the flow that was silent longest makes room and is counted.
 */

import { LruIndex, mix, settle } from './lru-index.ts';
import {
  ADDRESS_WORDS,
  DESTINATION_PORT_WORD,
  DESTINATION_WORD,
  PROTOCOL_WORD,
  SOURCE_PORT_WORD,
  SOURCE_WORD,
  TUPLE_WORDS,
} from './tuple.ts';

/** Enough for 1,000 players and what else a server speaks to, four times over; 1 MB of columns. */
export const FLOWS_MAX = 4096;

export class FlowTable {
  readonly index: LruIndex;
  /** Tuple of each flow, `TUPLE_WORDS` words each, as its first packet had it. */
  readonly tuples: Int32Array;
  /** By `2 * flow + side`. */
  readonly packets: Float64Array;
  readonly bytes: Float64Array;
  readonly firstSeconds: Int32Array;
  readonly firstNanoseconds: Int32Array;
  readonly lastSeconds: Int32Array;
  readonly lastNanoseconds: Int32Array;
  /** Of the packet that was counted last: which way it went, and whether its flow is new. */
  side = 0;
  isNew = false;
  /** Packets and bytes of flows that made room. */
  readonly gone: Float64Array = new Float64Array(2);
  readonly #seed: number;

  /**
   * @param seed random: whoever knows it can fill one chain
   * @param capacity flows at most, a power of two
   */
  constructor(seed: number, capacity: number = FLOWS_MAX) {
    this.index = new LruIndex(capacity);
    this.#seed = seed | 0;
    this.tuples = new Int32Array(capacity * TUPLE_WORDS);
    this.packets = new Float64Array(2 * capacity);
    this.bytes = new Float64Array(2 * capacity);
    this.firstSeconds = new Int32Array(capacity);
    this.firstNanoseconds = new Int32Array(capacity);
    this.lastSeconds = new Int32Array(capacity);
    this.lastNanoseconds = new Int32Array(capacity);
  }

  /** Flows in the table: numbers 0 .. count - 1. */
  get count(): number {
    return this.index.count;
  }

  /** Counts a packet of `tuple`; returns its flow and sets `side` and `isNew`. */
  add(tuple: Int32Array, bytes: number, seconds: number, nanoseconds: number): number {
    const hash = this.#hashOf(tuple);
    let flow = this.index.first(hash);
    while (flow >= 0 && !this.#matches(flow, tuple)) flow = this.index.after(flow);
    this.isNew = flow < 0;
    if (flow < 0) flow = this.#begin(hash, tuple, seconds, nanoseconds);
    this.addKnown(flow, 2 * flow + this.side, bytes, seconds, nanoseconds);
    return flow;
  }

  /** Counts a packet of a lane that is known. Ages are told in seconds: a flow is made the newest once in each. */
  addKnown(flow: number, lane: number, bytes: number, seconds: number, nanoseconds: number): void {
    this.packets[lane]! += 1;
    this.bytes[lane]! += bytes;
    if (this.lastSeconds[flow] !== seconds) {
      this.lastSeconds[flow] = seconds;
      this.index.touch(flow);
    }
    this.lastNanoseconds[flow] = nanoseconds;
  }

  /** Seconds between a flow's first packet and its last. */
  spanSeconds(flow: number): number {
    const seconds = (this.lastSeconds[flow]! >>> 0) - (this.firstSeconds[flow]! >>> 0);
    return seconds + (this.lastNanoseconds[flow]! - this.firstNanoseconds[flow]!) / 1e9;
  }

  #begin(hash: number, tuple: Int32Array, seconds: number, nanoseconds: number): number {
    const evicted = this.index.evicted;
    const flow = this.index.insert(hash);
    const lane = 2 * flow;
    if (this.index.evicted !== evicted) {
      this.gone[0]! += this.packets[lane]! + this.packets[lane + 1]!;
      this.gone[1]! += this.bytes[lane]! + this.bytes[lane + 1]!;
    }
    for (let i = 0; i < TUPLE_WORDS; i++) this.tuples[flow * TUPLE_WORDS + i] = tuple[i]!;
    for (let side = 0; side < 2; side++) {
      this.packets[lane + side] = 0;
      this.bytes[lane + side] = 0;
    }
    this.firstSeconds[flow] = seconds;
    this.firstNanoseconds[flow] = nanoseconds;
    this.lastSeconds[flow] = seconds;
    this.side = 0;
    return flow;
  }

  /** The same for both directions: the sum of what each end hashes to. */
  #hashOf(tuple: Int32Array): number {
    const from = this.#end(tuple, SOURCE_WORD, SOURCE_PORT_WORD);
    const to = this.#end(tuple, DESTINATION_WORD, DESTINATION_PORT_WORD);
    return settle((from + to + tuple[PROTOCOL_WORD]!) | 0);
  }

  #end(tuple: Int32Array, address: number, port: number): number {
    let hash = mix(this.#seed, tuple[port]!);
    hash = mix(hash, tuple[address + 3]!);
    if (tuple[address]! !== 0) {
      // IPv4 addresses, and few others, have nothing but zeros here.
      hash = mix(hash, tuple[address]!);
      hash = mix(hash, tuple[address + 1]!);
      hash = mix(hash, tuple[address + 2]!);
    }
    return settle(hash);
  }

  /** Whether the flow has this tuple, one way or the other; sets `side`. */
  #matches(flow: number, tuple: Int32Array): boolean {
    const at = flow * TUPLE_WORDS;
    const { tuples } = this;
    if (tuples[at + PROTOCOL_WORD] !== tuple[PROTOCOL_WORD]) return false;
    if (
      tuples[at + SOURCE_PORT_WORD] === tuple[SOURCE_PORT_WORD] &&
      tuples[at + DESTINATION_PORT_WORD] === tuple[DESTINATION_PORT_WORD] &&
      this.#same(at + SOURCE_WORD, tuple, SOURCE_WORD) &&
      this.#same(at + DESTINATION_WORD, tuple, DESTINATION_WORD)
    ) {
      this.side = 0;
      return true;
    }
    if (
      tuples[at + SOURCE_PORT_WORD] === tuple[DESTINATION_PORT_WORD] &&
      tuples[at + DESTINATION_PORT_WORD] === tuple[SOURCE_PORT_WORD] &&
      this.#same(at + SOURCE_WORD, tuple, DESTINATION_WORD) &&
      this.#same(at + DESTINATION_WORD, tuple, SOURCE_WORD)
    ) {
      this.side = 1;
      return true;
    }
    return false;
  }

  #same(at: number, tuple: Int32Array, from: number): boolean {
    for (let i = ADDRESS_WORDS - 1; i >= 0; i--) if (this.tuples[at + i] !== tuple[from + i]) return false;
    return true;
  }
}
