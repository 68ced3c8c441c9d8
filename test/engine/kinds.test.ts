/** Each delivery kind end to end: a server, a client, and a link that loses one packet in twenty and lets others overtake. */

import { describe, expect, it } from 'vitest';
import type { Channels } from '../../engine/channel-types.ts';
import {
  latestState,
  reliableOrdered,
  reliableSequenced,
  reliableUnordered,
  tickInput,
  unreliable,
  unreliableSequenced,
} from '../../engine/channels.ts';
import { type Codec, json } from '../../engine/codec.ts';
import { inPair, type Pair, SECOND } from './small-world.ts';

const number: Codec<number> = { encode: (value, writer) => void writer.u32(value), decode: (reader) => reader.u32() };

const CHANNELS = {
  effect: unreliable(number),
  aim: unreliableSequenced(number),
  chat: reliableOrdered(json<string>()),
  hit: reliableUnordered(number),
  score: reliableSequenced(number),
  door: latestState(json<number>(), { keysMax: 16 }),
  input: tickInput(number),
  map: reliableOrdered({ bulk: true, messageBytesMax: 1 << 21 }),
} satisfies Channels;
type C = typeof CHANNELS;

const LOSSY = { loss: 0.05, jitterMicros: 8_000 };
const CALMER = { loss: 0.05, jitterMicros: 2_000 };
const COUNT = 600;

const inLossyPair = (play: (pair: Pair<C>) => Promise<void>, link = LOSSY) =>
  inPair(CHANNELS, play, { link, client: { tickRateHz: 60 } });

/** What the client hears on one channel while the server says 0 .. COUNT - 1, one every 10 ms. */
async function hear<K extends 'effect' | 'aim' | 'hit' | 'score'>({ host, peer, client }: Pair<C>, channel: K) {
  const heard: number[] = [];
  client.on('message', (from, message) => void (from === channel && heard.push(message as number)));
  for (let n = 0; n < COUNT; n++) {
    expect(peer.send(channel, n as never)).toBe('queued');
    await host.sleep(10_000);
  }
  await host.sleep(2 * SECOND);
  return heard;
}

const rises = (numbers: readonly number[]) => numbers.every((value, i) => i === 0 || value > numbers[i - 1]!);

describe('over a lossy link', () => {
  it('unreliable messages are lost now and then and overtake each other, and none comes twice', () =>
    inLossyPair(async (pair) => {
      const heard = await hear(pair, 'effect');
      expect(heard.length).toBeGreaterThan(COUNT * 0.9);
      expect(heard.length).toBeLessThan(COUNT);
      expect(new Set(heard).size).toBe(heard.length);
    }));

  it('unreliable sequenced messages never go back', () =>
    inLossyPair(async (pair) => {
      const heard = await hear(pair, 'aim');
      expect(heard.length).toBeGreaterThan(COUNT * 0.8);
      expect(heard.length).toBeLessThan(COUNT);
      expect(rises(heard)).toBe(true);
    }));

  it('reliable ordered messages all come, once and in order, both ways at once', () =>
    inLossyPair(async ({ host, server, peer, client }) => {
      const [here, there]: string[][] = [[], []];
      server.on('message', (_peer, channel, message) => void (channel === 'chat' && here!.push(message)));
      client.on('message', (channel, message) => void (channel === 'chat' && there!.push(message)));
      const words = Array.from({ length: COUNT }, (_, n) => `word ${n}`);
      for (const word of words) {
        expect([peer.send('chat', word), client.send('chat', word)]).toEqual(['queued', 'queued']);
        await host.sleep(5_000);
      }
      await host.sleep(2 * SECOND);
      expect(here).toEqual(words);
      expect(there).toEqual(words);
    }));

  it('reliable unordered messages all come, once', () =>
    inLossyPair(async (pair) => {
      const heard = await hear(pair, 'hit');
      expect(heard.toSorted((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, n) => n));
    }));

  it('of reliable sequenced messages the newest comes for certain, and they never go back', () =>
    inLossyPair(async (pair) => {
      const heard = await hear(pair, 'score');
      expect(rises(heard)).toBe(true);
      expect(heard.at(-1)).toBe(COUNT - 1);
    }));

  it('of each key of latest state the newest value comes for certain, with its key as the tag', () =>
    inLossyPair(async ({ host, server, client }) => {
      const doors = new Map<number, number[]>();
      client.on('message', (channel, message, tag) => {
        if (channel === 'door') doors.set(tag, [...(doors.get(tag) ?? []), message]);
      });
      for (let n = 0; n < COUNT; n++) {
        server.broadcast('door', n, { key: n % 10 });
        await host.sleep(7_000);
      }
      await host.sleep(2 * SECOND);
      expect([...doors.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      for (const [key, values] of doors) {
        expect(rises(values)).toBe(true);
        expect(values.at(-1)).toBe(COUNT - 10 + key);
      }
    }));

  it('inputs of all ticks come once, in rising order, though packets are lost', () =>
    inLossyPair(async ({ host, server, client }) => {
      const heard: number[] = [];
      server.on('message', (_peer, channel, message, tick) => {
        if (channel !== 'input') return;
        expect(message).toBe(tick * 3);
        heard.push(tick);
      });
      let next = 0;
      client.on('tick', () => void client.send('input', next++ * 3));
      await host.sleep(10 * SECOND);
      expect(rises(heard)).toBe(true);
      // One in twenty packets is lost, four inputs ride in each.
      expect(heard.length).toBeGreaterThan(next - 15);
    }));

  it('a message of two megabytes comes whole, and does not hold up what is small', () =>
    inLossyPair(async ({ host, peer, client }) => {
      const map = Uint8Array.from({ length: 2_000_000 }, (_, i) => (i * 7) ^ (i >> 8));
      let arrived: Uint8Array | undefined;
      const delays: number[] = [];
      client.on('message', (channel, message) => {
        if (channel === 'map') arrived = message.copy();
        else if (channel === 'effect') delays.push(host.now() - message * 1000);
      });
      peer.send('map', map);
      for (let i = 0; i < 2000 && arrived === undefined; i++) {
        peer.send('effect', Math.floor(host.now() / 1000));
        await host.sleep(10_000);
      }
      expect(Buffer.compare(arrived!, map)).toBe(0);
      // One way 10 ms and up to 2 of jitter, up to a tick of waiting, and no queue.
      expect(Math.max(...delays)).toBeLessThan(35_000);
    }, CALMER));
});
