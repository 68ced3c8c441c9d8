import { describe, expect, expectTypeOf, it } from 'vitest';
import { ChannelTable } from '../../engine/channel-table.ts';
import type { Channels, Incoming, Outgoing } from '../../engine/channel-types.ts';
import { reliableOrdered, tickInput, unreliable } from '../../engine/channels.ts';
import { type Codec, json, type Message } from '../../engine/codec.ts';
import { BlockPool } from '../../transport/block-pool.ts';

const CHANNELS = { chat: unreliable(json<{ text: string }>()), raw: unreliable() } satisfies Channels;
const pool = () => new BlockPool(1 << 24);
const noEnvelope = () => expect.unreachable();

/** Encodes on one table, delivers on the other. */
function carry(
  from: ChannelTable,
  to: ChannelTable,
  channel: string,
  message: unknown,
  seen: (channel: string, message: unknown, tag: number | undefined) => void,
  tag = 0,
) {
  const blocks = pool();
  const id = from.idOf(channel);
  const block = from.encode(blocks, id, message);
  const receiver = { receiveMessage: seen, receiveEnvelope: noEnvelope };
  to.deliver(receiver, id, blocks.bytesOf(block), blocks.offsetOf(block), from.encodedBytes, tag);
  blocks.release(block);
  expect(blocks.held).toBe(0);
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
    expect(other.set.hash).toBe(new ChannelTable(CHANNELS, false).set.hash);
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

  it('give the tick of tick input, and nothing where there is no tag', () => {
    const table = new ChannelTable({ input: tickInput(), raw: unreliable() }, false);
    const tags: unknown[] = [];
    carry(table, table, 'input', new Uint8Array([1]), (_, _message, tag) => tags.push(tag), 77);
    carry(table, table, 'raw', new Uint8Array([1]), (_, _message, tag) => tags.push(tag), 0);
    expect(tags).toEqual([77, undefined]);
  });

  it('drop and count what cannot be decoded', () => {
    const plain = new ChannelTable({ chat: unreliable() }, false);
    const table = new ChannelTable({ chat: CHANNELS.chat }, false);
    const never = () => expect.unreachable();
    carry(plain, table, 'chat', new Uint8Array([9, 0, 1]), never); // text cut off
    carry(plain, table, 'chat', new Uint8Array([1, 0, 0x7b]), never); // not JSON
    expect(table.undecodable).toBe(2);
  });

  it('encode large messages whole, and keep no memory of them', () => {
    const blob: Codec<number> = {
      encode: (length, writer) => {
        for (let i = 0; i < length; i++) writer.u8(i);
      },
      decode: (reader) => reader.remaining,
    };
    const table = new ChannelTable({ blob: reliableOrdered(blob) }, false);
    const seen: unknown[] = [];
    for (const length of [0, 5, 4096, 4097, 70_000, 1 << 20, 3]) {
      carry(table, table, 'blob', length, (_, message) => seen.push(message));
    }
    expect(seen).toEqual([0, 5, 4096, 4097, 70_000, 1 << 20, 3]);
  });

  it('refuse a message that is too long or a channel that is not there, with what to do', () => {
    const table = new ChannelTable({ ...CHANNELS, raw: unreliable({ messageBytesMax: 100 }) }, false);
    const blocks = pool();
    expect(() => table.encode(blocks, table.idOf('raw'), new Uint8Array(101))).toThrow(
      /longer than 100 bytes: send less/,
    );
    expect(() => table.idOf('cat')).toThrow(/no channel 'cat'; there is chat, raw/);
    const cyclic: { text: string; self?: unknown } = { text: '' };
    cyclic.self = cyclic;
    expect(() => table.encode(blocks, table.idOf('chat'), cyclic)).toThrow(/circular/i);
    expect(() => table.encode(blocks, table.idOf('chat'), { text: 'x'.repeat(70_000) })).toThrow(
      /longer than 65536 bytes/,
    );
    expect(() => table.encode(blocks, table.idOf('raw'), 'text')).toThrow(/send a Uint8Array/);
    expect(blocks.held).toBe(0);
    expect(table.encode(blocks, table.idOf('raw'), new Uint8Array(100))).toBeGreaterThanOrEqual(0);
  });

  it('answer -1 when memory is full', () => {
    const table = new ChannelTable(CHANNELS, false);
    expect(table.encode(new BlockPool(0), table.idOf('raw'), new Uint8Array(3))).toBe(-1);
  });
});
