/**
 * A peer that writes whatever it likes: payloads that were once honest and are bent, and frames by its own taste, nearly right
 * often enough to come far. Seeded; nothing is allocated for a payload but by the honest parts.
 */

import type { Rng } from '../../sys/api.ts';
import { type ChannelSpec, LATEST_STATE } from '../../transport/channel/channel-set.ts';
import { ALL_KINDS } from './pair.ts';

/** Small messages and few keys, so that limits are met. */
export const FUZZ_CHANNELS: readonly ChannelSpec[] = ALL_KINDS.map((channel) => ({
  ...channel,
  messageBytesMax: Math.min(channel.messageBytesMax, 60_000),
  keysMax: channel.kind === LATEST_STATE ? 300 : 1,
}));

const PAYLOAD_BYTES_MAX = 1200;

/** Writes payloads into `bytes`, whose length is in `length`. */
export class HostilePeer {
  readonly bytes: Uint8Array = new Uint8Array(PAYLOAD_BYTES_MAX);
  length = 0;
  readonly #rng: Rng;
  #sent = 0;
  readonly #corpus: readonly Uint8Array[];
  /** A guess at the ids and ticks that the receiver expects. */
  id = 0;

  constructor(rng: Rng, corpus: readonly Uint8Array[]) {
    this.#rng = rng;
    this.#corpus = corpus;
  }

  below(n: number): number {
    return (this.#rng.u32() >>> 3) % n;
  }

  /** Something. `lastSent` is the last number that the receiver used, one of `sent` since the connection began. */
  write(lastSent: number, sent: number): void {
    this.length = 0;
    this.#sent = sent;
    const choice = this.below(10);
    if (choice === 0) this.#noise();
    else if (choice < 5) {
      if (this.below(3) === 0) this.#ack(lastSent);
      this.#bend(this.#corpus[this.below(this.#corpus.length)]!);
    } else {
      if (this.below(2) === 0) this.#ack(lastSent);
      for (let frames = 1 + this.below(6); frames > 0; frames--) this.frame(lastSent);
      if (this.below(8) === 0) this.#flip();
    }
  }

  /** Takes an honest payload and changes it in place of writing one. */
  bend(honest: Uint8Array): void {
    this.length = 0;
    this.#bend(honest);
  }

  frame(lastSent: number): void {
    if (this.length > PAYLOAD_BYTES_MAX - 40) return;
    const kind = this.below(12);
    if (kind === 0 && this.below(20) === 0) this.#ack(lastSent);
    else if (kind < 8) this.#messages();
    else if (kind < 10) this.#fragment();
    else this.#rare();
  }

  #noise(): void {
    for (let left = this.below(80); left > 0; left--) this.#u8(this.#rng.u32() >>> 8);
  }

  #bend(honest: Uint8Array): void {
    this.#append(honest, 0, honest.length);
    switch (this.below(8)) {
      case 0:
        this.length = this.below(this.length + 1);
        break;
      case 1:
        for (let left = this.below(20); left > 0 && this.length < PAYLOAD_BYTES_MAX; left--)
          this.#u8(this.#rng.u32() >>> 8);
        break;
      case 2: {
        const other = this.#corpus[this.below(this.#corpus.length)]!;
        this.length = this.below(this.length + 1);
        const from = this.below(other.length + 1);
        this.#append(other, from, other.length);
        break;
      }
      case 3: // as it was, under a new number
        break;
      default:
        for (let flips = 1 + this.below(3); flips > 0; flips--) this.#flip();
    }
  }

  /** A bit, a byte, or a small step of a byte; early bytes more often, where headers are. */
  #flip(): void {
    if (this.length === 0) return;
    const at = this.below(2) === 0 ? this.below(Math.min(this.length, 24)) : this.below(this.length);
    const how = this.below(4);
    const byte = this.bytes[at]!;
    this.bytes[at] =
      how === 0 ? byte ^ (1 << this.below(8)) : how === 1 ? byte + 1 : how === 2 ? byte - 1 : this.below(256);
  }

  /** Mostly of packets that were sent. */
  #ack(lastSent: number): void {
    const bold = this.below(200) === 0;
    if (this.#sent < 6 && !bold) return;
    const gaps = this.below(8) === 0 ? this.below(bold ? 32 : 2) : 0;
    this.#u8(0x10 + gaps);
    this.#u16(lastSent - this.below(bold ? 40 : 2) + (bold ? this.below(3) : 0));
    this.#u16(this.below(65_536));
    this.#varint(this.below(bold ? 3000 : 2));
    for (let i = 0; i < gaps * 2; i++) this.#varint(this.below(2));
  }

  #messages(): void {
    const channel = this.below(FUZZ_CHANNELS.length);
    const { kind } = FUZZ_CHANNELS[channel]!;
    const count = 1 + this.below(this.below(4) === 0 ? 16 : 2);
    const family = kind === 0 ? 0x4f : kind === 5 ? 0x5f : kind === 6 ? 0x2f : 0x3f;
    this.#u8(family + count);
    this.#u8(channel);
    if (family === 0x3f) this.#u16(this.#nearId());
    else if (family === 0x2f) {
      this.#u16(this.#nearId());
      this.#u16(this.below(50) === 0 ? 0xffff : 0);
    }
    for (let i = 0; i < count; i++) {
      if (family === 0x5f) {
        this.#u16(this.#nearId());
        this.#varint(this.below(302));
      }
      const length = this.below(12);
      this.#varint(length);
      for (let j = 0; j < length; j++) this.#u8(j);
    }
  }

  #fragment(): void {
    const channel = this.below(FUZZ_CHANNELS.length);
    const keyed = FUZZ_CHANNELS[channel]!.kind === 5;
    this.#u8(keyed ? 0x71 : 0x70);
    this.#u8(channel);
    this.#u16(this.#nearId());
    if (keyed) this.#varint(this.below(20));
    // Two sizes, so that a message gets another one only now and then; the last piece is short.
    const size = this.below(40) === 0 ? 1153 + this.below(18_000) : this.id % 3 === 0 ? 39_170 : 2310;
    const last = Math.floor((size - 1) / 1152);
    const index = this.length + 1200 < PAYLOAD_BYTES_MAX ? this.below(last + 1) : last;
    this.#varint(size);
    this.#varint(index + (this.below(60) === 0 ? 1 : 0));
    const length = index === last ? size - last * 1152 : 1152;
    for (let i = 0; i < length && this.length < PAYLOAD_BYTES_MAX; i++) this.#u8(i);
  }

  #rare(): void {
    switch (this.below(7)) {
      case 0:
        this.#u8(1);
        break;
      case 1:
        this.#u8(2);
        for (let i = 0; i < 6; i++) this.#u8(this.#rng.u32() >>> 8);
        break;
      case 2:
        this.#u8(3);
        this.#u8(this.below(5));
        for (let i = 0; i < 24; i++) this.#u8(i);
        break;
      case 3:
        this.#u8(5);
        this.#u8(this.below(FUZZ_CHANNELS.length));
        this.#u16(this.#nearId());
        this.#varint(this.below(10) === 0 ? this.below(4200) : 1 + this.below(3));
        break;
      case 4:
        this.#u8(0x80 + this.below(128));
        this.#u16(this.below(4));
        for (let i = 0; i < 3; i++) this.#u8(0);
        break;
      default:
        this.#u8(this.below(4) === 0 ? this.below(256) : 0);
    }
  }

  #nearId(): number {
    if (this.below(4) === 0) this.id++;
    return this.id + this.below(4) + (this.below(200) === 0 ? this.below(65_536) : 0);
  }

  #append(from: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end && this.length < PAYLOAD_BYTES_MAX; i++) this.bytes[this.length++] = from[i]!;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#u8(rest | 0x80);
      rest >>>= 7;
    }
    this.#u8(rest);
  }

  #u16(value: number): void {
    const low = ((value % 65_536) + 65_536) % 65_536;
    this.#u8(low);
    this.#u8(low >>> 8);
  }

  #u8(value: number): void {
    if (this.length < PAYLOAD_BYTES_MAX) this.bytes[this.length++] = value;
  }
}
