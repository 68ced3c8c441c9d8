/**
 * A second reader and writer of payloads, made from transport/PROTOCOL.md alone and sharing no line with transport/: what both
 * agree on is what the page says. Clear rather than fast; bytes of messages are hexadecimal text, so that frames can be compared
 * and written down as JSON.
 */

export interface ReferenceChannel {
  readonly name: string;
  /** 0 unreliable .. 6 tick input. */
  readonly kind: number;
  readonly messageBytesMax: number;
  readonly keysMax: number;
}

export type Frame =
  | { type: 'padding' }
  | { type: 'ping' }
  | { type: 'time'; clock: number }
  | { type: 'ids'; ids: string[] }
  | { type: 'hello'; version: number; channels: number; window: number; session: number }
  | { type: 'skip'; channel: number; first: number; count: number }
  | { type: 'ack'; newest: number; delay: number; run: number; more: { gap: number; run: number }[] }
  | { type: 'input'; channel: number; firstTick: number; messages: string[] }
  | { type: 'messages'; channel: number; firstId: number; messages: string[] }
  | { type: 'plain'; channel: number; messages: string[] }
  | { type: 'keyed'; channel: number; messages: { id: number; key: number; bytes: string }[] }
  | { type: 'fragment'; channel: number; id: number; size: number; index: number; bytes: string }
  | { type: 'keyed fragment'; channel: number; id: number; key: number; size: number; index: number; bytes: string }
  | { type: 'extension'; number: number; bytes: string };

export interface Reading {
  readonly frames: Frame[];
  /** Why the rest could not be read; ''. The messages of the last frame before that place are in `frames`. */
  readonly malformed: string;
}

const KIND_OF_FAMILY: Record<string, readonly number[]> = {
  plain: [0],
  messages: [1, 2, 3, 4],
  keyed: [5],
  input: [6],
  fragment: [0, 1, 2, 3, 4],
  'keyed fragment': [5],
  skip: [2, 3, 4, 5],
};
const PIECE = 1152;
const LARGEST = 64 * 1024 * 1024;

class Malformed extends Error {}

class Bytes {
  at = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** A number of `count` bytes, little-endian. */
  number(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      if (this.at >= this.bytes.length) throw new Malformed('cut off');
      value += this.bytes[this.at++]! * 256 ** i;
    }
    return value;
  }

  varint(): number {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.number(1);
      value += (byte % 128) * 128 ** i;
      if (byte < 128) return value;
    }
    throw new Malformed('a varint of more than 4 bytes');
  }

  hex(count: number): string {
    if (this.at + count > this.bytes.length) throw new Malformed('cut off');
    this.at += count;
    return toHex(this.bytes.subarray(this.at - count, this.at));
  }
}

/** Reads a payload to its end, or to the place where it is malformed. */
export function readPayload(payload: Uint8Array, channels: readonly ReferenceChannel[]): Reading {
  const bytes = new Bytes(payload);
  const frames: Frame[] = [];
  try {
    while (bytes.at < payload.length) readFrame(bytes, channels, frames);
  } catch (reason) {
    if (!(reason instanceof Malformed)) throw reason;
    return { frames, malformed: reason.message };
  }
  return { frames, malformed: '' };
}

function readFrame(bytes: Bytes, channels: readonly ReferenceChannel[], frames: Frame[]): void {
  const type = bytes.number(1);
  if (type >= 0x80) frames.push({ type: 'extension', number: type, bytes: bytes.hex(bytes.number(2)) });
  else if (type === 0x70 || type === 0x71) frames.push(readFragment(bytes, channels, type === 0x71));
  else if (type >= 0x10 && type < 0x30) {
    if (frames.some((frame) => frame.type === 'ack')) throw new Malformed('a second ack');
    frames.push(readAck(bytes, type - 0x10));
  } else if (type >= 0x30 && type < 0x70) readMessages(bytes, channels, type, frames);
  else if (type === 0) frames.push({ type: 'padding' });
  else if (type === 1) frames.push({ type: 'ping' });
  else if (type === 2) frames.push({ type: 'time', clock: bytes.number(6) });
  else if (type === 3) frames.push(readIds(bytes));
  else if (type === 4) frames.push(readHello(bytes));
  else if (type === 5) {
    if (frames.filter((frame) => frame.type === 'skip').length === 16) throw new Malformed('a seventeenth skip');
    frames.push(readSkip(bytes, channels));
  } else throw new Malformed('a type that does not exist');
}

function readIds(bytes: Bytes): Frame {
  const count = bytes.number(1);
  if (count < 1 || count > 3) throw new Malformed('a count of ids');
  const all = bytes.hex(count * 8);
  return { type: 'ids', ids: Array.from({ length: count }, (_, i) => all.slice(i * 16, i * 16 + 16)) };
}

function readHello(bytes: Bytes): Frame {
  const version = bytes.number(1);
  const channels = bytes.number(4);
  const window = bytes.number(4);
  const session = bytes.number(4);
  if (version === 0) throw new Malformed('hello with a version of 0');
  if (session === 0) throw new Malformed('hello with a session of 0');
  return { type: 'hello', version, channels, window, session };
}

function readSkip(bytes: Bytes, channels: readonly ReferenceChannel[]): Frame {
  const channel = readChannel(bytes, channels, 'skip');
  const first = bytes.number(2);
  const count = bytes.varint();
  if (count === 0) throw new Malformed('a skip of nothing');
  return { type: 'skip', channel, first, count };
}

function readAck(bytes: Bytes, gaps: number): Frame {
  const newest = bytes.number(2);
  const delay = bytes.number(2);
  const run = bytes.varint();
  const more: { gap: number; run: number }[] = [];
  for (let i = 0; i < gaps; i++) more.push({ gap: bytes.varint(), run: bytes.varint() });
  return { type: 'ack', newest, delay, run, more };
}

/** The frame is there before its messages are: those before a malformed one count. */
function readMessages(bytes: Bytes, channels: readonly ReferenceChannel[], type: number, frames: Frame[]): void {
  const count = (type % 16) + 1;
  const family = (['input', 'messages', 'plain', 'keyed'] as const)[Math.floor(type / 16) - 3]!;
  const channel = readChannel(bytes, channels, family);
  const { messageBytesMax, keysMax } = channels[channel]!;
  const message = (): string => {
    const length = bytes.varint();
    const text = bytes.hex(length);
    if (length > messageBytesMax) throw new Malformed('a message longer than the channel allows');
    return text;
  };
  if (family === 'keyed') {
    const messages: { id: number; key: number; bytes: string }[] = [];
    frames.push({ type: 'keyed', channel, messages });
    for (let i = 0; i < count; i++) {
      const id = bytes.number(2);
      const key = bytes.varint();
      const text = message();
      if (key >= keysMax) throw new Malformed('a key beyond those of the channel');
      messages.push({ id, key, bytes: text });
    }
    return;
  }
  const messages: string[] = [];
  const first = family === 'input' ? bytes.number(4) : family === 'messages' ? bytes.number(2) : 0;
  if (family === 'input') frames.push({ type: 'input', channel, firstTick: first, messages });
  else if (family === 'messages') frames.push({ type: 'messages', channel, firstId: first, messages });
  else frames.push({ type: 'plain', channel, messages });
  for (let i = 0; i < count; i++) {
    const text = message();
    if (family === 'input' && first + i >= 2 ** 32) throw new Malformed('a tick beyond u32');
    messages.push(text);
  }
}

function readFragment(bytes: Bytes, channels: readonly ReferenceChannel[], keyed: boolean): Frame {
  const channel = readChannel(bytes, channels, keyed ? 'keyed fragment' : 'fragment');
  const id = bytes.number(2);
  const key = keyed ? bytes.varint() : 0;
  const size = bytes.varint();
  const index = bytes.varint();
  if (size <= PIECE || size > LARGEST) throw new Malformed('the size of a fragmented message');
  if (size > channels[channel]!.messageBytesMax) throw new Malformed('a message longer than the channel allows');
  if (keyed && key >= channels[channel]!.keysMax) throw new Malformed('a key beyond those of the channel');
  if (index * PIECE >= size) throw new Malformed('an index beyond the size');
  const text = bytes.hex(Math.min(PIECE, size - index * PIECE));
  return keyed
    ? { type: 'keyed fragment', channel, id, key, size, index, bytes: text }
    : { type: 'fragment', channel, id, size, index, bytes: text };
}

function readChannel(bytes: Bytes, channels: readonly ReferenceChannel[], family: string): number {
  const channel = bytes.number(1);
  if (channel >= channels.length) throw new Malformed('a channel that the receiver does not have');
  if (!KIND_OF_FAMILY[family]!.includes(channels[channel]!.kind))
    throw new Malformed("not a frame of the channel's kind");
  return channel;
}

/** The bytes of frames, each number in its shortest form. Fields are written as they are, so that malformed frames can be made. */
export function writePayload(frames: readonly Frame[]): Uint8Array {
  return Uint8Array.from(frames.flatMap(frameBytes));
}

function frameBytes(frame: Frame): number[] {
  switch (frame.type) {
    case 'padding':
      return [0];
    case 'ping':
      return [1];
    case 'time':
      return [2, ...little(frame.clock, 6)];
    case 'ids':
      return [3, frame.ids.length, ...frame.ids.flatMap(fromHex)];
    case 'hello':
      return [4, frame.version, ...little(frame.channels, 4), ...little(frame.window, 4), ...little(frame.session, 4)];
    case 'skip':
      return [5, frame.channel, ...little(frame.first, 2), ...varint(frame.count)];
    case 'ack': {
      const more = frame.more.flatMap(({ gap, run }) => [...varint(gap), ...varint(run)]);
      return [
        0x10 + frame.more.length,
        ...little(frame.newest, 2),
        ...little(frame.delay, 2),
        ...varint(frame.run),
        ...more,
      ];
    }
    case 'input':
      return [
        0x2f + frame.messages.length,
        frame.channel,
        ...little(frame.firstTick, 4),
        ...frame.messages.flatMap(sized),
      ];
    case 'messages':
      return [
        0x3f + frame.messages.length,
        frame.channel,
        ...little(frame.firstId, 2),
        ...frame.messages.flatMap(sized),
      ];
    case 'plain':
      return [0x4f + frame.messages.length, frame.channel, ...frame.messages.flatMap(sized)];
    case 'keyed': {
      const messages = frame.messages.flatMap((m) => [...little(m.id, 2), ...varint(m.key), ...sized(m.bytes)]);
      return [0x5f + frame.messages.length, frame.channel, ...messages];
    }
    case 'fragment':
      return [
        0x70,
        frame.channel,
        ...little(frame.id, 2),
        ...varint(frame.size),
        ...varint(frame.index),
        ...fromHex(frame.bytes),
      ];
    case 'keyed fragment': {
      const { channel, id, key, size, index, bytes } = frame;
      return [0x71, channel, ...little(id, 2), ...varint(key), ...varint(size), ...varint(index), ...fromHex(bytes)];
    }
    case 'extension':
      return [frame.number, ...little(frame.bytes.length / 2, 2), ...fromHex(frame.bytes)];
  }
}

function sized(hex: string): number[] {
  return [...varint(hex.length / 2), ...fromHex(hex)];
}

function little(value: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** i) % 256);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

export function fromHex(hex: string): number[] {
  return [...Buffer.from(hex.replaceAll(' ', ''), 'hex')];
}
