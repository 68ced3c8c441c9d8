/** Fills a packet with tick inputs: a new one goes with all that are not acked, so that a lost packet costs nothing. */

import { WHOLE } from './carried.ts';
import { TICK_INPUT } from './channel-set.ts';
import { IN_FLIGHT, NONE, SETTLED, WAITING } from './message-rings.ts';
import type { Outgoing } from './outgoing.ts';
import type { PacketWriter } from './packet-writer.ts';

/** What putting from a lane answers besides bytes: nothing of the lane may go now; the packet has no room. */
export const HELD = 0;
export const NO_ROOM = -1;

/** Bytes of a frame that holds a single input, without the input: where ticks were left out each has its own. */
const FRAME_BYTES = 9;

export class InputPacker {
  readonly #outgoing: Outgoing;
  readonly #writer: PacketWriter;
  readonly #copyBytes: Float64Array;
  readonly #channels: readonly number[];

  /** @param copyBytes by connection: bytes of inputs that ride again are added here */
  constructor(outgoing: Outgoing, writer: PacketWriter, copyBytes: Float64Array) {
    this.#outgoing = outgoing;
    this.#writer = writer;
    this.#copyBytes = copyBytes;
    const { kind } = outgoing.channels;
    this.#channels = [...kind.keys()].filter((channel) => kind[channel] === TICK_INPUT);
  }

  /** Puts what of a lane has never been sent, and what is not acked. Returns the bytes put, HELD or NO_ROOM. */
  putLane(c: number, s: number, channel: number, serial: number): number {
    const { rings, lanes } = this.#outgoing;
    if (rings.waiting[s] === 0 || this.#outgoing.paused[c] === 1) {
      lanes.rest(c, channel);
      return HELD;
    }
    const before = this.#writer.at;
    this.#put(c, channel, serial);
    if (rings.waiting[s]! > 0) return NO_ROOM;
    lanes.rest(c, channel);
    return this.#writer.at - before;
  }

  /** Puts what rides along in a packet that leaves anyway: the inputs of all channels that are not acked. */
  putAll(c: number, serial: number): void {
    for (let i = 0; i < this.#channels.length; i++) this.#put(c, this.#channels[i]!, serial);
  }

  /** Every input that is not acked, the oldest first; when they do not all fit, the newest that do. */
  #put(c: number, channel: number, serial: number): void {
    const { rings, channels, carried, pool, paused } = this.#outgoing;
    const s = c * channels.count + channel;
    if (rings.base[s] === NONE) return;
    const writer = this.#writer;
    let first = this.#firstThatFits(s);
    // What was never sent goes first, in as many packets as it takes: the newest alone would leave it waiting for ever.
    if (rings.waiting[s]! > 0 && rings.nextWaiting[s]! < first) first = rings.nextWaiting[s]!;
    for (let id = first; id < rings.nextId[s]!; id++) {
      const slot = rings.slotOf(s, id);
      if (rings.state[slot] === SETTLED || rings.carrier[slot] === serial) continue;
      if (rings.state[slot] === WAITING && paused[c] === 1) return;
      const length = rings.length[slot]!;
      const at = writer.putInput(channel, rings.tag[slot]! >>> 0, length);
      if (at < 0) return;
      pool.copyOut(rings.block[slot]!, 0, writer.bytes, writer.view, at, length);
      carried.add(s, id, WHOLE);
      rings.carrier[slot] = serial;
      if (rings.state[slot] === WAITING) {
        rings.nextWaiting[s] = id + 1;
        this.#outgoing.setState(c, s, slot, IN_FLIGHT);
      } else this.#copyBytes[c] = this.#copyBytes[c]! + length;
    }
  }

  /** Where to begin, so that the newest input is in. */
  #firstThatFits(s: number): number {
    const { rings } = this.#outgoing;
    let room = this.#writer.room;
    let id = rings.nextId[s]!;
    while (id > rings.oldest[s]!) {
      room -= rings.length[rings.slotOf(s, id - 1)]! + FRAME_BYTES;
      if (room < 0) break;
      id--;
    }
    return id;
  }
}
