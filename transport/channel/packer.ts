/**
 * Fills a packet with what a connection has to say: real-time lanes first, then inputs and copies that ride along, then bulk.
 *
 *     lanes (whose turn) -> message, fragment or skip -> PacketWriter (bytes) + Carried (what it was)
 *
 * What is put is noted in `Carried`, so that the fate of the packet comes back to it.
 */

import type { Micros } from '../../sys/api.ts';
import { FRAGMENT_BYTES, FRAGMENT_HEADER_BYTES_MAX, SKIPS_MAX } from '../wire/frame-types.ts';
import { SKIPPED, WHOLE } from './carried.ts';
import { isReliable, LATEST_STATE, TICK_INPUT, UNRELIABLE } from './channel-set.ts';
import { HELD, InputPacker, NO_ROOM } from './input-packer.ts';
import { DUE, IN_FLIGHT, NONE, SKIP_DUE, SKIP_IN_FLIGHT, WAITING } from './message-rings.ts';
import type { Outgoing } from './outgoing.ts';
import { DELIVERED } from './outgoing-events.ts';
import type { PacketWriter } from './packet-writer.ts';

/** Longest message that rides again: a copy should cost less than a packet's headers and tag several times over. */
const COPY_BYTES_MAX = 256;
/** Bytes of copies in one packet. */
const COPIES_BYTES_MAX = 600;

export class Packer {
  /** Bytes of copies put so far, for statistics; messages sent again because they were lost. */
  readonly copyBytes: Float64Array;
  readonly retransmits: Float64Array;
  readonly #outgoing: Outgoing;
  readonly #writer: PacketWriter;
  readonly #inputs: InputPacker;
  #serial = 0;
  /** How often small reliable messages ride again. */
  #copies = 0;
  /** Skips in the packet that is being built. */
  #skips = 0;

  constructor(connections: number, outgoing: Outgoing, writer: PacketWriter) {
    this.copyBytes = new Float64Array(connections);
    this.retransmits = new Float64Array(connections);
    this.#outgoing = outgoing;
    this.#writer = writer;
    this.#inputs = new InputPacker(outgoing, writer, this.copyBytes);
  }

  /** Another connection of this number: its counters start at 0. */
  reset(c: number): void {
    this.copyBytes[c] = 0;
    this.retransmits[c] = 0;
  }

  /** Starts a packet. The writer is on its slot, and may have frames already. */
  begin(copies: number): void {
    this.#serial = this.#outgoing.carried.begin();
    this.#copies = copies;
    this.#skips = 0;
  }

  /** Puts what lanes have to say; with `bulk` also what waits for the pacer. */
  putMessages(c: number, bulk: boolean, now: Micros): void {
    const { lanes } = this.#outgoing;
    lanes.begin(bulk);
    for (let channel = lanes.next(c); channel >= 0; channel = lanes.next(c)) {
      let bytes = 0;
      let put = 0;
      // Alone in its priority a lane goes on until it has nothing more: nobody's turn comes between.
      do {
        put = this.#putNext(c, channel, now);
        if (put > 0) bytes += put;
      } while (put > 0 && lanes.alone);
      if (bytes > 0) lanes.charge(c, channel, bytes);
      if (put === NO_ROOM) return;
      if (put === HELD) lanes.hold(channel);
    }
  }

  /** What rides along in a packet that leaves anyway: unacked inputs, and copies of small messages that may be lost. */
  putRiders(c: number, now: Micros): void {
    this.#inputs.putAll(c, this.#serial);
    if (this.#outgoing.copying[c]! > 0) this.#putCopies(c, now);
  }

  /** Puts the oldest unacked messages again, one of each channel: what a probe says. */
  putProbe(c: number, now: Micros): void {
    const { channels, rings } = this.#outgoing;
    for (let channel = 0; channel < channels.count; channel++) {
      const s = c * channels.count + channel;
      if (rings.base[s] === NONE || !isReliable(channels.kind[channel]!)) continue;
      const end = this.#outgoing.sentEnd(s, channel);
      for (let id = rings.oldest[s]!; id < end; id++) {
        const slot = rings.slotOf(s, id);
        if (rings.state[slot] !== IN_FLIGHT || rings.carrier[slot] === this.#serial) continue;
        if (this.#outgoing.isExpired(channels.kind[channel]!, slot, now)) {
          this.#outgoing.expire(c, s, id);
          if (rings.base[s] === NONE) break; // it was the last: the stream has no ring any more
          continue;
        }
        this.#putAgain(s, channel, id, slot);
        break;
      }
    }
    this.#inputs.putAll(c, this.#serial);
  }

  /** The next thing of a lane: bytes put, HELD or NO_ROOM. */
  #putNext(c: number, channel: number, now: Micros): number {
    const { rings, channels, lanes } = this.#outgoing;
    const s = c * channels.count + channel;
    const kind = channels.kind[channel]!;
    if (kind === TICK_INPUT) return this.#inputs.putLane(c, s, channel, this.#serial);
    if (rings.due[s]! > 0) return this.#putDue(c, s, channel, now);
    const paused = this.#outgoing.paused[c] === 1;
    let id = rings.nextWaiting[s]!;
    while (rings.waiting[s]! > 0) {
      const slot = rings.slotOf(s, id);
      if (rings.state[slot] !== WAITING) {
        rings.nextWaiting[s] = ++id;
      } else if (!this.#outgoing.inIdWindow(s, kind, id)) {
        return HELD; // before its time to live is looked at: a skip is bound to the window too
      } else if (paused && !this.#outgoing.isBegun(slot)) {
        if (kind === LATEST_STATE) return this.#putPast(c, s, channel, id + 1, now);
        break;
      } else if (this.#outgoing.isExpired(kind, slot, now)) {
        rings.nextWaiting[s] = id + 1;
        this.#outgoing.expire(c, s, id++);
        if (rings.due[s]! > 0) return this.#putDue(c, s, channel, now);
      } else {
        const put = this.#putWaiting(c, s, channel, kind, id, slot);
        return put === HELD && kind === LATEST_STATE ? this.#putPast(c, s, channel, id + 1, now) : put;
      }
    }
    lanes.rest(c, channel);
    return HELD;
  }

  #putWaiting(c: number, s: number, channel: number, kind: number, id: number, slot: number): number {
    return this.#outgoing.rings.large[slot] === NONE
      ? this.#putFirst(c, s, channel, kind, id, slot)
      : this.#putFragment(c, s, channel, kind, id, slot);
  }

  /**
   * The value before `first` waits for the window. Values of other keys that need no more of it go past: they may stand for the
   * very bytes that it waits for, in place of one that they have replaced, and nothing but they gives those back.
   */
  #putPast(c: number, s: number, channel: number, first: number, now: Micros): number {
    const { rings } = this.#outgoing;
    for (let id = first; id < rings.nextId[s]!; id++) {
      const slot = rings.slotOf(s, id);
      if (rings.state[slot] !== WAITING || !this.#outgoing.needsNoMore(slot)) continue;
      if (this.#outgoing.paused[c] === 1 && !this.#outgoing.isBegun(slot)) continue;
      if (this.#outgoing.isExpired(LATEST_STATE, slot, now)) {
        this.#outgoing.expire(c, s, id);
        continue;
      }
      const { nextWaiting } = rings;
      const held = nextWaiting[s]!;
      const put = this.#putWaiting(c, s, channel, LATEST_STATE, id, slot);
      nextWaiting[s] = held;
      return put;
    }
    return HELD;
  }

  /** A whole message, for the first time. */
  #putFirst(c: number, s: number, channel: number, kind: number, id: number, slot: number): number {
    const { rings, carried } = this.#outgoing;
    const before = this.#writer.at;
    if (!this.#putWhole(channel, kind, id, slot)) return NO_ROOM;
    rings.nextWaiting[s] = id + 1;
    rings.carrier[slot] = this.#serial;
    if (isReliable(kind)) {
      carried.add(s, id, WHOLE);
      this.#outgoing.setState(c, s, slot, IN_FLIGHT);
      this.#grantCopies(c, s, id, slot);
    } else if (rings.receipt[slot] !== 0) {
      carried.add(s, id, WHOLE);
      this.#outgoing.setState(c, s, slot, IN_FLIGHT);
    } else this.#outgoing.settle(c, s, id, DELIVERED); // sent once, nobody asks what became of it
    return this.#writer.at - before;
  }

  /** The next fragment of a message that is being sent for the first time. */
  #putFragment(c: number, s: number, channel: number, kind: number, id: number, slot: number): number {
    const { rings, large } = this.#outgoing;
    const row = rings.large[slot]!;
    if (rings.carrier[slot] === 0 && isReliable(kind)) {
      if (this.#writer.room < FRAGMENT_BYTES + FRAGMENT_HEADER_BYTES_MAX) return NO_ROOM;
      if (!this.#outgoing.begin(c, slot)) return HELD;
    }
    const put = this.#putPending(s, channel, kind, id, slot, row);
    if (put === NO_ROOM) return NO_ROOM;
    rings.carrier[slot] = this.#serial;
    if (large.pending[row] === 0) {
      rings.nextWaiting[s] = id + 1;
      this.#outgoing.setState(c, s, slot, IN_FLIGHT);
      if (!isReliable(kind) && rings.receipt[slot] === 0) this.#outgoing.settle(c, s, id, DELIVERED);
    }
    return put;
  }

  /** The lowest message that was lost, or that is to be skipped. */
  #putDue(c: number, s: number, channel: number, now: Micros): number {
    const { rings, channels, large } = this.#outgoing;
    const kind = channels.kind[channel]!;
    for (let id = Math.max(rings.dueFrom[s]!, rings.oldest[s]!); id < rings.nextId[s]!; id++) {
      const slot = rings.slotOf(s, id);
      const state = rings.state[slot]!;
      if (state !== DUE && state !== SKIP_DUE) continue;
      rings.dueFrom[s] = id;
      if (state === SKIP_DUE) return this.#putSkips(c, s, channel, id);
      if (this.#outgoing.isExpired(kind, slot, now)) {
        this.#outgoing.expire(c, s, id);
        // Not by recursion: a peer that withholds acks can have thousands expire at once.
        if (rings.due[s] === 0) return this.#putNext(c, channel, now);
        if (rings.state[slot] === SKIP_DUE) return this.#putSkips(c, s, channel, id);
        continue;
      }
      const row = rings.large[slot]!;
      const before = this.#writer.at;
      if (row === NONE) {
        if (!this.#putWhole(channel, kind, id, slot)) return NO_ROOM;
        this.#outgoing.carried.add(s, id, WHOLE);
        rings.carrier[slot] = this.#serial;
        this.#outgoing.setState(c, s, slot, IN_FLIGHT);
        this.#grantCopies(c, s, id, slot);
      } else {
        if (this.#putPending(s, channel, kind, id, slot, row) === NO_ROOM) return NO_ROOM;
        if (large.pending[row] === 0) this.#outgoing.setState(c, s, slot, IN_FLIGHT);
      }
      this.retransmits[c] = this.retransmits[c]! + 1;
      return this.#writer.at - before;
    }
    throw new Error(`stream ${s} has ${rings.due[s]} messages due, and none was found`);
  }

  /** A run of messages that will not come. */
  #putSkips(c: number, s: number, channel: number, first: number): number {
    const { rings, carried } = this.#outgoing;
    if (this.#skips === SKIPS_MAX) return NO_ROOM;
    let end = first;
    while (end < rings.nextId[s]! && rings.state[rings.slotOf(s, end)] === SKIP_DUE) end++;
    const before = this.#writer.at;
    if (!this.#writer.putSkip(channel, first, end - first)) return NO_ROOM;
    this.#skips++;
    for (let id = first; id < end; id++) {
      const slot = rings.slotOf(s, id);
      carried.add(s, id, SKIPPED);
      rings.carrier[slot] = this.#serial;
      this.#outgoing.setState(c, s, slot, SKIP_IN_FLIGHT);
    }
    return this.#writer.at - before;
  }

  /** The lowest pending fragment of a large message. */
  #putPending(s: number, channel: number, kind: number, id: number, slot: number, row: number): number {
    const { large, carried } = this.#outgoing;
    const fragment = large.nextPending(row);
    const put = this.#writeFragment(channel, kind, id, slot, fragment);
    if (put === NO_ROOM) return NO_ROOM;
    large.sent(row, fragment);
    carried.add(s, id, fragment);
    return put;
  }

  #writeFragment(channel: number, kind: number, id: number, slot: number, fragment: number): number {
    const { rings, pool } = this.#outgoing;
    const writer = this.#writer;
    const before = writer.at;
    const size = rings.length[slot]!;
    const key = kind === LATEST_STATE ? rings.tag[slot]! : -1;
    const at = writer.putFragment(channel, id, key, size, fragment);
    if (at < 0) return NO_ROOM;
    const from = fragment * FRAGMENT_BYTES;
    const length = Math.min(FRAGMENT_BYTES, size - from);
    pool.copyOut(rings.block[slot]!, from, writer.bytes, writer.view, at, length);
    return writer.at - before;
  }

  /** Writes a message that fits one packet; false: no room. */
  #putWhole(channel: number, kind: number, id: number, slot: number): boolean {
    const { rings, pool } = this.#outgoing;
    const writer = this.#writer;
    const length = rings.length[slot]!;
    const at =
      kind === UNRELIABLE
        ? writer.putPlain(channel, length)
        : kind === LATEST_STATE
          ? writer.putKeyed(channel, id, rings.tag[slot]!, length)
          : writer.putMessage(channel, id, length);
    if (at < 0) return false;
    pool.copyOut(rings.block[slot]!, 0, writer.bytes, writer.view, at, length);
    return true;
  }

  #grantCopies(c: number, s: number, id: number, slot: number): void {
    const { rings } = this.#outgoing;
    if (this.#copies === 0 || rings.length[slot]! > COPY_BYTES_MAX) return;
    this.#outgoing.setCopies(c, s, slot, this.#copies);
    if (rings.copying[s] === 1 || id < rings.copyFrom[s]!) rings.copyFrom[s] = id;
  }

  #putCopies(c: number, now: Micros): void {
    const { rings, channels } = this.#outgoing;
    const writer = this.#writer;
    const before = writer.at;
    const stopAt = before + COPIES_BYTES_MAX;
    for (let channel = 0; channel < channels.count; channel++) {
      const s = c * channels.count + channel;
      if (rings.copying[s] === 0) continue;
      let first = Math.max(rings.copyFrom[s]!, rings.oldest[s]!);
      const end = this.#outgoing.sentEnd(s, channel);
      for (let id = first; id < end; id++) {
        const slot = rings.slotOf(s, id);
        const copies = rings.copies[slot]!;
        if (rings.state[slot] !== IN_FLIGHT || copies === 0) {
          if (id === first) first++;
          continue;
        }
        if (rings.carrier[slot] === this.#serial) continue; // it is in this packet already
        if (this.#outgoing.isExpired(channels.kind[channel]!, slot, now)) {
          this.#outgoing.expire(c, s, id);
          if (rings.base[s] === NONE) break; // it was the last: the stream has no ring any more
          continue;
        }
        if (writer.at + rings.length[slot]! > stopAt || !this.#putAgain(s, channel, id, slot)) break;
        this.#outgoing.setCopies(c, s, slot, copies - 1);
      }
      rings.copyFrom[s] = first;
    }
    this.copyBytes[c] = this.copyBytes[c]! + writer.at - before;
  }

  /** Writes a message that is on its way once more, or a fragment of it that has not arrived. */
  #putAgain(s: number, channel: number, id: number, slot: number): boolean {
    const { rings, channels, large, carried } = this.#outgoing;
    const kind = channels.kind[channel]!;
    const row = rings.large[slot]!;
    if (row !== NONE) {
      const fragment = large.firstUnacked(row);
      if (this.#writeFragment(channel, kind, id, slot, fragment) === NO_ROOM) return false;
      carried.add(s, id, fragment);
      return true;
    }
    if (!this.#putWhole(channel, kind, id, slot)) return false;
    carried.add(s, id, WHOLE);
    rings.carrier[slot] = this.#serial;
    return true;
  }
}
