/** What may be said about a message, and what is heard of it: receipts, time to live, keys and ticks, room again. */

import { describe, expect, it } from 'vitest';
import type { Channels } from '../../engine/channel-types.ts';
import { latestState, reliableOrdered, reliableSequenced, tickInput, unreliable } from '../../engine/channels.ts';
import { json } from '../../engine/codec.ts';
import type { ServerOptions } from '../../engine/options.ts';
import { inPair, inSmallWorld, KEY, type Pair, SECOND, SERVER_ADDRESS } from './small-world.ts';

const CHANNELS = {
  chat: reliableOrdered(json<string>()),
  door: latestState(json<string>(), { keysMax: 4 }),
  input: tickInput(json<string>()),
  raw: unreliable(),
  score: reliableSequenced(json<number>()),
} satisfies Channels;
type C = typeof CHANNELS;

/** A pair, and the receipts that each side was given so far. */
interface Told extends Pair<C> {
  readonly fates: [receipt: number, fate: string][];
  readonly clientFates: [receipt: number, fate: string][];
}

const told = (play: (pair: Told) => Promise<void>, server: Partial<ServerOptions<C>> = {}) =>
  inPair(
    CHANNELS,
    (pair) => {
      const fates: Told['fates'] = [];
      const clientFates: Told['fates'] = [];
      pair.server.on('receipt', (_peer, receipt, fate) => void fates.push([receipt, fate]));
      pair.client.on('receipt', (receipt, fate) => void clientFates.push([receipt, fate]));
      return play({ ...pair, fates, clientFates });
    },
    { server },
  );

describe('a receipt', () => {
  it('says that a message was delivered, once, to the side that sent it', () =>
    told(async ({ host, peer, client, fates, clientFates }) => {
      peer.send('chat', 'hello', { receipt: 7 });
      client.send('raw', new Uint8Array(3), { receipt: 2 ** 31 - 1 });
      await host.sleep(SECOND);
      expect(fates).toEqual([[7, 'delivered']]);
      expect(clientFates).toEqual([[2 ** 31 - 1, 'delivered']]);
    }));

  it('says that an unreliable message was lost', () =>
    told(async ({ host, peer, fates, small }) => {
      small.cut(true);
      peer.send('raw', new Uint8Array(3), { receipt: 1 });
      await host.sleep(SECOND / 10);
      small.cut(false);
      for (let n = 0; n < 10; n++) {
        peer.send('raw', new Uint8Array(3));
        await host.sleep(SECOND / 20);
      }
      expect(fates).toEqual([[1, 'lost']]);
    }));

  it('says that a newer value took the place of an older one, by key', () =>
    told(async ({ host, peer, fates }) => {
      peer.send('door', 'open', { key: 1, receipt: 1 });
      peer.send('door', 'shut', { key: 1, receipt: 2 });
      peer.send('door', 'ajar', { key: 2, receipt: 3 });
      peer.send('score', 1, { receipt: 4 });
      peer.send('score', 2, { receipt: 5 });
      await host.sleep(SECOND);
      expect(fates.toSorted()).toEqual([
        [1, 'replaced'],
        [2, 'delivered'],
        [3, 'delivered'],
        [4, 'replaced'],
        [5, 'delivered'],
      ]);
    }));

  it('says that a message ran out of time, which holds up nobody behind it', () =>
    told(async ({ host, peer, client, fates, small }) => {
      const heard: string[] = [];
      client.on('message', (channel, message) => void (channel === 'chat' && heard.push(message)));
      small.cut(true);
      peer.send('chat', 'stale news', { receipt: 1, ttlMicros: 50_000 });
      peer.send('chat', 'lasting', { receipt: 2 });
      await host.sleep(SECOND / 2);
      small.cut(false);
      await host.sleep(2 * SECOND);
      expect(heard).toEqual(['lasting']);
      expect(fates.toSorted()).toEqual([
        [1, 'expired'],
        [2, 'delivered'],
      ]);
    }));

  it('says before the end of a connection that what waited is lost', () =>
    told(async ({ host, server, peer, client, fates, clientFates, small }) => {
      const log: string[] = [];
      server.on('receipt', () => void log.push('receipt'));
      server.on('disconnect', () => void log.push('disconnect'));
      client.on('receipt', () => void log.push('receipt at the client'));
      client.on('disconnect', () => void log.push('disconnect at the client'));
      small.cut(true);
      peer.send('chat', 'anybody?', { receipt: 1 });
      client.send('chat', 'hello?', { receipt: 2 });
      await host.sleep(10 * SECOND);
      expect([fates, clientFates]).toEqual([[[1, 'lost']], [[2, 'lost']]]);
      expect(log.filter((line) => !line.endsWith('client'))).toEqual(['receipt', 'disconnect']);
      expect(log.filter((line) => line.endsWith('client'))).toEqual([
        'receipt at the client',
        'disconnect at the client',
      ]);
    }));
});

describe('sending', () => {
  it('counts ticks on by itself, takes a tick, and refuses one that does not rise', () =>
    told(async ({ host, server, client }) => {
      const heard: [number, string][] = [];
      server.on('message', (_peer, channel, message, tag) => void (channel === 'input' && heard.push([tag, message])));
      client.send('input', 'a');
      client.send('input', 'b');
      client.send('input', 'c', { tick: 100 });
      client.send('input', 'd');
      for (const tick of [100, 101, 7, -1, 1.5, 2 ** 32]) {
        expect(() => client.send('input', 'x', { tick }), `tick ${tick}`).toThrow(RangeError);
      }
      await host.sleep(SECOND);
      expect(heard).toEqual([
        [0, 'a'],
        [1, 'b'],
        [100, 'c'],
        [101, 'd'],
      ]);
    }));

  it('refuses keys, receipts and times that make no sense, and queues nothing then', () =>
    told(async ({ host, peer, client }) => {
      for (const key of [4, -1, 0.5, Number.NaN]) expect(() => peer.send('door', 'x', { key })).toThrow(/from 0 to 3/);
      for (const receipt of [0, -1, 2 ** 31, 1.5])
        expect(() => peer.send('chat', 'x', { receipt })).toThrow(RangeError);
      for (const ttlMicros of [0, -1, Number.NaN])
        expect(() => peer.send('chat', 'x', { ttlMicros })).toThrow(RangeError);
      expect(() => peer.send('input', 'x'.repeat(2000))).toThrow(/longer than 1024 bytes/);
      expect(() => peer.send('raw', 'text' as never)).toThrow(/send a Uint8Array/);
      client.on('message', () => expect.unreachable());
      await host.sleep(SECOND);
      expect(peer.stats().unsettledMessages).toBe(0);
    }));

  it('answers backlog-full when too many messages wait, and says when there is room again', () =>
    told(
      async ({ host, server, peer, client }) => {
        const heard: string[] = [];
        const room: string[] = [];
        client.on('message', (channel, message) => void (channel === 'chat' && heard.push(message)));
        peer.on('writable', (channel) => void room.push(channel));
        expect(['1', '2', '3'].map((word) => peer.send('chat', word))).toEqual(['queued', 'queued', 'backlog-full']);
        expect(server.broadcast('chat', '4')).toBe(1);
        await host.sleep(SECOND);
        expect(room).toEqual(['chat']);
        expect(peer.send('chat', '5')).toBe('queued');
        await host.sleep(SECOND);
        expect(heard).toEqual(['1', '2', '5']);
        expect(room).toEqual(['chat']);
      },
      { backlogMax: 2 },
    ));

  it('answers backlog-full when the memory for messages is full, and says when there is room again', () =>
    told(
      async ({ host, peer }) => {
        const room: string[] = [];
        peer.on('writable', (channel) => void room.push(channel));
        const results = Array.from({ length: 5 }, () => peer.send('raw', new Uint8Array(15_000)));
        expect(results).toEqual(['queued', 'queued', 'queued', 'backlog-full', 'backlog-full']);
        await host.sleep(SECOND);
        expect(room).toEqual(['raw']);
        expect(peer.send('raw', new Uint8Array(15_000))).toBe('queued');
      },
      { sendMemoryBytesMax: 65_536 },
    ));

  it('tells a client of room too', () =>
    inSmallWorld(async ({ server, client, token }) => {
      const grant = { port: 40_000, host: '0.0.0.0', publicAddresses: [SERVER_ADDRESS], privateKey: KEY };
      await server.listen({ ...grant, freshKey: true, protocolId: 7, channels: CHANNELS });
      const player = await client().connect({ token: await token(), channels: CHANNELS, backlogBytesMax: 100 });
      const room: string[] = [];
      player.on('writable', (channel) => void room.push(channel));
      const results = [player.send('chat', 'a'.repeat(90)), player.send('chat', 'b'.repeat(90))];
      expect(results).toEqual(['queued', 'backlog-full']);
      await server.sleep(SECOND);
      expect(room).toEqual(['chat']);
    }));
});

describe('a connection', () => {
  it('tells how it fares, in an object that may be used again', () =>
    told(async ({ host, peer, client }) => {
      for (let n = 0; n < 100; n++) {
        peer.send('chat', `word ${n}`);
        client.send('chat', `word ${n}`);
        await host.sleep(20_000);
      }
      await host.sleep(SECOND);
      const stats = peer.stats();
      expect(stats).toMatchObject({ rttIsMeasured: true, lossShare: 0, waitingMessages: 0, clockIsKnown: true });
      expect(stats.rttMicros).toBeGreaterThan(20_000);
      expect(stats.rttMicros).toBeLessThan(60_000);
      expect(stats.packetsSent).toBeGreaterThan(90);
      expect(stats.bytesReceived).toBeGreaterThan(1000);
      expect(stats.channelNames).toEqual(['chat', 'door', 'input', 'raw', 'score']);
      expect(stats.packetsIn).toBeGreaterThan(stats.packetsReceived); // keep-alives have numbers too
      expect([stats.latePackets, stats.latePacketsIn]).toEqual([0, 0]);
      expect(stats.lossShareIn).toBeLessThan(0.02); // numbers left out on purpose
      const before = stats.packetsSent;
      peer.send('chat', 'one more');
      expect(peer.stats(stats).channelWaitingMessages[0]).toBe(1);
      await host.sleep(SECOND);
      expect(peer.stats(stats)).toBe(stats);
      expect(stats.packetsSent).toBeGreaterThan(before);
      expect(peer.budgetBytes).toBeGreaterThan(0);
      expect(client.budgetBytes).toBeGreaterThan(0);
    }));

  it('knows what the other clock shows, within what it says', () =>
    told(async ({ host, peer, client, small }) => {
      for (let n = 0; n < 300; n++) {
        peer.send('chat', 'tick');
        client.send('chat', 'tock');
        await host.sleep(20_000);
      }
      const offset =
        small.world.hostNamed('client-0')!.sys.clock.now() - small.world.hostNamed('server')!.sys.clock.now();
      expect(Math.abs(peer.clockOffsetMicros - offset)).toBeLessThan(peer.clockErrorMicros);
      expect(Math.abs(client.clockOffsetMicros + offset)).toBeLessThan(client.clockErrorMicros);
      expect(peer.clockErrorMicros).toBeLessThan(40_000);
      await client.close();
      await host.sleep(SECOND);
      expect([peer.clockOffsetMicros, client.clockOffsetMicros, peer.budgetBytes]).toEqual([Number.NaN, Number.NaN, 0]);
    }));

  it('goes on when the client is at another address, and says so', () =>
    told(async ({ small, host, server, peer, client }) => {
      const moves: string[] = [];
      server.on('path', (moved) => void moves.push(moved.address));
      const before = peer.address;
      small.world.rebind(small.world.hostNamed('client-0')!, { port: 5555 });
      const heard: string[] = [];
      server.on('message', (_peer, channel, message) => void (channel === 'chat' && heard.push(message)));
      client.send('chat', 'I moved');
      await host.sleep(2 * SECOND);
      expect(heard).toEqual(['I moved']);
      expect(moves).toEqual([before.replace(/:\d+$/, ':5555')]);
      expect(peer.address).toBe(moves[0]);
      expect(server.peers).toEqual([peer]);
    }));

  it('is closed when the two sides have different channels, and says so', () =>
    inSmallWorld(async ({ server, client, token }) => {
      const grant = { port: 40_000, host: '0.0.0.0', publicAddresses: [SERVER_ADDRESS], privateKey: KEY };
      await server.listen({ ...grant, freshKey: true, protocolId: 7, channels: CHANNELS });
      const player = await client().connect({ token: await token(), channels: { chat: unreliable() } });
      const reason = await new Promise((resolve) => player.once('disconnect', resolve));
      expect(reason).toMatchObject({ code: 'protocol', text: expect.stringMatching(/channels differ/) });
    }));
});
