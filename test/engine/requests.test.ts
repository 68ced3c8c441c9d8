/** Questions and answers, and every way in which there is none. */

import { describe, expect, it } from 'vitest';
import type { Channels } from '../../engine/channel-types.ts';
import { reliableOrdered, reliableUnordered } from '../../engine/channels.ts';
import { bytes, type Codec, json, type Message } from '../../engine/codec.ts';
import { RequestError } from '../../engine/errors.ts';
import { requests } from '../../engine/request-channel.ts';
import { inPair, type Pair, type PairOptions, SECOND } from './small-world.ts';

const picky: Codec<number> = {
  encode: (value, writer) => void writer.u32(value),
  decode: (reader) => {
    const value = reader.u32();
    if (value === 13) reader.ok = false;
    return value;
  },
};

const CHANNELS = {
  chat: reliableOrdered(json<string>()),
  few: requests(json<number>(), json<number>(), { openMax: 2 }),
  double: requests(picky, picky),
  raw: requests(bytes(), bytes(), { messageBytesMax: 100 }),
  trade: requests(json<{ gold: number }>(), json<string>()),
} satisfies Channels;
type C = typeof CHANNELS;

const play = (test: (pair: Pair<C>) => Promise<void>, options?: PairOptions<C>) => inPair(CHANNELS, test, options);
/** Code and text of the failure of a request. */
const failure = (request: Promise<unknown>) =>
  request.then(
    () => expect.unreachable(),
    (error: RequestError) => {
      expect(error).toBeInstanceOf(RequestError);
      return [error.code, error.message];
    },
  );

describe('a request', () => {
  it('is answered, at once or later, by the server and by the client', () =>
    play(async ({ host, server, peer, client }) => {
      server.respond('trade', (from, offer) => `${from.clientId} sold for ${offer.gold}`);
      server.respond('double', async (_from, value) => {
        await host.sleep(SECOND);
        return value * 2;
      });
      client.respond('raw', (question) => question.toReversed());
      expect(await client.request('trade', { gold: 5 })).toBe('1 sold for 5');
      expect(await client.request('double', 21)).toBe(42);
      expect(await peer.request('raw', new Uint8Array([1, 2, 3]))).toEqual(new Uint8Array([3, 2, 1]));
    }));

  it('is answered once over a lossy link, each with its own answer', () =>
    play(
      async ({ server, client }) => {
        const asked: number[] = [];
        server.respond('double', (_from, value) => {
          asked.push(value);
          return value * 2;
        });
        const values = Array.from({ length: 50 }, (_, n) => 100 + n);
        expect(await Promise.all(values.map((value) => client.request('double', value)))).toEqual(
          values.map((value) => value * 2),
        );
        expect(asked.toSorted((a, b) => a - b)).toEqual(values);
      },
      { link: { loss: 0.1, jitterMicros: 5000 } },
    ));

  it('runs out of time, exactly when it says, and a late answer is counted', () =>
    play(async ({ host, server, client }) => {
      server.respond('trade', async () => {
        await host.sleep(SECOND);
        return 'too late';
      });
      const start = host.now();
      expect(await failure(client.request('trade', { gold: 1 }, { timeoutMicros: 300_000 }))).toEqual([
        'timeout',
        'no answer came in time',
      ]);
      expect(host.now() - start).toBeGreaterThanOrEqual(300_000);
      expect(host.now() - start).toBeLessThan(310_000);
      await host.sleep(2 * SECOND);
      expect(client.drops.answersUnasked).toBe(1);
    }));

  it('fails when the connection ends, on both sides, and after it', () =>
    play(async ({ host, server, peer, client }) => {
      server.respond('trade', () => new Promise(() => {}));
      client.respond('double', () => new Promise(() => {}));
      const ends = [failure(client.request('trade', { gold: 1 })), failure(peer.request('double', 1))];
      await host.sleep(SECOND);
      peer.kick('out');
      expect(await Promise.all(ends)).toEqual([
        ['disconnected', 'kicked: out'],
        ['disconnected', 'kicked: out'],
      ]);
      await host.sleep(SECOND);
      expect((await failure(client.request('trade', { gold: 1 })))[0]).toBe('disconnected');
      expect((await failure(peer.request('double', 1)))[0]).toBe('disconnected');
    }));

  it('is not answered to the next client when the one that asked has gone', () =>
    play(async ({ small, host, server, client }) => {
      let answer = (_text: string): void => {};
      server.respond('trade', () => new Promise((resolve) => (answer = resolve)));
      const first = failure(client.request('trade', { gold: 1 }));
      await host.sleep(SECOND);
      await client.close();
      await first;
      await host.sleep(SECOND);
      const next = await small.client().connect({ token: await small.token(), channels: CHANNELS });
      answer('for the first');
      await host.sleep(SECOND);
      expect(next.index).toBe(client.index);
      expect(next.drops.answersUnasked).toBe(0);
    }));

  it('is refused when nobody responds, when it cannot be read, and when the responder throws: with its text, no more', () =>
    play(async ({ server, client }) => {
      const errors: unknown[] = [];
      server.on('error', (error) => void errors.push(error));
      expect(await failure(client.request('trade', { gold: 1 }))).toEqual(['refused', "nobody responds on 'trade'"]);
      server.respond('trade', (_peer, { gold }) => {
        if (gold === 0) throw new RequestError('refused', 'not enough gold');
        throw new Error('the shop burned down');
      });
      server.respond('double', (_peer, value) => value);
      server.respond('few', () => Promise.reject(new Error('later, too')));
      expect(await failure(client.request('trade', { gold: 0 }))).toEqual(['refused', 'not enough gold']);
      expect(errors).toEqual([]);
      expect(await failure(client.request('trade', { gold: 1 }))).toEqual(['refused', 'the shop burned down']);
      expect(await failure(client.request('few', 1))).toEqual(['refused', 'later, too']);
      expect(errors).toHaveLength(2);
      expect(await failure(client.request('double', 13))).toEqual(['refused', 'the question could not be read']);
      expect(server.drops.undecodable).toBe(1);
    }));

  it('is refused when the answer cannot be read or is too long', () =>
    play(async ({ server, client, peer }) => {
      const errors: unknown[] = [];
      server.on('error', (error) => void errors.push(error));
      server.respond('double', () => 13);
      server.respond('raw', () => new Uint8Array(200));
      expect(await failure(client.request('double', 1))).toEqual(['refused', 'the answer could not be read']);
      expect((await failure(client.request('raw', new Uint8Array(1))))[1]).toMatch(/longer than 100 bytes|^a message/);
      expect(errors).toHaveLength(1);
      await expect(client.request('raw', new Uint8Array(96))).rejects.toThrow(RangeError);
      await expect(client.request('trade', { gold: 1 }, { timeoutMicros: 0 })).rejects.toThrow(RangeError);
      expect(peer.connected).toBe(true);
    }));

  it('is bounded: open questions here, and questions that are being answered there', () =>
    play(async ({ host, server, peer, client }) => {
      server.respond('few', () => new Promise(() => {}));
      client.respond('few', (value) => value);
      const open = [1, 2].map((value) => failure(client.request('few', value)));
      expect(await failure(client.request('few', 3))).toEqual(['backlog-full', "2 questions are open on 'few'"]);
      expect(await peer.request('few', 4)).toBe(4);
      await host.sleep(10 * SECOND);
      expect((await Promise.all(open)).map(([code]) => code)).toEqual(['timeout', 'timeout']);
      // Ours are over, but theirs are still being worked on.
      expect((await failure(client.request('few', 5)))[1]).toBe('2 questions are being answered already');
    }));

  it('drops and counts what is no question and no answer, from a client that writes its bytes itself', () =>
    play(async ({ small, host, server, peer, client: honest }) => {
      honest.respond('double', async (value) => {
        await host.sleep(SECOND);
        return value * 2;
      });
      const asked = peer.request('double', 21); // number 1
      const forged = {
        chat: CHANNELS.chat,
        few: reliableUnordered(),
        double: reliableUnordered(),
        raw: reliableUnordered({ messageBytesMax: 100 }),
        trade: reliableUnordered(),
      };
      const client = await small.client().connect({ token: await small.token(), channels: forged });
      server.respond('double', (_peer, value) => value);
      const answers: number[][] = [];
      client.on('message', (_channel, message) => void answers.push([...(message as Message).copy()]));
      for (const bad of [[], [0], [0, 1, 2, 3], [3, 1, 0, 0, 0], [255, 1, 0, 0, 0, 7]]) {
        client.send('double', Uint8Array.from(bad));
      }
      for (const unasked of [
        [1, 1, 0, 0, 0, 7],
        [2, 9, 0, 0, 0],
      ])
        client.send('double', Uint8Array.from(unasked));
      client.send('double', Uint8Array.of(0, 5, 0, 0, 0, 1)); // a question cut off
      await host.sleep(SECOND);
      expect(server.drops).toMatchObject({ undecodable: 6, answersUnasked: 2, malformedPayloads: 0 });
      expect(answers).toHaveLength(1);
      expect(answers[0]!.slice(0, 5)).toEqual([2, 5, 0, 0, 0]);
      expect(client.state).toBe('connected');
      expect(await asked).toBe(42); // and not 7, by another client's answer
    }));

  it('does not mix with messages', () =>
    play(async ({ client }) => {
      expect(() => client.send('trade' as never, {} as never)).toThrow(/carries requests/);
      await expect(client.request('chat' as never, {} as never)).rejects.toThrow(/carries messages/);
      await expect(client.request('nothing' as never, {} as never)).rejects.toThrow(/there is no channel/);
    }));
});
