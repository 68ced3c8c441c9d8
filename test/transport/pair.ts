/**
 * Two ends of a connection over a link that a test makes up: `Connections` alone, without sockets, sessions or ciphers. Time is
 * virtual; each end runs when a packet arrives, when its deadline has come, or when the test says so.
 */

import { EventQueue } from '../../sim/world/event-queue.ts';
import { DatagramBatch, type Micros, NEVER, type Rng } from '../../sys/api.ts';
import {
  ChannelSet,
  type ChannelSpec,
  LATEST_STATE,
  RELIABLE_ORDERED,
  RELIABLE_SEQUENCED,
  RELIABLE_UNORDERED,
  TICK_INPUT,
  UNRELIABLE,
  UNRELIABLE_SEQUENCED,
} from '../../transport/channel/channel-set.ts';
import type { MessageSink } from '../../transport/channel/incoming.ts';
import type { OutgoingSink } from '../../transport/channel/outgoing-events.ts';
import { Connections, type ConnectionsOptions } from '../../transport/connections.ts';
import type { Session } from '../../transport/session.ts';

/** One channel of each kind, named so that alphabetical order is the order of the kinds' numbers. */
export const ALL_KINDS: readonly ChannelSpec[] = [
  spec('a-unreliable', UNRELIABLE),
  spec('b-sequenced', UNRELIABLE_SEQUENCED),
  spec('c-ordered', RELIABLE_ORDERED),
  spec('d-unordered', RELIABLE_UNORDERED),
  spec('e-newest', RELIABLE_SEQUENCED),
  spec('f-state', LATEST_STATE),
  spec('g-input', TICK_INPUT),
  { ...spec('h-bulk', RELIABLE_ORDERED), bulk: true, priority: 7, messageBytesMax: 1 << 26 },
];

export function spec(name: string, kind: number, more: Partial<ChannelSpec> = {}): ChannelSpec {
  return {
    name,
    kind,
    priority: 3,
    weight: 1,
    bulk: false,
    messageBytesMax: kind === TICK_INPUT ? 1024 : 1 << 20,
    keysMax: 1024,
    inputs: 4,
    ...more,
  };
}

export interface Received {
  readonly channel: number;
  readonly tag: number;
  readonly at: Micros;
  readonly bytes: Uint8Array;
}

/** What a link does to packet number `index` of one direction: its delay, or null when it is lost. */
export type Fate = (index: number, now: Micros, bytes: number) => Micros | null;

/** A session without secrecy: the number of a packet travels beside its bytes. */
class PlainSession implements Session {
  readonly receivedNumber: Float64Array = new Float64Array(1);
  readonly writtenNumber: Float64Array = new Float64Array(1);
  next: number;
  stored: Uint8Array[] = [];
  /** Connection ids still to be offered, each full of its own number. */
  idsToOffer = 0;

  constructor(first: number) {
    this.next = first;
  }

  isConnected(): boolean {
    return true;
  }

  writePayload(batch: DatagramBatch): boolean {
    const slot = batch.count++;
    batch.offset[slot] = batch.home(slot);
    this.writtenNumber[0] = this.next++;
    return true;
  }

  skipNumber(): void {
    this.writtenNumber[0] = this.next++;
  }

  idsWanted(): number {
    return this.idsToOffer;
  }

  issueId(_connection: number, into: Uint8Array, at: number): boolean {
    if (this.idsToOffer === 0) return false;
    into.fill(this.idsToOffer--, at, at + 8);
    return true;
  }

  storeId(bytes: Uint8Array, at: number): void {
    this.stored.push(bytes.slice(at, at + 8));
  }
}

export class End {
  readonly connections: Connections;
  readonly session: PlainSession;
  readonly tx: DatagramBatch = DatagramBatch.allocate(64, 2048, {}, 65_536);
  readonly received: Received[] = [];
  readonly receipts: { receipt: number; fate: number }[] = [];
  readonly writable: number[] = [];
  readonly blackHoles: number[] = [];
  violation = '';
  /** Payload packets and their bytes on the wire (with netcode's 19 to 21), as sent. */
  packets = 0;
  wireBytes = 0;
  lost = 0;
  fate: Fate = () => 0;
  onMessage: ((channel: number, bytes: Uint8Array, offset: number, length: number, tag: number) => void) | null = null;
  /** Sees every payload before its fate is decided; what it returns flies in its place. */
  onPayload: ((number: number, bytes: Uint8Array) => Uint8Array) | null = null;
  /** Sees every payload that arrives, before it is read. */
  onArrival: ((number: number, bytes: Uint8Array) => void) | null = null;
  wakeAt: Micros = NEVER;
  index = 0;

  constructor(options: Partial<ConnectionsOptions> & { channels: ChannelSet }, first: number, rng: Rng) {
    this.session = new PlainSession(first);
    this.connections = new Connections(
      {
        connections: 1,
        backlogMax: 32_768,
        backlogBytesMax: 1 << 28,
        sendMemoryBytesMax: 1 << 29,
        receiveMemoryBytesMax: 1 << 29,
        windowBytes: 1 << 27,
        ...options,
      },
      this.session,
      rng,
      this.tx,
    );
  }

  /** Sends a copy of `bytes`; false: too much waits. */
  send(
    now: Micros,
    channel: number,
    bytes: Uint8Array,
    more: { tag?: number; receipt?: number; ttlMicros?: number } = {},
  ): boolean {
    const { pool } = this.connections;
    const block = pool.take(bytes.length);
    if (block < 0) return false;
    pool.bytesOf(block).set(bytes, pool.offsetOf(block));
    const { tag = 0, receipt = 0, ttlMicros = 0 } = more;
    const queued = this.connections.send(0, channel, block, bytes.length, tag, receipt, ttlMicros, now);
    pool.release(block);
    return queued;
  }
}

export class Pair {
  now: Micros;
  readonly a: End;
  readonly b: End;
  readonly #queue = new EventQueue();
  readonly #acts: (() => void)[] = [];
  readonly #free: number[] = [];

  constructor(
    options: Partial<ConnectionsOptions> & { channels?: ChannelSet } = {},
    start: { now?: Micros; number?: number } = {},
  ) {
    const channels = options.channels ?? new ChannelSet(ALL_KINDS);
    this.now = start.now ?? 1_000_000;
    this.a = new End({ ...options, channels }, start.number ?? 0, lcg(1));
    this.b = new End({ ...options, channels }, start.number ?? 0, lcg(2));
    this.a.connections.open(0, this.now);
    this.b.connections.open(0, this.now);
    this.wake(this.a);
    this.wake(this.b);
  }

  /** The same for both directions, without loss. */
  latency(micros: Micros): void {
    this.a.fate = this.b.fate = () => micros;
  }

  at(time: Micros, act: () => void): void {
    const id = this.#free.pop() ?? this.#acts.length;
    this.#acts[id] = act;
    this.#queue.push(time, id);
  }

  /** Lets an end send what it has, and sees to it that it runs again when something is due. */
  wake(end: End): void {
    const other = end === this.a ? this.b : this.a;
    const { connections, tx } = end;
    connections.advance(this.now);
    connections.drain(this.#sinkOf(end), this.now);
    for (let round = 0; round < 1000; round++) {
      const first = end.session.next;
      connections.transmit(tx, this.now);
      if (tx.count === 0) break;
      this.#launch(end, other, first);
    }
    const deadline = Math.max(connections.deadline(), this.now);
    if (deadline >= end.wakeAt || deadline >= NEVER) return;
    end.wakeAt = deadline;
    this.at(deadline, () => {
      if (end.wakeAt === this.now) end.wakeAt = NEVER;
      this.wake(end);
    });
  }

  run(until: Micros): void {
    while (this.#queue.count > 0 && this.#queue.time <= until) {
      this.now = Math.max(this.now, this.#queue.time);
      const id = this.#queue.pop();
      const act = this.#acts[id]!;
      this.#free.push(id);
      act();
    }
    this.now = until;
  }

  /** What is in `tx` flies. Numbers run on from `first`, with those left out between. */
  #launch(end: End, other: End, first: number): void {
    const { tx } = end;
    const numbers = this.#numbersOf(end, first, tx.count);
    for (let slot = 0; slot < tx.count; slot++) {
      const at = tx.offset[slot]!;
      const number = numbers[slot]!;
      const built = tx.arena.slice(at, at + tx.length[slot]!);
      const bytes = end.onPayload === null ? built : end.onPayload(number, built);
      const wire = bytes.length + 17 + (number < 256 ? 1 : number < 65_536 ? 2 : number < 2 ** 24 ? 3 : 4);
      end.packets++;
      end.wireBytes += wire;
      const delay = end.fate(end.index++, this.now, wire);
      if (delay === null) end.lost++;
      else this.at(this.now + delay, () => this.#arrive(other, number, bytes));
    }
    tx.count = 0;
  }

  #numbersOf(end: End, first: number, count: number): number[] {
    const { sent } = end.connections.flight;
    const numbers: number[] = [];
    for (let number = first; number < end.session.next; number++) {
      const slot = sent.base[0]! + (number & ((1 << sent.log2[0]!) - 1));
      if (sent.number[slot] === number && sent.state[slot] !== 4) numbers.push(number);
    }
    if (numbers.length !== count) throw new Error(`${count} packets with ${numbers.length} numbers`);
    return numbers;
  }

  #sinkOf(end: End): MessageSink & OutgoingSink {
    return {
      message: (_c, channel, from, offset, length, tag) => {
        if (end.onMessage !== null) end.onMessage(channel, from, offset, length, tag);
        else end.received.push({ channel, tag, at: this.now, bytes: from.slice(offset, offset + length) });
      },
      receipt: (_c, receipt, fate) => void end.receipts.push({ receipt, fate }),
      writable: (_c, channel) => void end.writable.push(channel),
      blackHole: (_c, bytes) => void end.blackHoles.push(bytes),
    };
  }

  #arrive(end: End, number: number, bytes: Uint8Array): void {
    end.onArrival?.(number, bytes);
    end.session.receivedNumber[0] = number;
    const fine = end.connections.receive(0, bytes, 0, bytes.length, this.now, this.#sinkOf(end));
    if (!fine && end.violation === '') end.violation = end.connections.frames.violationText;
    this.wake(end);
  }
}

/** Chance of a test: a linear congruence, the high bits of it. */
export function lcg(seed: number): Rng {
  let state = seed;
  const u32 = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state ^ (state >>> 15)) >>> 0;
  };
  for (let i = 0; i < 8; i++) u32();
  return {
    u32,
    fill: (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = u32() >>> 9;
    },
  };
}
