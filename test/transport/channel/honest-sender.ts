/**
 * A naive sender that keeps every rule of PROTOCOL.md, over a network that loses, repeats and reorders: the model that the
 * receiving half is held against. It keeps whole lists where the real one would keep columns.
 */

import { REFUSED, TAKEN } from '../../../transport/channel/incoming.ts';
import { FRAGMENT_BYTES, ID_WINDOW, MESSAGES_MAX } from '../../../transport/wire/frame-types.ts';
import {
  content,
  fragments,
  input,
  keyed,
  LS,
  messages,
  plain,
  type Receiver,
  RO,
  RS,
  RU,
  skip,
  TI,
  U,
  US,
} from './frames-in.ts';

/** Numbers from 0 to below 1, repeatable. */
export function chance(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Sent {
  readonly id: number;
  readonly key: number;
  readonly bytes: Uint8Array;
  /** What is not acked; a message that fits a packet is one unit, otherwise each fragment is one. */
  readonly unacked: Set<number>;
  /** Some of it has been sent. */
  begun: boolean;
  /** 0: wanted. 1: skip is being sent. 2: skip was acked. */
  skipped: number;
}

interface Packet {
  readonly frames: Uint8Array[];
  readonly units: [Sent, number][];
  readonly skips: Sent[];
}

export interface Weather {
  readonly seed: number;
  /** Shares of packets, 0 .. 1. */
  readonly loss: number;
  readonly copies: number;
  readonly reorder: number;
  /** Share of messages that are given up. */
  readonly skips: number;
}

const isBig = (m: Sent) => m.bytes.length > FRAGMENT_BYTES;

/** One channel of one connection, which plays until everything is acked. */
export class HonestSender {
  readonly sent: Sent[] = [];
  readonly receiver: Receiver;
  /** How often a packet was refused. */
  refusals = 0;
  /** Most that ever counted against the window, as the receiver says. */
  heldMax = 0;
  readonly #c: number;
  readonly #channel: number;
  readonly #kind: number;
  readonly #weather: Weather;
  readonly #random: () => number;
  readonly #windowBytes: number;
  #inFlight: Packet[] = [];
  #next = 0;

  /** @param channel its number is its kind's */
  constructor(receiver: Receiver, c: number, channel: number, weather: Weather, windowBytes: number) {
    this.receiver = receiver;
    this.#c = c;
    this.#channel = channel;
    this.#kind = channel;
    this.#weather = weather;
    this.#random = chance(weather.seed);
    this.#windowBytes = windowBytes;
  }

  /** Queues a message of `length` bytes. */
  send(length: number, key = 0): void {
    const units = length > FRAGMENT_BYTES ? Math.ceil(length / FRAGMENT_BYTES) : 1;
    const id = this.sent.length;
    const unacked = new Set(Array.from({ length: units }, (_, i) => i));
    this.sent.push({ id, key, bytes: content(id * 7 + this.#channel, length), unacked, begun: false, skipped: 0 });
  }

  get reliable(): boolean {
    return [RO, RU, RS, LS].includes(this.#kind);
  }

  get done(): boolean {
    return (
      this.#inFlight.length === 0 &&
      (this.reliable ? this.sent.every((m) => this.#over(m)) : this.#next >= this.sent.length)
    );
  }

  /** Acked, or given up for good, or replaced by a newer one that is at least begun. */
  #over(m: Sent): boolean {
    return m.unacked.size === 0 || m.skipped === 2 || this.#replaced(m);
  }

  #replaced(m: Sent): boolean {
    if (this.#kind !== RS && this.#kind !== LS) return false;
    return this.sent.some((n) => n.id > m.id && n.key === m.key && (n.begun || n.unacked.size === 0));
  }

  /** Bytes that may lie at the receiver while `beside` does, by the rule of section 5. */
  #windowUsed(beside: Sent): number {
    const newestWins = this.#kind === RS || this.#kind === LS;
    const units = (m: Sent) => (isBig(m) ? Math.ceil(m.bytes.length / FRAGMENT_BYTES) : 1);
    const waits = (m: Sent) => {
      if (this.#kind === RO) return this.sent.some((n) => n.id <= m.id && n.unacked.size > 0 && n.skipped < 2);
      // Something newer of its key was acked: it is gone.
      if (newestWins && this.sent.some((n) => n.id > m.id && n.key === m.key && n.unacked.size < units(n)))
        return false;
      return m.unacked.size > 0;
    };
    const counting = this.sent.filter((m) => m !== beside && m.begun && isBig(m) && m.skipped < 2 && waits(m));
    if (!newestWins) return counting.reduce((sum, m) => sum + m.bytes.length, 0);
    // Of a key, at most one is held: the largest counts.
    const byKey = new Map<number, number>();
    for (const m of counting) {
      if (m.key !== beside.key) byKey.set(m.key, Math.max(byKey.get(m.key) ?? 0, m.bytes.length));
    }
    return [...byKey.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Whether a fragmented message may begin: it fits, and on an ordered channel those before it have begun. */
  #mayBegin(m: Sent): boolean {
    if (this.#kind === RO && this.sent.some((n) => n.id < m.id && isBig(n) && !n.begun && n.skipped === 0))
      return false;
    return this.#windowUsed(m) + m.bytes.length <= this.#windowBytes;
  }

  /** One round: some packets leave, some arrive. */
  round(): void {
    const packets = 1 + Math.floor(this.#random() * 4);
    for (let i = 0; i < packets; i++) {
      const packet = this.reliable ? this.#reliablePacket() : this.#unreliablePacket();
      if (packet !== null) this.#inFlight.push(packet);
    }
    this.#network();
  }

  #reliablePacket(): Packet | null {
    const packet: Packet = { frames: [], units: [], skips: [] };
    const floor = this.sent.find((m) => !this.#over(m))?.id ?? this.sent.length;
    const open = this.sent.filter((m) => m.id < floor + ID_WINDOW && !this.#over(m));
    for (const m of open) {
      if (m.begun && m.skipped === 0 && this.#kind !== LS && this.#random() < this.#weather.skips) m.skipped = 1;
    }
    // Somewhere among the first of what is open, as after losses.
    let at = Math.floor(this.#random() * Math.min(open.length, 6));
    let budget = 1 + Math.floor(this.#random() * 6);
    while (at < open.length && budget-- > 0) {
      const m = open[at]!;
      if (m.skipped === 1) {
        packet.frames.push(skip(this.#channel, m.id & 0xffff, 1));
        packet.skips.push(m);
        at++;
      } else if (isBig(m)) {
        if (!m.begun && !this.#mayBegin(m)) break;
        m.begun = true;
        const unit = [...m.unacked][Math.floor(this.#random() * m.unacked.size)]!;
        packet.frames.push(fragments(this.#channel, m.id & 0xffff, m.bytes, this.#kind === LS ? m.key : -1)[unit]!);
        packet.units.push([m, unit]);
        if (this.#random() < 0.5) at++;
      } else {
        const run: Sent[] = [];
        while (run.length < MESSAGES_MAX && at < open.length && !isBig(open[at]!) && open[at]!.skipped !== 1) {
          if (this.#kind !== LS && run.length > 0 && open[at]!.id !== run.at(-1)!.id + 1) break;
          run.push(open[at++]!);
        }
        for (const r of run) r.begun = true;
        packet.units.push(...run.map((r): [Sent, number] => [r, 0]));
        packet.frames.push(
          this.#kind === LS
            ? keyed(this.#channel, ...run.map((r): [number, number, Uint8Array] => [r.id & 0xffff, r.key, r.bytes]))
            : messages(this.#channel, run[0]!.id & 0xffff, ...run.map((r) => r.bytes)),
        );
      }
    }
    return packet.frames.length > 0 ? packet : null;
  }

  #unreliablePacket(): Packet | null {
    const m = this.sent[this.#next];
    if (m === undefined) return null;
    this.#next++;
    m.begun = true;
    const channel = this.#channel;
    if (this.#kind === TI) {
      const first = Math.max(0, m.id - 3);
      const ticks = this.sent.slice(first, m.id + 1).map((t) => t.bytes);
      return { frames: [input(channel, first, ...ticks)], units: [], skips: [] };
    }
    if (!isBig(m)) {
      const frame = this.#kind === U ? plain(channel, m.bytes) : messages(channel, m.id & 0xffff, m.bytes);
      return { frames: [frame], units: [], skips: [] };
    }
    // Only fragmented messages of an unreliable channel have ids.
    const id = this.#kind === US ? m.id : this.sent.filter((n) => n.id < m.id && isBig(n)).length;
    const pieces = fragments(channel, id & 0xffff, m.bytes).map((frame) => ({ frames: [frame], units: [], skips: [] }));
    this.#inFlight.push(...pieces.slice(1));
    return pieces[0]!;
  }

  #network(): void {
    const { loss, copies, reorder } = this.#weather;
    const late: Packet[] = [];
    const now: Packet[] = [];
    for (const packet of this.#inFlight) (this.#random() < reorder ? late : now).push(packet);
    this.#inFlight = late;
    if (this.#random() < reorder) now.reverse();
    for (const packet of now) {
      if (this.#random() < loss) continue;
      this.#arrive(packet);
      // A copy under another packet number, as a spurious retransmission: reliable kinds only.
      if (this.reliable && this.#random() < copies) this.#inFlight.push(packet);
    }
  }

  #arrive(packet: Packet): void {
    const answer = this.receiver.read(packet.frames, this.#c);
    this.heldMax = Math.max(this.heldMax, this.receiver.incoming.bytesHeld(this.#c));
    if (answer === REFUSED) {
      this.refusals++;
      return;
    }
    if (answer !== TAKEN)
      throw new Error(`an honest packet was answered ${answer}: ${this.receiver.incoming.violationText}`);
    // Some acks are lost.
    if (this.#random() < this.#weather.loss) return;
    for (const [m, unit] of packet.units) m.unacked.delete(unit);
    for (const m of packet.skips) m.skipped = 2;
  }
}
