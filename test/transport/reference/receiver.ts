/**
 * What a receiver does with payloads by transport/PROTOCOL.md alone: maps and full numbers, no windows of bits, no pool, no
 * time. Its answers, messages and counts are what the code's must be as long as memory lasts and nothing expires.
 */

import { type Frame, type ReferenceChannel, readPayload } from './frames.ts';

export interface Delivered {
  readonly channel: number;
  /** The tick or the key, else 0. */
  readonly tag: number;
  readonly bytes: string;
}

export interface Answer {
  readonly answer: 'taken' | 'malformed' | 'violation';
  readonly delivered: Delivered[];
  /** Why, for people. */
  readonly text: string;
}

interface Partial {
  readonly id: number;
  readonly size: number;
  readonly pieces: Map<number, string>;
  /** Whether it counts against the window. */
  readonly counted: boolean;
}

interface Stream {
  /** The id, or tick, that comes next; everything below is done with. */
  next: number;
  /** Ordered: what waits. Unordered: what is done. Sequenced: nothing. */
  readonly ahead: Map<number, string | 'skipped'>;
  readonly partials: Map<number, Partial>;
  /** By key. */
  readonly newest: Map<number, number>;
  /** Unreliable: finished ids. */
  readonly finished: Set<number>;
}

class Violation extends Error {}

const ID_WINDOW = 4096;
const UNFINISHED_MAX = 8;
const REMEMBERED = 32;

/** The number nearest to `expected` that ends in these 16 bits. */
export function nearestId(low: number, expected: number): number {
  const above = expected + ((((low - expected) % 65_536) + 65_536) % 65_536);
  return above - expected < 32_768 ? above : above - 65_536;
}

export class ReferenceReceiver {
  duplicates = 0;
  stale = 0;
  extensions = 0;
  unreliableDropped = 0;
  readonly #channels: readonly ReferenceChannel[];
  readonly #hash: number;
  readonly #window: number;
  readonly #streams: Stream[];
  #delivered: Delivered[] = [];
  /** The peer's number in its hello, 0: it has not come. */
  #session = 0;
  /** Sizes of waiting messages that came in fragments, by channel and id. */
  readonly #waitingSizes: Map<string, number> = new Map();

  constructor(channels: readonly ReferenceChannel[], window: number) {
    this.#channels = channels;
    this.#hash = channelsHash(channels);
    this.#window = window;
    this.#streams = channels.map(() => ({
      next: 0,
      ahead: new Map(),
      partials: new Map(),
      newest: new Map(),
      finished: new Set(),
    }));
    for (const [channel, { kind }] of channels.entries()) if (kind === 0) this.#streams[channel]!.next = -1;
  }

  receive(payload: Uint8Array): Answer {
    this.#delivered = [];
    const { frames, malformed } = readPayload(payload, this.#channels);
    try {
      for (const frame of frames) this.#take(frame);
    } catch (reason) {
      if (!(reason instanceof Violation)) throw reason;
      return { answer: 'violation', delivered: this.#delivered, text: reason.message };
    }
    return { answer: malformed === '' ? 'taken' : 'malformed', delivered: this.#delivered, text: malformed };
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case 'hello':
        if (frame.version !== 1) throw new Violation('hello with another version');
        if (frame.channels !== this.#hash) throw new Violation('hello with other channels');
        if (frame.session !== (this.#session || frame.session)) throw new Violation('hello with another session');
        this.#session = frame.session;
        return;
      case 'extension':
        this.extensions++;
        return;
      case 'plain':
        for (const bytes of frame.messages) this.#deliver(frame.channel, 0, bytes);
        return;
      case 'input':
        for (const [i, bytes] of frame.messages.entries()) this.#input(frame.channel, frame.firstTick + i, bytes);
        return;
      case 'messages':
        for (const [i, bytes] of frame.messages.entries()) {
          this.#message(frame.channel, (frame.firstId + i) % 65_536, bytes);
        }
        return;
      case 'keyed':
        for (const { id, key, bytes } of frame.messages) this.#newest(frame.channel, id, key, bytes);
        return;
      case 'fragment':
        this.#fragment(frame.channel, frame.id, 0, frame.size, frame.index, frame.bytes);
        return;
      case 'keyed fragment':
        this.#fragment(frame.channel, frame.id, frame.key, frame.size, frame.index, frame.bytes);
        return;
      case 'skip':
        this.#skip(frame.channel, frame.first, frame.count);
        return;
      default: // padding, ping, time, ids, and acks, which are the sender's half
    }
  }

  #deliver(channel: number, tag: number, bytes: string): void {
    this.#delivered.push({ channel, tag, bytes });
  }

  #input(channel: number, tick: number, bytes: string): void {
    const stream = this.#streams[channel]!;
    if (tick < stream.next) this.stale++;
    else {
      stream.next = tick + 1;
      this.#deliver(channel, tick, bytes);
    }
  }

  #message(channel: number, low: number, bytes: string): void {
    const stream = this.#streams[channel]!;
    const { kind } = this.#channels[channel]!;
    const id = nearestId(low, stream.next);
    if (kind === 1) this.#sequenced(channel, id, bytes);
    else if (kind === 4) this.#newest(channel, low, 0, bytes);
    else if (this.#isNew(stream, id)) {
      stream.partials.delete(id);
      this.#done(channel, id, bytes);
    }
  }

  /** Of a reliable ordered or unordered channel; counts what is not new. */
  #isNew(stream: Stream, id: number): boolean {
    if (id - stream.next >= ID_WINDOW) throw new Violation('an id 4,096 or more ahead');
    if (id >= stream.next && !stream.ahead.has(id)) return true;
    this.duplicates++;
    return false;
  }

  /** Ordered, unordered: the message, or the news that it is skipped, is there. */
  #done(channel: number, id: number, bytes: string | 'skipped'): void {
    const stream = this.#streams[channel]!;
    const ordered = this.#channels[channel]!.kind === 2;
    stream.ahead.set(id, bytes);
    if (!ordered && bytes !== 'skipped') this.#deliver(channel, 0, bytes);
    while (stream.ahead.has(stream.next)) {
      const next = stream.ahead.get(stream.next)!;
      if (ordered && next !== 'skipped') this.#deliver(channel, 0, next);
      stream.ahead.delete(stream.next);
      this.#waitingSizes.delete(`${channel} ${stream.next}`);
      stream.next++;
    }
  }

  #sequenced(channel: number, id: number, bytes: string): void {
    const stream = this.#streams[channel]!;
    if (id < stream.next) {
      this.stale++;
      return;
    }
    stream.next = id + 1;
    for (const partial of [...stream.partials.values()]) if (partial.id <= id) this.#drop(stream, partial.id);
    this.#deliver(channel, 0, bytes);
  }

  #drop(stream: Stream, id: number): void {
    stream.partials.delete(id);
    this.unreliableDropped++;
  }

  #newest(channel: number, low: number, key: number, bytes: string): void {
    const stream = this.#streams[channel]!;
    const id = nearestId(low, stream.next);
    if (id <= (stream.newest.get(key) ?? -1)) {
      this.stale++;
      return;
    }
    this.#raise(stream, key, id);
    this.#deliver(channel, key, bytes);
  }

  /** The newest message of a key is there, or is not to come: nothing up to it is waited for. */
  #raise(stream: Stream, key: number, id: number): void {
    stream.next = Math.max(stream.next, id + 1);
    stream.newest.set(key, id);
    if ((stream.partials.get(key)?.id ?? Number.POSITIVE_INFINITY) <= id) stream.partials.delete(key);
  }

  #fragment(channel: number, low: number, key: number, size: number, index: number, bytes: string): void {
    const stream = this.#streams[channel]!;
    const { kind } = this.#channels[channel]!;
    const id = nearestId(low, stream.next);
    const place = kind === 5 || kind === 4 ? key : id;
    if (kind === 0) {
      // Newest id of a fragment so far; a message still unfinished goes on however old it is.
      if (!stream.partials.has(id)) {
        if (id <= stream.next - REMEMBERED) {
          this.stale++;
          return;
        }
        if (stream.finished.has(id)) {
          this.duplicates++;
          return;
        }
      }
      stream.next = Math.max(stream.next, id);
    } else if (kind === 1) {
      if (id < stream.next) {
        this.stale++;
        return;
      }
    } else if (kind === 2 || kind === 3) {
      if (!this.#isNew(stream, id)) return;
    } else {
      const unfinished = stream.partials.get(key)?.id ?? Number.NEGATIVE_INFINITY;
      if (id <= (stream.newest.get(key) ?? -1) || id < unfinished) {
        this.stale++;
        return;
      }
      stream.next = Math.max(stream.next, id + 1);
      if (id > unfinished) stream.partials.delete(key);
    }
    const partial = this.#partialOf(stream, kind, place, id, size);
    if (partial.size !== size) throw new Violation('a fragment that gives a message another size');
    if (partial.pieces.has(index)) this.duplicates++;
    partial.pieces.set(index, bytes);
    if (partial.pieces.size < Math.ceil(size / 1152)) return;
    const whole = Array.from(partial.pieces.keys())
      .sort((a, b) => a - b)
      .map((i) => partial.pieces.get(i)!)
      .join('');
    stream.partials.delete(place);
    if (kind === 0) {
      stream.finished.add(id);
      this.#deliver(channel, 0, whole);
    } else if (kind === 1) this.#sequenced(channel, id, whole);
    else if (kind >= 4) {
      this.#raise(stream, key, id);
      this.#deliver(channel, key, whole);
    } else {
      if (kind === 2) this.#waitingSizes.set(`${channel} ${id}`, size);
      this.#done(channel, id, whole);
    }
  }

  /** The unfinished message, which is begun when it is not there. */
  #partialOf(stream: Stream, kind: number, place: number, id: number, size: number): Partial {
    const before = stream.partials.get(place);
    if (before !== undefined) return before;
    const reliable = kind >= 2;
    if (reliable && this.#held() + size > this.#window) throw new Violation('more reliable fragments than the window');
    if (!reliable && stream.partials.size === UNFINISHED_MAX) this.#drop(stream, [...stream.partials.keys()][0]!);
    const partial = { id, size, pieces: new Map<number, string>(), counted: reliable };
    stream.partials.set(place, partial);
    return partial;
  }

  #held(): number {
    let bytes = 0;
    for (const { partials } of this.#streams) {
      for (const { size, counted } of partials.values()) if (counted) bytes += size;
    }
    for (const size of this.#waitingSizes.values()) bytes += size;
    return bytes;
  }

  #skip(channel: number, low: number, count: number): void {
    const stream = this.#streams[channel]!;
    const { kind } = this.#channels[channel]!;
    const first = nearestId(low, stream.next);
    if (count > ID_WINDOW) throw new Violation('a skip of more than 4,096 ids');
    if (kind === 5) {
      this.stale++;
      return;
    }
    if (kind === 4) {
      const last = first + count - 1;
      if (last <= (stream.newest.get(0) ?? -1)) this.duplicates++;
      else this.#raise(stream, 0, last);
      return;
    }
    if (first + count - stream.next > ID_WINDOW) throw new Violation('an id 4,096 or more ahead');
    let news = false;
    for (let id = Math.max(first, stream.next); id < first + count; id++) {
      // What waits for its turn goes too: its sender counts it as gone.
      if (id < stream.next || (kind === 3 && stream.ahead.has(id)) || stream.ahead.get(id) === 'skipped') continue;
      news = true;
      stream.partials.delete(id);
      this.#waitingSizes.delete(`${channel} ${id}`);
      stream.ahead.set(id, 'skipped');
    }
    if (!news) this.duplicates++;
    else if (first <= stream.next) this.#done(channel, stream.next, stream.ahead.get(stream.next)!);
  }
}

/** FNV-1a over names, kinds and largest messages, in alphabetical order. */
export function channelsHash(channels: readonly ReferenceChannel[]): number {
  let hash = 0x811c9dc5n;
  for (const { name, kind, messageBytesMax } of channels) {
    const size = [0, 1, 2, 3].map((i) => Math.floor(messageBytesMax / 256 ** i) % 256);
    for (const byte of [...Buffer.from(name, 'utf8'), 0, kind, ...size]) {
      hash = ((hash ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n;
    }
  }
  return Number(hash);
}
