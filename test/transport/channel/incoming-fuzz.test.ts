/** Whatever a peer sends: nothing throws, and nothing holds more than it may. */

import { expect, it } from 'vitest';
import { NEVER } from '../../../sys/api.ts';
import { BlockPool } from '../../../transport/block-pool.ts';
import { ChannelSet } from '../../../transport/channel/channel-set.ts';
import {
  Incoming,
  MALFORMED,
  type MessageSink,
  REFUSED,
  TAKEN,
  VIOLATION,
} from '../../../transport/channel/incoming.ts';
import { FrameCursor } from '../../../transport/wire/frame-cursor.ts';
import { content, input, keyed, keyedPiece, LS, messages, piece, plain, RO, skip, spec, TI, U } from './frames-in.ts';
import { chance } from './honest-sender.ts';

const CONNECTIONS = 4;
const WINDOW = 65_536;
const KEYS = 70;
const MESSAGE_MAX = 50_000;

/** Two channels of each kind; a channel's kind is its number without the lowest bit. */
const channels = new ChannelSet(
  Array.from({ length: 14 }, (_, i) => spec(`${i >> 1} ${i & 1}`, i >> 1, i >> 1 === TI ? 1000 : MESSAGE_MAX, KEYS)),
);

class Fuzz implements MessageSink {
  readonly random: () => number;
  readonly pool: BlockPool;
  readonly incoming: Incoming;
  readonly answers: number[] = [0, 0, 0, 0];
  messages = 0;
  thrown = 0;
  now = 0;
  readonly #cursor = new FrameCursor();
  /** By stream: about where its ids are. */
  readonly #ids = new Float64Array(CONNECTIONS * channels.count);

  constructor(seed: number, poolBytes: number) {
    this.random = chance(seed);
    this.pool = new BlockPool(poolBytes);
    this.incoming = new Incoming({ connections: CONNECTIONS, channels, windowBytes: WINDOW, pool: this.pool });
    for (let c = 0; c < CONNECTIONS; c++) this.incoming.open(c);
  }

  message(connection: number, channel: number, bytes: Uint8Array, offset: number, length: number, tag: number): void {
    this.messages++;
    if (connection >= CONNECTIONS || channel >= channels.count)
      throw new RangeError(`no channel ${channel} of ${connection}`);
    if (length > channels.messageBytesMax[channel]! || offset + length > bytes.length) throw new RangeError('length');
    if (channel >> 1 === LS ? tag >= KEYS : channel >> 1 !== TI && tag !== 0) throw new RangeError(`tag ${tag}`);
    if (this.random() < 0.001) throw new SyntaxError('the game threw');
  }

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  /** A frame as an honest or a less honest peer would write it. */
  frame(c: number): Uint8Array {
    const channel = this.below(channels.count);
    const kind = channel >> 1;
    const stream = c * channels.count + channel;
    if (this.random() < 0.3) this.#ids[stream]! += this.below(3);
    const near = this.#ids[stream]! + this.below(12) - 4;
    const id = this.random() < 0.002 ? this.below(65_536) : near & 0xffff;
    const dice = this.random();
    if (kind !== TI && dice < 0.45) return this.#fragment(channel, kind, id);
    if (dice < 0.55) return skip(channel, id, this.random() < 0.02 ? this.below(5000) : this.below(5));
    const count = 1 + this.below(4);
    const all = Array.from({ length: count }, () => content(id, this.below(this.random() < 0.1 ? 300 : 12)));
    if (kind === U) return plain(channel, ...all);
    if (kind === TI) return input(channel, Math.max(0, near), ...all);
    if (kind !== LS) return messages(channel, id, ...all);
    return keyed(channel, ...all.map((m, i): [number, number, Uint8Array] => [(id + i) & 0xffff, this.below(KEYS), m]));
  }

  #fragment(channel: number, kind: number, id: number): Uint8Array {
    // Mostly the same size for the same id.
    const size = this.random() < 0.995 ? 1153 + ((id * 7919) % 4000) : 1000 + this.below(MESSAGE_MAX);
    const index = this.below(Math.ceil(size / 1152));
    if (this.random() < 0.01) return piece(channel, id, size, this.below(60), content(id, this.below(1153)));
    const bytes = content(id, Math.min(1152, size - index * 1152));
    return kind === LS
      ? keyedPiece(channel, id, id % KEYS, size, index, bytes)
      : piece(channel, id, size, index, bytes);
  }

  /** Frames of one packet, some of them damaged. */
  packet(c: number): Uint8Array {
    if (this.random() < 0.05) {
      const raw = Uint8Array.from({ length: 1 + this.below(60) }, () => this.below(256));
      raw[0] = [0x05, 0x30, 0x40, 0x50, 0x60, 0x70, 0x71][this.below(7)]! + this.below(2);
      if (raw.length > 1) raw[1] = this.below(15);
      return raw;
    }
    const frame = this.frame(c);
    if (this.random() < 0.1) {
      for (let i = 1 + this.below(3); i > 0; i--) frame[this.below(Math.min(frame.length, 14))]! ^= 1 << this.below(8);
      if (this.random() < 0.3) return frame.slice(0, 1 + this.below(frame.length));
    }
    return frame;
  }

  play(frames: number): void {
    const { incoming, pool, answers } = this;
    for (let i = 0; i < frames; i++) {
      const c = this.below(CONNECTIONS);
      const bytes = this.packet(c);
      const cursor = this.#cursor.wrap(bytes, 0, bytes.length);
      const view = new DataView(bytes.buffer);
      const copies = this.random() < 0.1 ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        cursor.wrap(bytes, 0, bytes.length);
        try {
          const answer = incoming.readFrame(c, cursor.u8(), cursor, view, this, this.now);
          answers[answer]!++;
          if ((answer === TAKEN || answer === REFUSED) && !cursor.ok) throw new Error('taken, but not there');
          if (answer === VIOLATION) {
            if (incoming.violationText === '') throw new Error('no text');
            incoming.close(c);
            if (incoming.bytesHeld(c) !== 0) throw new Error('bytes held after a close');
            incoming.open(c);
            this.#ids.fill(0, c * channels.count, (c + 1) * channels.count);
          }
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error;
          this.thrown++;
        }
      }
      if (this.random() < 0.01) {
        this.now += this.below(1_000_000);
        try {
          incoming.expire(this.now, this);
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error;
        }
      }
      if (pool.heldBytes > pool.bytesMax) throw new Error('the pool holds too much');
      const held = incoming.bytesHeld(c);
      if (held < 0 || held > WINDOW) throw new Error(`${held} bytes held`);
      if (incoming.messagesHeld > pool.held) throw new Error('a message without a block');
    }
  }

  /** Lets everything go. */
  end(): void {
    for (let c = 0; c < CONNECTIONS; c++) this.incoming.close(c);
    this.incoming.expire(NEVER, this);
    expect(this.pool.heldBytes).toBe(0);
    expect(this.pool.held).toBe(0);
    expect(this.incoming.messagesHeld).toBe(0);
    expect(this.incoming.fragmentsHeld).toBe(0);
    expect(this.incoming.deadline()).toBe(NEVER);
  }
}

it.each([
  ['much room', 1 << 22, 200_000],
  ['little room', 40_000, 200_000],
  ['hardly any room', 3000, 100_000],
])('500,000 frames, honest, damaged and made up: %s', { timeout: 60_000 }, (_, poolBytes, frames) => {
  const fuzz = new Fuzz(poolBytes, poolBytes);
  fuzz.play(frames);
  // The frames reach all of it.
  expect(fuzz.answers[TAKEN]).toBeGreaterThan(frames / 3);
  expect(fuzz.answers[MALFORMED]).toBeGreaterThan(1000);
  expect(fuzz.answers[VIOLATION]).toBeGreaterThan(100);
  if (poolBytes < 1 << 20) expect(fuzz.answers[REFUSED]).toBeGreaterThan(1000);
  expect(fuzz.messages).toBeGreaterThan(frames / 20);
  expect(fuzz.thrown).toBeGreaterThan(10);
  for (const counter of ['duplicates', 'stale', 'unreliableDropped'] as const) {
    expect(fuzz.incoming[counter]).toBeGreaterThan(500);
  }
  fuzz.end();
});

it('raw bytes after any type byte', { timeout: 30_000 }, () => {
  const fuzz = new Fuzz(1, 1 << 20);
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  const cursor = new FrameCursor();
  for (let i = 0; i < 300_000; i++) {
    const length = 1 + fuzz.below(64);
    for (let k = 0; k < length; k++) bytes[k] = fuzz.random() * 256;
    if (fuzz.random() < 0.9) bytes[1] = fuzz.below(14);
    cursor.wrap(bytes, 0, length);
    try {
      const answer = fuzz.incoming.readFrame(i & 3, cursor.u8(), cursor, view, fuzz, 0);
      if (answer === VIOLATION) fuzz.incoming.close(i & 3);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    if (fuzz.pool.heldBytes > fuzz.pool.bytesMax) throw new Error('the pool holds too much');
  }
  expect(fuzz.messages).toBeGreaterThan(500);
  fuzz.end();
});

it('a channel that nobody may fill: ordered messages behind a hole and 4,096 ids are all that waits', () => {
  const fuzz = new Fuzz(1, 1 << 26);
  const frames = Array.from({ length: 256 }, (_, i) => messages(RO << 1, i * 16, ...Array(16).fill(content(i, 60))));
  for (const bytes of frames) {
    for (let again = 0; again < 20; again++) {
      const cursor = new FrameCursor().wrap(bytes, 0, bytes.length);
      const first = cursor.u8();
      // Id 0 never comes.
      if (bytes[2] === 0 && bytes[3] === 0) bytes[2] = 1;
      expect(fuzz.incoming.readFrame(0, first, cursor, new DataView(bytes.buffer), fuzz, 0)).toBeLessThan(4);
    }
  }
  expect(fuzz.incoming.messagesHeld).toBe(4095);
  fuzz.end();
});
