/** Connections that outlive a cut link: the client gives up, comes back with a fresh token, and nothing reliable is lost or told twice. */

import { describe, expect, it } from 'vitest';
import type { Channels } from '../../engine/channel-types.ts';
import { latestState, reliableOrdered, unreliable } from '../../engine/channels.ts';
import type { Client } from '../../engine/client.ts';
import { json } from '../../engine/codec.ts';
import type { ClientOptions, ServerOptions } from '../../engine/options.ts';
import { requests } from '../../engine/request-channel.ts';
import type { Server } from '../../engine/server.ts';
import { inSmallWorld, KEY, SECOND, SERVER_ADDRESS, type SmallWorld } from './small-world.ts';

const CHANNELS = {
  log: reliableOrdered(json<number>()),
  files: reliableOrdered(),
  where: latestState(),
  ask: requests(json<number>(), json<number>()),
  noise: unreliable(json<number>()),
} satisfies Channels;
type C = typeof CHANNELS;

const MESSAGES = 500;
const CLIENT_SECONDS = 2;
const SERVER_SECONDS = 20;

const serving = (more: Partial<ServerOptions<C>> = {}): ServerOptions<C> => ({
  port: 40_000,
  host: '0.0.0.0',
  publicAddresses: [SERVER_ADDRESS],
  privateKey: KEY,
  freshKey: true,
  protocolId: 7,
  channels: CHANNELS,
  resume: true,
  ...more,
});

/** Tokens of one player whose client gives up long before the server does. */
const tokensOf =
  ({ server }: SmallWorld, clientId = 5n) =>
  () =>
    server.mintToken({
      privateKey: KEY,
      clientId,
      addresses: [SERVER_ADDRESS],
      protocolId: 7,
      timeoutSeconds: SERVER_SECONDS,
      clientTimeoutSeconds: CLIENT_SECONDS,
    });

const joining = (small: SmallWorld, more: Partial<ClientOptions<C>> = {}): ClientOptions<C> => ({
  token: tokensOf(small),
  channels: CHANNELS,
  reconnect: { resume: true },
  ...more,
});

/** What each side has received on `log`, and what the game was told. */
function listen(server: Server<C>, player: Client<C>) {
  const heard = { server: [] as number[], player: [] as number[], events: [] as string[] };
  server.on('message', (_peer, channel, message) => void (channel === 'log' && heard.server.push(message)));
  server.on('connect', () => void heard.events.push('connect'));
  server.on('disconnect', (_peer, { code }) => void heard.events.push(`disconnect ${code}`));
  player.on('message', (channel, message) => void (channel === 'log' && heard.player.push(message)));
  player.on('reconnect', () => void heard.events.push('reconnect'));
  player.on('disconnect', ({ code }) => void heard.events.push(`end ${code}`));
  return heard;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const until = async ({ server }: SmallWorld, done: () => boolean): Promise<void> => {
  while (!done()) await server.sleep(10_000);
};

describe('resuming', () => {
  for (const loss of [0, 0.1]) {
    it(`brings 500 ordered messages each way across a cut exactly once and in order (loss ${loss})`, () =>
      inSmallWorld(
        async (small) => {
          const { server: host, client, cut } = small;
          const server = await host.listen(serving());
          const player = await client().connect(joining(small));
          const heard = listen(server, player);
          const [peer] = server.peers;
          for (let i = 0; i < MESSAGES; i++) {
            if (i === 100) cut(true);
            expect(player.send('log', i)).toBe('queued');
            expect(peer!.send('log', i)).toBe('queued');
            if (i % 5 === 0) await host.sleep(4000);
          }
          const large = new Uint8Array(100_000).fill(9);
          const files: number[] = [];
          player.on('message', (channel, message) => void (channel === 'files' && files.push(message.length)));
          peer!.send('files', large);
          await until(small, () => player.state === 'reconnecting');
          expect(heard.server.length).toBeLessThan(MESSAGES);
          await host.sleep(SECOND);
          cut(false);
          await until(small, () => heard.events.includes('reconnect') && files.length > 0);
          await host.sleep(2 * SECOND);
          expect(heard).toEqual({ server: upTo(MESSAGES), player: upTo(MESSAGES), events: ['reconnect'] });
          expect(files).toEqual([100_000]);
          expect(server.peers).toEqual([peer]);
          player.send('log', MESSAGES);
          peer!.send('log', MESSAGES);
          await host.sleep(SECOND);
          expect([heard.server.length, heard.player.length]).toEqual([MESSAGES + 1, MESSAGES + 1]);
        },
        { loss },
      ));
  }

  it('goes on with questions that were on their way, and with receipts', () =>
    inSmallWorld(async (small) => {
      const { server: host, client, cut } = small;
      const server = await host.listen(serving());
      server.respond('ask', (_peer, question) => question * 2);
      const player = await client().connect(joining(small));
      const receipts: string[] = [];
      player.on('receipt', (receipt, fate) => void receipts.push(`${receipt} ${fate}`));
      await host.sleep(SECOND);
      cut(true);
      const answer = player.request('ask', 21, { timeoutMicros: 30 * SECOND });
      player.send('log', 1, { receipt: 7 });
      await until(small, () => player.state === 'reconnecting');
      expect(receipts).toEqual([]);
      cut(false);
      expect(await answer).toBe(42);
      await host.sleep(SECOND);
      expect(receipts).toEqual(['7 delivered']);
    }));

  it('happens again and again', () =>
    inSmallWorld(async (small) => {
      const { server: host, client, cut } = small;
      const server = await host.listen(serving());
      const player = await client().connect(joining(small));
      const heard = listen(server, player);
      const [peer] = server.peers;
      let sent = 0;
      for (let round = 0; round < 4; round++) {
        cut(true);
        for (let i = 0; i < 20; i++, sent++) {
          player.send('log', sent);
          peer!.send('log', sent);
        }
        await until(small, () => player.state === 'reconnecting');
        cut(false);
        await until(small, () => player.state === 'connected');
      }
      await host.sleep(SECOND);
      expect(heard).toEqual({ server: upTo(sent), player: upTo(sent), events: Array(4).fill('reconnect') });
    }));

  it('begins anew when the server has given the connection up: receipts of the old one say lost', () =>
    inSmallWorld(async (small) => {
      const { server: host, client, cut } = small;
      const server = await host.listen(serving());
      const player = await client().connect(joining(small, { reconnect: { resume: true, attemptsMax: 100 } }));
      const heard = listen(server, player);
      player.on('receipt', (receipt, fate) => void heard.events.push(`${receipt} ${fate}`));
      server.on('connect', (peer) => void peer.send('log', 1000));
      await host.sleep(SECOND);
      cut(true);
      player.send('log', 1, { receipt: 7 });
      const question = player
        .request('ask', 21, { timeoutMicros: 100 * SECOND })
        .catch((error: Error) => error.message);
      await until(small, () => server.peers.length === 0);
      cut(false);
      await until(small, () => heard.events.includes('reconnect'));
      player.send('log', 2);
      await host.sleep(SECOND);
      expect(heard.events).toEqual(['disconnect timeout', 'connect', '7 lost', 'reconnect']);
      expect([heard.server, heard.player]).toEqual([[2], [1000]]);
      expect(await question).toMatch(/timeout/);
    }));

  it('gives what it kept up with the last attempt: receipts say lost before the end', () =>
    inSmallWorld(async (small) => {
      const { server: host, client, cut } = small;
      const server = await host.listen(serving());
      const player = await client().connect(joining(small, { reconnect: { resume: true, attemptsMax: 2 } }));
      const heard = listen(server, player);
      player.on('receipt', (receipt, fate) => void heard.events.push(`${receipt} ${fate}`));
      await host.sleep(SECOND);
      cut(true);
      player.send('log', 1, { receipt: 7 });
      await until(small, () => player.state === 'closed');
      expect(heard.events).toEqual(['7 lost', 'end timeout']);
    }));

  it('ends the connection of a client process that has forgotten it, which then gets a clean new one', () =>
    inSmallWorld(async (small) => {
      const { server: host, client, cut } = small;
      const server = await host.listen(serving());
      const lost = client();
      const heard = listen(server, await lost.connect(joining(small)));
      const [peer] = server.peers;
      peer!.send('log', 0);
      await host.sleep(SECOND);
      cut(true);
      for (let i = 1; i < 50; i++) peer!.send('log', i);
      await host.sleep(SECOND);
      cut(false);
      const first = await client().connect(joining(small, { reconnect: false }));
      const early: number[] = [];
      first.on('message', (channel, message) => void (channel === 'log' && early.push(message)));
      const end = await new Promise((resolve) => first.once('disconnect', resolve));
      expect(end).toMatchObject({ side: 'remote' });
      expect(early).toEqual([]);
      await until(small, () => heard.events.includes('disconnect protocol'));
      const second = await client().connect(joining(small));
      second.on('message', (channel, message) => void (channel === 'log' && early.push(message)));
      server.peers[0]!.send('log', 7);
      second.send('log', 8);
      await host.sleep(SECOND);
      expect([early, heard.server]).toEqual([[7], [8]]);
      expect(heard.events).toEqual(['disconnect protocol', 'connect']);
    }));

  it('is refused by default: the client waits until the server has given the old connection up', () =>
    inSmallWorld(async (small) => {
      const { server: host, client, cut } = small;
      const server = await host.listen(serving({ resume: false }));
      const player = await client().connect(joining(small, { reconnect: { resume: true, attemptsMax: 100 } }));
      const heard = listen(server, player);
      cut(true);
      await until(small, () => player.state === 'reconnecting');
      cut(false);
      await host.sleep(5 * SECOND);
      expect([player.state, heard.events]).toEqual(['reconnecting', []]);
      await until(small, () => player.state === 'connected');
      await host.sleep(SECOND);
      expect(heard.events).toEqual(['disconnect timeout', 'connect', 'reconnect']);
    }));
});
