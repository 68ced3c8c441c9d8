/**
 * Messages on their way out: queued, sent, acked or lost, settled. What goes into which packet is `packer.ts`'s to decide.
 *
 * Every message is settled exactly once, with a fate: delivered, lost, expired or replaced. Who asked for a receipt is told.
 */

import type { Micros } from '../../sys/api.ts';
import type { BlockPool } from '../block-pool.ts';
import { FRAGMENT_BYTES, ID_WINDOW, WINDOW_BEFORE_HELLO } from '../wire/frame-types.ts';
import { Backlog } from './backlog.ts';
import { Carried } from './carried.ts';
import {
  type ChannelSet,
  isExactlyOnce,
  isReliable,
  LATEST_STATE,
  RELIABLE_ORDERED,
  RELIABLE_SEQUENCED,
  TICK_INPUT,
} from './channel-set.ts';
import { KeyIndex } from './key-index.ts';
import { Lanes } from './lanes.ts';
import { LargeMessages } from './large-messages.ts';
import { DUE, IN_FLIGHT, MessageRings, NONE, SETTLED, SKIP_DUE, SKIP_IN_FLIGHT, WAITING } from './message-rings.ts';
import { DELIVERED, EXPIRED, LOST, OutgoingEvents, REPLACED } from './outgoing-events.ts';
import { Refusals } from './refusals.ts';

export interface OutgoingOptions {
  readonly connections: number;
  readonly channels: ChannelSet;
  /** Where the bytes of messages are. */
  readonly pool: BlockPool;
  /** Messages that may wait for one connection, of transfers and of all else each. */
  readonly backlogMax: number;
  /** Bytes that may wait, the same; a single message may be longer when nothing else of its class waits. */
  readonly backlogBytesMax: number;
}

export class Outgoing {
  readonly channels: ChannelSet;
  readonly pool: BlockPool;
  readonly rings: MessageRings;
  readonly lanes: Lanes;
  readonly large: LargeMessages;
  readonly carried: Carried = new Carried();
  readonly events: OutgoingEvents = new OutgoingEvents();
  /** Messages that have not been sent yet. */
  readonly backlog: Backlog;
  /** By connection: messages that are not settled, messages with copies left. */
  readonly unsettled: Int32Array;
  readonly copying: Int32Array;
  /** 1: nothing new is begun. */
  readonly paused: Uint8Array;
  /** What the peer holds for our reliable fragments, and how much of that is in use. */
  readonly window: Float64Array;
  readonly windowUsed: Float64Array;
  /** Newest tick of a tick-input stream, -1: none. */
  readonly lastTick: Float64Array;
  /** Streams that have refused a message. `add` to it when memory for one was refused before it could be queued. */
  readonly refusals: Refusals;
  readonly #keys: KeyIndex;

  constructor(options: OutgoingOptions) {
    const { connections, channels, pool } = options;
    const streams = connections * channels.count;
    this.channels = channels;
    this.pool = pool;
    this.rings = new MessageRings(streams);
    this.lanes = new Lanes(connections, channels);
    this.large = new LargeMessages(pool);
    this.backlog = new Backlog(connections, options.backlogMax, options.backlogBytesMax);
    this.unsettled = new Int32Array(connections);
    this.copying = new Int32Array(connections);
    this.paused = new Uint8Array(connections);
    this.window = new Float64Array(connections).fill(WINDOW_BEFORE_HELLO);
    this.windowUsed = new Float64Array(connections);
    this.lastTick = new Float64Array(streams).fill(-1);
    this.refusals = new Refusals(streams);
    this.#keys = new KeyIndex(streams);
  }

  /**
   * Queues a message whose bytes lie in `block`, of which it becomes a user. False: too much waits, and `writable` follows.
   *
   * @param tag the key (latest state) or the tick (tick input, above the last one)
   * @param receipt number that comes back with its fate, 0: none wanted
   * @param ttlMicros not sent (again) after so long; 0: no limit
   */
  enqueue(
    c: number,
    channel: number,
    block: number,
    length: number,
    tag: number,
    receipt: number,
    ttlMicros: number,
    now: Micros,
  ): boolean {
    const s = c * this.channels.count + channel;
    const { rings } = this;
    const kind = this.channels.kind[channel]!;
    const bulk = this.channels.bulk[channel]!;
    const fits = this.backlog.takes(c, bulk, length) && rings.reserve(s);
    const isLarge = length > FRAGMENT_BYTES;
    const large = fits && isLarge ? this.large.open(length) : NONE;
    if (!fits || (isLarge && large === NONE)) {
      this.refusals.add(s);
      return false;
    }
    this.pool.retain(block);
    const charge = kind === RELIABLE_SEQUENCED || kind === LATEST_STATE ? this.#replace(c, s, kind, tag) : 0;
    const id = rings.nextId[s]!;
    const slot = rings.append(s, block, length, tag, receipt);
    rings.large[slot] = large;
    rings.charge[slot] = charge;
    rings.queuedAt[slot] = now;
    if (ttlMicros > 0) rings.expiresAt[slot] = now + ttlMicros;
    if (kind === LATEST_STATE) this.#keys.set(s, tag, id);
    this.backlog.add(c, bulk, length);
    this.unsettled[c]!++;
    if (kind === TICK_INPUT) this.#dropOldInputs(c, s, channel, tag);
    this.lanes.wake(c, channel);
    return true;
  }

  /** What `row` of a packet named has arrived. Control frames are not for this. */
  onAcked(c: number, row: number): void {
    const { rings } = this;
    const s = this.carried.stream[row]!;
    const id = rings.fullId(s, this.carried.id[row]!);
    if (!rings.holds(s, id)) return;
    const slot = rings.slotOf(s, id);
    if (rings.state[slot] === SETTLED) return;
    const fragment = this.carried.fragment[row]!;
    if (fragment >= 0) {
      const large = rings.large[slot]!;
      if (large === NONE || !this.large.onAcked(large, fragment)) return;
      if (this.large.acked[large]! < this.large.count[large]!) {
        if (rings.state[slot] === DUE && this.large.pending[large] === 0) this.setState(c, s, slot, IN_FLIGHT);
        return;
      }
    }
    // Once it was to be skipped, the skip may have come first, and then the message was dropped on arrival.
    const skipped = rings.state[slot] === SKIP_DUE || rings.state[slot] === SKIP_IN_FLIGHT;
    this.settle(c, s, id, skipped ? EXPIRED : DELIVERED);
  }

  /** The packet that carried what `row` named was lost. */
  onLost(c: number, row: number): void {
    const { rings } = this;
    const s = this.carried.stream[row]!;
    const id = rings.fullId(s, this.carried.id[row]!);
    if (!rings.holds(s, id)) return;
    const slot = rings.slotOf(s, id);
    const state = rings.state[slot]!;
    if (state === SETTLED) return;
    const channel = s - c * this.channels.count;
    const kind = this.channels.kind[channel]!;
    const fragment = this.carried.fragment[row]!;
    if (fragment >= 0) {
      const large = rings.large[slot]!;
      if (large === NONE) return;
      if (!isReliable(kind)) this.settle(c, s, id, LOST);
      else if (this.large.onLost(large, fragment) && state === IN_FLIGHT) this.#makeDue(c, s, channel, id, slot, DUE);
      return;
    }
    // A later packet carries it too: that one decides.
    if (rings.carrier[slot] !== this.carried.serial[row]!) return;
    if (state === SKIP_IN_FLIGHT) this.#makeDue(c, s, channel, id, slot, SKIP_DUE);
    else if (state !== IN_FLIGHT) return;
    else if (isReliable(kind)) this.#makeDue(c, s, channel, id, slot, DUE);
    else this.settle(c, s, id, LOST); // an input of which no later packet has a copy has ridden as far as it will
  }

  /** The message is over: its memory is free, who wants to know is told. */
  settle(c: number, s: number, id: number, fate: number): void {
    const { rings } = this;
    const slot = rings.slotOf(s, id);
    this.#freeBytes(slot);
    if (rings.copies[slot]! > 0) this.setCopies(c, s, slot, 0);
    this.setState(c, s, slot, SETTLED);
    this.unsettled[c]!--;
    if (rings.receipt[slot] !== 0) this.events.receipt(c, rings.receipt[slot]!, fate);
    const kind = this.channels.kind[s - c * this.channels.count]!;
    if (kind !== RELIABLE_ORDERED) this.#uncharge(c, slot);
    this.#trim(c, s, kind);
  }

  /**
   * Whether a message's time to live is over. One that stands for bytes of the peer's window goes on all the same when nothing else
   * would tell the peer to let go of them: a value of latest state or of a sequenced channel, large or in place of a large one.
   */
  isExpired(kind: number, slot: number, now: Micros): boolean {
    const { rings } = this;
    if (rings.expiresAt[slot]! > now) return false;
    return rings.charge[slot] === 0 || isExactlyOnce(kind);
  }

  /** Its time to live is over. A message that each one counts for is told to be skipped, any other is settled. */
  expire(c: number, s: number, id: number): void {
    const { rings } = this;
    const channel = s - c * this.channels.count;
    if (!isExactlyOnce(this.channels.kind[channel]!)) {
      this.settle(c, s, id, EXPIRED);
      return;
    }
    const slot = rings.slotOf(s, id);
    this.#freeBytes(slot);
    if (rings.copies[slot]! > 0) this.setCopies(c, s, slot, 0);
    this.#makeDue(c, s, channel, id, slot, SKIP_DUE);
  }

  /** Changes a message's state and the counts that hang on it. */
  setState(c: number, s: number, slot: number, state: number): void {
    const { rings } = this;
    const before = rings.state[slot]!;
    rings.state[slot] = state;
    if (before === WAITING) {
      rings.waiting[s]!--;
      const { bulk, count } = this.channels;
      this.backlog.remove(c, bulk[s - c * count]!, rings.length[slot]!);
    } else if (before === DUE || before === SKIP_DUE) rings.due[s]!--;
    if (state === DUE || state === SKIP_DUE) rings.due[s]!++;
  }

  /** Sets how often a message may still ride as a copy. */
  setCopies(c: number, s: number, slot: number, copies: number): void {
    const { rings } = this;
    const before = rings.copies[slot]!;
    rings.copies[slot] = copies;
    if (before > 0 === copies > 0) return;
    const change = copies > 0 ? 1 : -1;
    rings.copying[s] = rings.copying[s]! + change;
    this.copying[c] = this.copying[c]! + change;
  }

  /** Whether a further large message of `length` fits into the peer's window; then it is charged to it. */
  begin(c: number, slot: number): boolean {
    const { rings } = this;
    // What it took over from the value that it replaced covers it as far as it goes: of one key only the largest counts.
    const more = Math.max(0, rings.length[slot]! - rings.charge[slot]!);
    if (this.windowUsed[c]! + more > this.window[c]!) return false;
    this.windowUsed[c] = this.windowUsed[c]! + more;
    rings.charge[slot] = rings.charge[slot]! + more;
    return true;
  }

  /** Whether a message that waits can go without more of the peer's window: a small one, one that has begun, one that is covered. */
  needsNoMore(slot: number): boolean {
    const { rings } = this;
    return rings.large[slot] === NONE || rings.carrier[slot] !== 0 || rings.charge[slot]! >= rings.length[slot]!;
  }

  /** No message from here on has been sent. Values of latest state may have gone past one that waits. */
  sentEnd(s: number, channel: number): number {
    const { rings, channels } = this;
    return channels.kind[channel] === LATEST_STATE ? rings.nextId[s]! : rings.nextWaiting[s]!;
  }

  /** Forgets everything of a connection. Its packets' rows must have been given back before. */
  clear(c: number): void {
    const { count } = this.channels;
    for (let s = c * count; s < (c + 1) * count; s++) {
      const { rings } = this;
      for (let id = rings.oldest[s]!; id < rings.nextId[s]!; id++) {
        const slot = rings.slotOf(s, id);
        if (rings.state[slot] === SETTLED) continue;
        this.#freeBytes(slot);
        if (rings.receipt[slot] !== 0) this.events.receipt(c, rings.receipt[slot]!, LOST);
      }
      rings.reset(s);
      this.#keys.reset(s);
      this.lastTick[s] = -1;
    }
    this.lanes.reset(c);
    this.backlog.reset(c);
    this.unsettled[c] = 0;
    this.copying[c] = 0;
    this.paused[c] = 0;
    this.window[c] = WINDOW_BEFORE_HELLO;
    this.windowUsed[c] = 0;
  }

  /** While a connection is paused nothing new is begun for it: what has been sent goes on until it is settled. */
  pause(c: number, paused: boolean): void {
    this.paused[c] = paused ? 1 : 0;
    if (!paused) this.wakeAll(c);
  }

  /** Whether anything of a waiting message has been sent, or is still held for an earlier one by the peer. */
  isBegun(slot: number): boolean {
    return this.rings.carrier[slot] !== 0 || this.rings.charge[slot]! > 0;
  }

  /** Notes which of the channels that refused have room again: half of what may wait, and a quarter of the memory. */
  checkWritable(): void {
    const { refusals, pool, rings, channels } = this;
    if (pool.heldBytes > pool.bytesMax * 0.75) return;
    for (let i = refusals.count - 1; i >= 0; i--) {
      const s = refusals.at(i);
      const c = Math.floor(s / channels.count);
      if (!this.backlog.hasRoom(c, channels.bulk[s - c * channels.count]!)) continue;
      if (rings.isFull(s)) continue;
      refusals.removeAt(i);
      this.events.writable(c, s - c * channels.count);
    }
  }

  /** Whether a message of a channel may be sent now, as far as ids go. */
  inIdWindow(s: number, kind: number, id: number): boolean {
    return !isExactlyOnce(kind) || id < this.rings.oldest[s]! + ID_WINDOW;
  }

  /** When the message that has waited longest in a channel was queued, into `out[0]`; -1 when none waits. */
  longestWaitingSince(c: number, channel: number, out: Float64Array): void {
    const s = c * this.channels.count + channel;
    const { rings } = this;
    out[0] = -1;
    for (let id = rings.nextWaiting[s]!; id < rings.nextId[s]! && out[0] < 0; id++) {
      const slot = rings.slotOf(s, id);
      if (rings.state[slot] === WAITING) out[0] = rings.queuedAt[slot]!;
    }
  }

  /** A newer value takes the place of the one that is not settled. Returns the bytes of the peer's window that go over to it. */
  #replace(c: number, s: number, kind: number, key: number): number {
    const { rings } = this;
    const id = kind === LATEST_STATE ? rings.fullId(s, this.#keys.get(s, key)) : rings.nextId[s]! - 1;
    if (!rings.holds(s, id)) return 0;
    const slot = rings.slotOf(s, id);
    if (rings.state[slot] === SETTLED || (kind === LATEST_STATE && rings.tag[slot] !== key)) return 0;
    const charge = rings.charge[slot]!;
    rings.charge[slot] = 0;
    // `append` comes next: the ring must not be given back between.
    this.settle(c, s, id, REPLACED);
    rings.reserve(s);
    return charge;
  }

  /** Only the newest inputs ride; older ones are given up. */
  #dropOldInputs(c: number, s: number, channel: number, tick: number): void {
    const { rings } = this;
    this.lastTick[s] = tick >>> 0;
    const keep = rings.nextId[s]! - this.channels.inputs[channel]!;
    for (let id = rings.oldest[s]!; id < keep; id++) {
      if (rings.state[rings.slotOf(s, id)] !== SETTLED) this.settle(c, s, id, LOST);
    }
  }

  #makeDue(c: number, s: number, channel: number, id: number, slot: number, state: number): void {
    this.setState(c, s, slot, state);
    if (id < this.rings.dueFrom[s]!) this.rings.dueFrom[s] = id;
    this.lanes.wake(c, channel);
  }

  #freeBytes(slot: number): void {
    const { rings } = this;
    if (rings.large[slot] !== NONE) this.large.close(rings.large[slot]!);
    if (rings.block[slot] !== NONE) this.pool.release(rings.block[slot]!);
    rings.large[slot] = NONE;
    rings.block[slot] = NONE;
  }

  #uncharge(c: number, slot: number): void {
    const { rings } = this;
    if (rings.charge[slot] === 0) return;
    this.windowUsed[c] = this.windowUsed[c]! - rings.charge[slot]!;
    rings.charge[slot] = 0;
    this.wakeAll(c);
  }

  /** Moves `oldest` past what is settled. What an ordered message took of the window is free only then: see PROTOCOL.md, 5. */
  #trim(c: number, s: number, kind: number): void {
    const { rings } = this;
    let oldest = rings.oldest[s]!;
    const end = rings.nextId[s]!;
    while (oldest < end) {
      const slot = rings.slotOf(s, oldest);
      if (rings.state[slot] !== SETTLED) break;
      if (kind === RELIABLE_ORDERED) this.#uncharge(c, slot);
      oldest++;
    }
    rings.trimTo(s, oldest);
  }

  /** There is room in the window again: lanes that wait for it may go on. */
  wakeAll(c: number): void {
    const { count } = this.channels;
    for (let channel = 0; channel < count; channel++) {
      if (this.rings.waiting[c * count + channel]! > 0) this.lanes.wake(c, channel);
    }
  }
}
