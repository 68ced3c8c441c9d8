/** The end of connections once all has arrived, packets that leave between ticks, and how long either takes. */

import { describe, expect, it } from 'vitest';
import type { Channels } from '../../engine/channel-types.ts';
import { reliableOrdered, unreliable } from '../../engine/channels.ts';
import { json } from '../../engine/codec.ts';
import { inPair, type Pair, type PairOptions, SECOND } from './small-world.ts';

const CHANNELS = {
  chat: reliableOrdered(json<string>()),
  map: reliableOrdered({ bulk: true }),
  state: unreliable(),
} satisfies Channels;
type C = typeof CHANNELS;

const play = (test: (pair: Pair<C>) => Promise<void>, options?: PairOptions<C>) => inPair(CHANNELS, test, options);
const LOSSY = { link: { loss: 0.2 } };
const WORDS = Array.from({ length: 200 }, (_, n) => `word ${n}`);

describe('closing with drain', () => {
  it('lets everything arrive that the client sent, however lossy the link', () =>
    play(async ({ host, server, client }) => {
      const log: unknown[] = [];
      server.on('message', (_peer, channel, message) => void (channel === 'chat' && log.push(message)));
      server.on('disconnect', (_peer, reason) => void log.push(reason));
      client.on('disconnect', (reason) => void log.push(reason));
      for (const word of WORDS) client.send('chat', word);
      const closed = client.close({ text: 'good night', drain: true, drainMicros: 5 * SECOND });
      expect([client.state, client.send('chat', 'late')]).toEqual(['closing', 'not-connected']);
      await closed;
      await host.sleep(SECOND);
      expect(log.slice(0, WORDS.length)).toEqual(WORDS);
      const reason = { code: 'closed', text: 'good night' };
      expect(log.slice(WORDS.length)).toEqual(
        expect.arrayContaining([
          { ...reason, side: 'local' },
          { ...reason, side: 'remote' },
        ]),
      );
      expect(log).toHaveLength(WORDS.length + 2);
      expect(client.state).toBe('closed');
    }, LOSSY));

  it('lets everything arrive that the server sent, and then closes it; without drain it does not', async () => {
    for (const drain of [true, false]) {
      await play(async ({ host, server, client }) => {
        const heard: string[] = [];
        client.on('message', (channel, message) => void (channel === 'chat' && heard.push(message)));
        const end = new Promise((resolve) => client.once('disconnect', resolve));
        for (const word of WORDS) server.broadcast('chat', word);
        await server.close({ text: 'maintenance', drain, drainMicros: 5 * SECOND });
        expect(await end).toMatchObject({ side: 'remote' }); // the packet with the text may be the one that is lost
        await host.sleep(SECOND);
        if (drain) expect(heard).toEqual(WORDS);
        else expect(heard.length).toBeLessThan(WORDS.length);
      }, LOSSY);
    }
  });

  it('lets a peer go once it has everything, while the game goes on', () =>
    play(async ({ host, server, peer, client }) => {
      const heard: string[] = [];
      let ticks = 0;
      server.on('tick', () => {
        ticks++;
        server.broadcast('chat', 'not for those who leave');
      });
      client.on('message', (channel, message) => void (channel === 'chat' && heard.push(message)));
      const end = new Promise((resolve) => client.once('disconnect', resolve));
      for (const word of WORDS) peer.send('chat', word);
      peer.close({ text: 'the match is over', drain: true, drainMicros: 5 * SECOND });
      expect(peer.send('chat', 'late')).toBe('not-connected');
      expect(await end).toEqual({ code: 'closed', side: 'remote', text: 'the match is over' });
      expect(heard).toEqual(WORDS);
      expect(ticks).toBeGreaterThan(0);
      await host.sleep(SECOND);
      expect(server.peers).toEqual([]);
    }, LOSSY));

  it('does not wait longer than it says', () =>
    play(async ({ small, host, client }) => {
      small.cut(true);
      client.send('chat', 'into the void');
      const start = host.now();
      await client.close({ drain: true, drainMicros: SECOND / 2 });
      expect(host.now() - start).toBeGreaterThanOrEqual(SECOND / 2);
      expect(host.now() - start).toBeLessThan(SECOND);
    }));

  it('takes a round trip when all has arrived already, and nothing more', () =>
    play(async ({ host, server }) => {
      const start = host.now();
      await server.close({ drain: true });
      expect(host.now() - start).toBeLessThan(60_000);
    }));

  it('refuses a time that makes no sense', () =>
    play(async ({ peer }) => {
      expect(() => peer.close({ drain: true, drainMicros: -1 })).toThrow(/'drainMicros'/);
      expect(peer.connected).toBe(true);
    }));
});

describe('a server that wakes by ticks', () => {
  const SLOW = { server: { tickRateHz: 2 } };

  it('sends between ticks when it is told to flush', () =>
    play(async ({ host, server, peer, client }) => {
      let heardAt = 0;
      client.on('message', () => {
        heardAt = host.now();
      });
      await new Promise((resolve) => server.once('tick', resolve));
      await host.sleep(100_000);
      const start = host.now();
      peer.send('state', new Uint8Array(1));
      server.flush();
      await host.sleep(SECOND / 4);
      expect(heardAt - start).toBeGreaterThan(0);
      expect(heardAt - start).toBeLessThan(11_000); // one way, at once
    }, SLOW));

  it('otherwise waits for the next tick', () =>
    play(async ({ host, server, peer, client }) => {
      let heardAt = 0;
      client.on('message', () => {
        heardAt = host.now();
      });
      await new Promise((resolve) => server.once('tick', resolve));
      await host.sleep(100_000);
      const start = host.now();
      peer.send('state', new Uint8Array(1));
      await host.sleep(SECOND);
      expect(heardAt - start).toBeGreaterThan(390_000);
    }, SLOW));

  it('moves a large transfer on as acks come, not as ticks do, and rests again afterwards', () =>
    play(async ({ small, host, server, peer, client }) => {
      let arrivedAt = 0;
      client.on('message', (channel) => {
        if (channel === 'map') arrivedAt = host.now();
      });
      const start = host.now();
      peer.send('map', new Uint8Array(1_000_000));
      await host.sleep(20 * SECOND);
      // Two ticks a second would carry a window of packets each: minutes.
      expect((arrivedAt - start) / SECOND).toBeLessThan(5);
      expect(arrivedAt).toBeGreaterThan(0);
      const machine = small.world.hostNamed('server')!;
      const before = machine.turns;
      await host.sleep(10 * SECOND);
      expect(machine.turns - before).toBeLessThan(60);
      expect(server.peers).toHaveLength(1);
    }, SLOW));
});
