/**
 * The transport alone with many connections: two ends of `Connections` with a tape between them in place of sockets, ciphers
 * and links. A packet's number lies beside its bytes. Packets may be lost or come a tick late; each end is served once a tick.
 *
 * Queueing, packing and receiving are timed; the tape is not. Nothing is allocated a packet, so the heap's growth is the transport's.
 */

import { DatagramBatch, type Micros, type Rng } from '../../sys/api.ts';
import type { ChannelSet } from '../../transport/channel/channel-set.ts';
import type { MessageSink } from '../../transport/channel/incoming.ts';
import type { OutgoingSink } from '../../transport/channel/outgoing-events.ts';
import { Connections } from '../../transport/connections.ts';
import type { Session } from '../../transport/session.ts';
import { copyBytes } from '../../transport/wire/copy.ts';
import { lcg } from '../transport/pair.ts';

export const TICK_MICROS = 16_667;
/** One way, in ticks: a round trip is 67 ms, four packets in flight. */
const WAY_TICKS = 2;
/** A packet that is late comes a tick later. */
const TAPES: number = WAY_TICKS + 2;
const SLOT_BYTES = 1216;
/** Clock and packet numbers start above 2^32, where numbers no longer fit an integer register of the JIT. */
const START_MICROS: number = 2 ** 40;
const START_NUMBER: number = 2 ** 33;
const SPARE_BYTES_PER_CONNECTION = 16_384;

export interface StandOptions {
  readonly connections: number;
  readonly channels: ChannelSet;
  /** Packets that one end may send in a tick. */
  readonly packetsPerTick: number;
  /** Shares of packets, 0 .. 1. */
  readonly loss?: number;
  readonly late?: number;
}

/** Queues what an end has to say in a tick. Hands `now` on as it came: read out of a field it would be boxed for each call. */
export type Load = (end: StandEnd, tick: number, now: Micros) => void;

/** What was done since the last `reset`, by one end. */
class EndCounts {
  sendMicros = 0;
  receiveMicros = 0;
  packetsSent = 0;
  packetsReceived = 0;
  messagesSent = 0;
  messagesReceived = 0;
}

/** Numbers count up; the number of a packet that was written is noted by its slot. */
class TapeSession implements Session {
  readonly receivedNumber: Float64Array = new Float64Array(1);
  readonly writtenNumber: Float64Array = new Float64Array(1);
  readonly slotNumber: Float64Array;
  readonly slotConnection: Int32Array;
  readonly #next: Float64Array;

  constructor(connections: number, slots: number) {
    this.slotNumber = new Float64Array(slots);
    this.slotConnection = new Int32Array(slots);
    this.#next = new Float64Array(connections).fill(START_NUMBER);
  }

  isConnected(): boolean {
    return true;
  }

  writePayload(batch: DatagramBatch, c: number): boolean {
    const slot = batch.count++;
    const number = this.#next[c]!;
    batch.offset[slot] = batch.home(slot);
    this.writtenNumber[0] = number;
    this.slotNumber[slot] = number;
    this.slotConnection[slot] = c;
    this.#next[c] = number + 1;
    return true;
  }

  skipNumber(c: number): void {
    this.writtenNumber[0] = this.#next[c]!;
    this.#next[c] = this.#next[c]! + 1;
  }

  idsWanted(): number {
    return 0;
  }

  issueId(): boolean {
    return false;
  }

  storeId(): void {}
}

export class StandEnd implements MessageSink, OutgoingSink {
  readonly connections: Connections;
  readonly session: TapeSession;
  readonly tx: DatagramBatch;
  counts: EndCounts = new EndCounts();

  constructor(options: StandOptions, rng: Rng) {
    const { connections, channels, packetsPerTick } = options;
    this.session = new TapeSession(connections, packetsPerTick);
    this.tx = DatagramBatch.allocate(packetsPerTick, SLOT_BYTES, {}, connections * SPARE_BYTES_PER_CONNECTION);
    this.connections = new Connections(
      {
        connections,
        channels,
        backlogMax: 1024,
        backlogBytesMax: 1 << 22,
        sendMemoryBytesMax: 1 << 30,
        receiveMemoryBytesMax: 1 << 30,
        windowBytes: 1 << 20,
      },
      this.session,
      rng,
      this.tx,
    );
    for (let c = 0; c < connections; c++) this.connections.open(c, START_MICROS);
  }

  /** Queues a message of `length` bytes, whatever they are. */
  send(c: number, channel: number, length: number, tag: number, now: Micros): void {
    const { pool } = this.connections;
    const block = pool.take(length);
    this.sendBlock(c, channel, block, length, tag, now);
    pool.release(block);
  }

  sendBlock(c: number, channel: number, block: number, length: number, tag: number, now: Micros): void {
    if (!this.connections.send(c, channel, block, length, tag, 0, 0, now)) throw new Error('too much waits');
    this.counts.messagesSent++;
  }

  message(): void {
    this.counts.messagesReceived++;
  }

  receipt(): void {}

  writable(): void {}

  blackHole(): void {}
}

/** The packets of one direction, by the tick in which they arrive. All bytes lie in one array, as those of a cipher's plaintext. */
class Tape {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #connection: Int32Array;
  readonly #number: Float64Array;
  readonly #length: Uint16Array;
  readonly #count: Int32Array = new Int32Array(TAPES);
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#bytes = new Uint8Array(TAPES * capacity * SLOT_BYTES);
    this.#view = new DataView(this.#bytes.buffer);
    this.#connection = new Int32Array(TAPES * capacity);
    this.#number = new Float64Array(TAPES * capacity);
    this.#length = new Uint16Array(TAPES * capacity);
  }

  /** Keeps the packet in a slot of what `end` sends until `tick`. */
  put(end: StandEnd, slot: number, tick: number): void {
    const { tx, session } = end;
    const tape = tick % TAPES;
    const at = tape * this.#capacity + this.#count[tape]!++;
    if (this.#count[tape]! > this.#capacity) throw new Error(`more than ${this.#capacity} packets in a tick`);
    copyBytes(tx.view, tx.offset[slot]!, this.#view, at * SLOT_BYTES, tx.length[slot]!);
    this.#connection[at] = session.slotConnection[slot]!;
    this.#number[at] = session.slotNumber[slot]!;
    this.#length[at] = tx.length[slot]!;
  }

  /** Gives `end` what arrives in a tick. */
  play(end: StandEnd, tick: number, now: Micros): void {
    const { connections, session } = end;
    const tape = tick % TAPES;
    const first = tape * this.#capacity;
    const last = first + this.#count[tape]!;
    for (let at = first; at < last; at++) {
      session.receivedNumber[0] = this.#number[at]!;
      const c = this.#connection[at]!;
      if (!connections.receive(c, this.#bytes, at * SLOT_BYTES, this.#length[at]!, now, end)) {
        throw new Error(connections.frames.violationText);
      }
    }
    end.counts.packetsReceived += last - first;
    this.#count[tape] = 0;
  }
}

export class TransportStand {
  readonly a: StandEnd;
  readonly b: StandEnd;
  /** Chance of fates: a linear congruence. Not an Rng, whose numbers beyond 31 bits would be boxed. */
  #chance = 7;
  readonly #toA: Tape;
  readonly #toB: Tape;
  readonly #lossBelow: number;
  readonly #lateBelow: number;
  #tick = 0;

  constructor(options: StandOptions) {
    const { loss = 0, late = 0, packetsPerTick } = options;
    this.a = new StandEnd(options, lcg(1));
    this.b = new StandEnd(options, lcg(2));
    this.#toA = new Tape(packetsPerTick * 2);
    this.#toB = new Tape(packetsPerTick * 2);
    this.#lossBelow = loss * 2 ** 31;
    this.#lateBelow = (loss + late) * 2 ** 31;
  }

  /** Plays so many ticks; `timed`: with the processor time of each end in its counts, whose reading allocates. */
  play(ticks: number, loadOfA: Load, loadOfB: Load, timed: boolean): void {
    for (let i = 0; i < ticks; i++) {
      this.#tick++;
      const now = START_MICROS + this.#tick * TICK_MICROS;
      this.#serve(this.a, this.#toA, this.#toB, loadOfA, now, timed);
      this.#serve(this.b, this.#toB, this.#toA, loadOfB, now, timed);
    }
  }

  /** Starts counting anew. */
  reset(): void {
    this.a.counts = new EndCounts();
    this.b.counts = new EndCounts();
  }

  #serve(end: StandEnd, from: Tape, to: Tape, load: Load, now: Micros, timed: boolean): void {
    const { connections, tx, counts } = end;
    const begin = timed ? cpuMicros() : 0;
    from.play(end, this.#tick, now);
    const received = timed ? cpuMicros() : 0;
    connections.advance(now);
    connections.drain(end, now);
    load(end, this.#tick, now);
    connections.transmit(tx, now);
    const sent = timed ? cpuMicros() : 0;
    counts.receiveMicros += received - begin;
    counts.sendMicros += sent - received;
    counts.packetsSent += tx.count;
    if (tx.full) throw new Error('more packets than a batch holds');
    for (let slot = 0; slot < tx.count; slot++) this.#launch(end, to, slot);
    tx.count = 0;
  }

  #launch(end: StandEnd, to: Tape, slot: number): void {
    this.#chance = (Math.imul(this.#chance, 1_664_525) + 1_013_904_223) | 0;
    const chance = this.#chance >>> 1;
    if (chance < this.#lossBelow) return;
    to.put(end, slot, this.#tick + WAY_TICKS + (chance < this.#lateBelow ? 1 : 0));
  }
}

/** Processor time of this process: what others do on a shared machine does not count. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
