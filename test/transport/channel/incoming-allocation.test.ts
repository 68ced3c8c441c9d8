/** Receiving allocates nothing, neither in order nor with losses, copies, holes, skips and fragments. */

import { expect, it } from 'vitest';
import { BlockPool } from '../../../transport/block-pool.ts';
import { ChannelSet } from '../../../transport/channel/channel-set.ts';
import { Incoming, type MessageSink, TAKEN } from '../../../transport/channel/incoming.ts';
import { FrameCursor } from '../../../transport/wire/frame-cursor.ts';
import { heapBytesOfSlices } from '../../sys/collect-garbage.ts';
import {
  content,
  fragments,
  input,
  join,
  keyed,
  LS,
  messages,
  plain,
  RO,
  RS,
  RU,
  skip,
  spec,
  TI,
  U,
  US,
} from './frames-in.ts';

const CONNECTIONS = 50;
const ROUNDS = 50;
/** Ids that one round uses of each channel. */
const STEP = 16;

/** Frames of one round, whose ids are moved on by STEP each round. */
class Tape {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #starts: number[] = [0];
  readonly #idsAt: number[] = [];
  readonly #ids: number[] = [];

  constructor(frames: readonly Uint8Array[]) {
    this.bytes = join(...frames);
    this.view = new DataView(this.bytes.buffer);
    for (const frame of frames) {
      const start = this.#starts.at(-1)!;
      this.#starts.push(start + frame.length);
      if (frame[1] === U && frame[0]! < 0x70) continue;
      if (frame[1] === LS && frame[0]! < 0x70) {
        // id, key, length, bytes of the one or two messages, whose keys and lengths are one byte.
        for (let at = start + 2; at < start + frame.length; at += 4 + this.bytes[at + 3]!) this.#idsAt.push(at);
      } else this.#idsAt.push(start + 2);
    }
    for (const at of this.#idsAt) this.#ids.push(this.view.getUint16(at, true));
  }

  get frames(): number {
    return this.#starts.length - 1;
  }

  start(frame: number): number {
    return this.#starts[frame]!;
  }

  setRound(round: number): void {
    for (let i = 0; i < this.#ids.length; i++) {
      this.view.setUint16(this.#idsAt[i]!, (this.#ids[i]! + round * STEP) & 0xffff, true);
    }
  }
}

const small = (n: number) => Array.from({ length: n }, (_, i) => content(i, 20 + i));

/** Ids 0 to 15 of every channel, in disorder. */
function disorder(): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const channel of [RO, RU, RS, US]) {
    const large = fragments(channel, 9, content(9, 5000)).reverse();
    const largest = fragments(channel, 12, content(12, 37_000)).reverse();
    frames.push(messages(channel, 3, ...small(4)), ...large.slice(0, 3), ...largest.slice(0, 30));
    frames.push(messages(channel, 1, ...small(2)), ...large.slice(1), ...largest.slice(20));
    frames.push(
      messages(channel, 0, ...small(5)),
      messages(channel, 10, ...small(2)),
      messages(channel, 13, ...small(3)),
    );
    if (channel === US) continue;
    frames.push(fragments(channel, 8, content(8, 5000))[1]!, skip(channel, 7, 2), ...large);
  }
  frames.push(plain(U, ...small(16)), ...fragments(U, 5, content(5, 5000)), ...fragments(U, 3, content(5, 5000)));
  frames.push(fragments(U, 7, content(7, 5000))[0]!, ...fragments(U, 5, content(5, 5000)));
  for (let key = 0; key < 16; key++)
    frames.push(keyed(LS, [key, key, content(key, 9)], [key ^ 1, key, content(key, 9)]));
  frames.push(...fragments(LS, 15, content(1, 5000), 3).reverse(), fragments(LS, 14, content(1, 5000), 4)[1]!);
  frames.push(input(TI, 4, ...small(8)), input(TI, 0, ...small(8)), input(TI, 6, ...small(10)));
  return frames;
}

class Count implements MessageSink {
  messages = 0;
  bytes = 0;

  message(_connection: number, _channel: number, _bytes: Uint8Array, _offset: number, length: number): void {
    this.messages++;
    this.bytes += length;
  }
}

it('50 rounds for 50 connections of all kinds grow the heap by at most half a byte a message', {
  timeout: 60_000,
}, () => {
  const channels = new ChannelSet(
    [0, 1, 2, 3, 4, 5, 6].map((kind) => spec(`${kind}`, kind, kind === TI ? 1000 : 50_000)),
  );
  const incoming = new Incoming({
    connections: CONNECTIONS,
    channels,
    windowBytes: 1 << 20,
    pool: new BlockPool(1 << 26),
  });
  const tape = new Tape(disorder());
  const cursor = new FrameCursor();
  const sink = new Count();
  let now = 2 ** 40;
  let round = 0;
  const play = (rounds: number) => {
    for (let end = round + rounds; round < end; round++) {
      tape.setRound(round);
      now += 16_000;
      for (let c = 0; c < CONNECTIONS; c++) {
        for (let frame = 0; frame < tape.frames; frame++) {
          const start = tape.start(frame);
          cursor.wrap(tape.bytes, start, tape.start(frame + 1) - start);
          if (incoming.readFrame(c, cursor.u8(), cursor, tape.view, sink, now) !== TAKEN)
            throw new Error(`frame ${frame}`);
        }
      }
      incoming.expire(now, sink);
    }
  };
  const growth: number[] = [];
  for (let pass = 0; pass < 6 && !(growth.at(-1)! <= 0.5); pass++) {
    const before = sink.messages;
    const bytes = heapBytesOfSlices(10, () => play(ROUNDS / 10));
    growth.push(bytes / (sink.messages - before));
    expect(sink.messages - before).toBeGreaterThan(ROUNDS * CONNECTIONS * 80);
  }
  expect(growth.at(-1), `bytes a message, pass by pass: ${growth}`).toBeLessThanOrEqual(0.5);
});
