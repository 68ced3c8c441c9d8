import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type Channels,
  ChannelTable,
  type Incoming,
  json,
  type Message,
  type Outgoing,
  unreliable,
} from '../../engine/channels.ts';
import { DatagramBatch } from '../../sys/api.ts';
import { cellBytesFor, SendQueue } from '../../transport/channel/send-queue.ts';
import { MESSAGE_BYTES_MAX, readFrames } from '../../transport/wire/frames.ts';

const CHANNELS = { chat: unreliable(json<{ text: string }>()), raw: unreliable() } satisfies Channels;

const queueOf = (cells: number) =>
  new SendQueue({ connections: 1, backlogMax: 4 }, DatagramBatch.allocate(1, 1200, {}, cellBytesFor(cells)));

/** Encodes on one table, carries the bytes over, delivers on the other. */
function carry(
  from: ChannelTable,
  to: ChannelTable,
  channel: string,
  message: unknown,
  seen: (channel: string, message: unknown) => void,
) {
  const queue = queueOf(4);
  const cell = from.encode(queue, channel, message);
  queue.enqueue(0, cell);
  queue.release(cell);
  const packet = queue.arena;
  const length = queue.pack(0, 0, 1200);
  const sink = {
    messageFrame: (_connection: number, id: number, bytes: Uint8Array, offset: number, size: number) =>
      to.deliver({ receiveMessage: seen }, id, bytes, offset, size),
  };
  readFrames(sink, 0, packet, 0, length);
}

describe('channels', () => {
  it('carry typed values and bytes, each under its name, in whatever order the two sides wrote them', () => {
    const seen: unknown[] = [];
    const other = new ChannelTable({ raw: CHANNELS.raw, chat: CHANNELS.chat }, false);
    const record = (channel: string, message: unknown) =>
      void seen.push([channel, channel === 'raw' ? [...(message as Message).copy()] : message]);
    carry(new ChannelTable(CHANNELS, false), other, 'chat', { text: 'hé' }, record);
    carry(new ChannelTable(CHANNELS, false), other, 'raw', new Uint8Array([1, 2]), record);
    expect(seen).toEqual([
      ['chat', { text: 'hé' }],
      ['raw', [1, 2]],
    ]);
  });

  it('infer names and payload types from the options', () => {
    expectTypeOf<Outgoing<(typeof CHANNELS)['chat']>>().toEqualTypeOf<{ text: string }>();
    expectTypeOf<Incoming<(typeof CHANNELS)['chat']>>().toEqualTypeOf<{ text: string }>();
    expectTypeOf<Outgoing<(typeof CHANNELS)['raw']>>().toEqualTypeOf<Uint8Array>();
    expectTypeOf<Incoming<(typeof CHANNELS)['raw']>>().toEqualTypeOf<Message>();
  });

  it('end the loan of a message after its callback', () => {
    let kept: Message | undefined;
    const table = new ChannelTable(CHANNELS, false);
    carry(table, table, 'raw', new Uint8Array([1]), (_, message) => {
      kept = message as Message;
    });
    expect(() => kept!.u8()).toThrow(/copy\(\)/);
  });

  it('poison the bytes in development, so that a kept view is seen at once', () => {
    let view = new Uint8Array(0);
    const table = new ChannelTable(CHANNELS, true);
    carry(table, table, 'raw', new Uint8Array([1, 2, 3]), (_, message) => {
      view = (message as Message).bytes(3) as Uint8Array<ArrayBuffer>;
    });
    expect([...view]).toEqual([0xdb, 0xdb, 0xdb]);
  });

  it('drop and count what cannot be decoded', () => {
    const plain = new ChannelTable({ chat: unreliable() }, false);
    const table = new ChannelTable({ chat: CHANNELS.chat }, false);
    const never = () => expect.unreachable();
    carry(plain, table, 'chat', new Uint8Array([9, 0, 1]), never); // text cut off
    carry(plain, table, 'chat', new Uint8Array([1, 0, 0x7b]), never); // not JSON
    table.deliver({ receiveMessage: never }, 200, new Uint8Array(0), 0, 0); // no such channel
    expect(table.undecodable).toBe(3);
  });

  it('refuse a message that is too long or a channel that is not there, with what to do', () => {
    const table = new ChannelTable(CHANNELS, false);
    const queue = queueOf(1);
    expect(() => table.encode(queue, 'raw', new Uint8Array(MESSAGE_BYTES_MAX + 1))).toThrow(/longer than 1196 bytes/);
    expect(() => table.encode(queue, 'cat', new Uint8Array(1))).toThrow(/no channel 'cat'; there is chat, raw/);
    const cyclic: { text: string; self?: unknown } = { text: '' };
    cyclic.self = cyclic;
    expect(() => table.encode(queue, 'chat', cyclic)).toThrow(/circular/i);
    // None of these may have lost the only cell.
    expect(table.encode(queue, 'raw', new Uint8Array(MESSAGE_BYTES_MAX))).toBe(0);
  });
});
