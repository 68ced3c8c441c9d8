import type { EventEmitter } from 'eventemitter3';
import { describe, expect, it } from 'vitest';
import type { Channels } from '../../engine/channel-types.ts';
import { unreliable } from '../../engine/channels.ts';
import { json, type Message } from '../../engine/codec.ts';
import type { ClientOptions, ServerOptions } from '../../engine/options.ts';
import type { Peer } from '../../engine/peer.ts';
import type { DisconnectReason } from '../../transport/endpoint.ts';
import { inSmallWorld, KEY, SECOND, SERVER_ADDRESS } from './small-world.ts';

const CHANNELS = { bytes: unreliable(), chat: unreliable(json<string>()) } satisfies Channels;
type C = typeof CHANNELS;

const serving = (more: Partial<ServerOptions<C>> = {}): ServerOptions<C> => ({
  port: 40_000,
  host: '0.0.0.0',
  publicAddresses: [SERVER_ADDRESS],
  privateKey: KEY,
  freshKey: true,
  protocolId: 7,
  channels: CHANNELS,
  ...more,
});
const joining = (token: ClientOptions<C>['token'], more: Partial<ClientOptions<C>> = {}): ClientOptions<C> => ({
  token: token!,
  channels: CHANNELS,
  ...more,
});
/** The first reason with which something disconnects. */
const endOf = (of: unknown): Promise<DisconnectReason> =>
  new Promise((resolve) =>
    (of as EventEmitter).once('disconnect', (...args: unknown[]) => resolve(args.at(-1) as DisconnectReason)),
  );

describe('Server and Client', () => {
  it('connect with a token and carry messages both ways', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving());
      const heard: unknown[] = [];
      server.on('connect', (peer) => void heard.push([peer.clientId, peer.address.startsWith('10.0.0.2:')]));
      server.on('message', (peer, channel, message) => {
        if (channel === 'chat') heard.push(message);
        else peer.send('bytes', message.bytes(message.length));
      });
      const player = await client().connect(joining(await token(77n)));
      const echoed = new Promise((resolve) =>
        player.on('message', (channel, message) => resolve([channel, [...(message as Message).copy()]])),
      );
      expect(player.send('chat', 'hello')).toBe('queued');
      expect(player.send('bytes', new Uint8Array([1, 2, 3]))).toBe('queued');
      expect(await echoed).toEqual(['bytes', [1, 2, 3]]);
      expect(heard).toEqual([[77n, true], 'hello']);
    }));

  it("show a peer's user data first when it is there, and still when another has its number", () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving({ maxClients: 1 }));
      const peers: Peer<C>[] = [];
      server.on('connect', (peer) => void peers.push(peer));
      const first = await client().connect(joining(await token(1n, KEY, new Uint8Array([1, 2]))));
      const gone = endOf(server);
      first.close();
      await gone;
      await host.sleep(SECOND);
      await client().connect(joining(await token(2n, KEY, new Uint8Array([3, 4]))));
      expect(peers.map((peer) => peer.id)).toEqual([0, 0]);
      expect(peers.map((peer) => [...peer.userData.subarray(0, 3)])).toEqual([
        [1, 2, 0],
        [3, 4, 0],
      ]);
      expect(peers[0]!.userData).toHaveLength(256);
      expect(peers[0]!.userData).toBe(peers[0]!.userData);
    }));

  it('keep what arrives together with the connection until the game can listen', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving());
      server.on('connect', (peer) => {
        for (const word of ['a', 'b', 'c']) peer.send('chat', word);
      });
      const player = await client().connect(joining(await token()));
      const heard: unknown[] = [];
      player.on('message', (_channel, message) => void heard.push(message));
      await host.sleep(SECOND);
      expect(heard).toEqual(['a', 'b', 'c']);
    }));

  it('ask the game whether to admit a client, wait for its answer, and tell the client why not', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(
        serving({
          admit: async (peer) => {
            await host.sleep(300_000);
            return peer.clientId === 1n ? undefined : `banned until Monday`;
          },
        }),
      );
      let connects = 0;
      let disconnects = 0;
      server.on('connect', () => void connects++);
      server.on('disconnect', () => void disconnects++);
      const welcome = await client().connect(joining(await token(1n)));
      expect(welcome.state).toBe('connected');
      await expect(client().connect(joining(await token(2n)))).rejects.toMatchObject({
        name: 'ConnectError',
        reason: { code: 'denied', side: 'remote', text: 'banned until Monday' },
      });
      expect([connects, disconnects]).toEqual([1, 0]);
    }));

  it('refuse when admit throws, and report the error', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const broken = new Error('the database is away');
      const server = await host.listen(serving({ admit: () => Promise.reject(broken) }));
      const errors: unknown[] = [];
      server.on('error', (error) => void errors.push(error));
      await expect(client().connect(joining(await token()))).rejects.toMatchObject({ reason: { code: 'denied' } });
      expect(errors).toEqual([broken]);
    }));

  it('tell a client that the server is full', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving({ maxClients: 2 }));
      const players = [await client().connect(joining(await token())), await client().connect(joining(await token()))];
      await expect(client().connect(joining(await token()))).rejects.toMatchObject({ reason: { code: 'denied' } });
      await players[0]!.close();
      await host.sleep(SECOND);
      expect(server.peers).toHaveLength(1);
      await client().connect(joining(await token()));
      expect(server.peers).toHaveLength(2);
    }));

  it('let the server kick with a reason, which is final', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving());
      server.on('connect', (peer) => void host.sleep(SECOND).then(() => peer.kick('no cheating, ünd basta')));
      const ended = endOf(server);
      const player = await client().connect(joining(token, { reconnect: true }));
      expect(await endOf(player)).toEqual({ code: 'kicked', side: 'remote', text: 'no cheating, ünd basta' });
      expect(await ended).toMatchObject({ code: 'kicked', side: 'local' });
      expect(player.state).toBe('closed');
      expect(player.send('chat', 'still there?')).toBe('not-connected');
    }));

  it('fail to connect, with the reason, when the game kicks at once', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving());
      server.on('connect', (peer) => peer.kick('not you'));
      await expect(client().connect(joining(await token()))).rejects.toMatchObject({
        reason: { code: 'kicked', side: 'remote', text: 'not you' },
      });
      expect(server.peers).toEqual([]);
    }));

  it('let the client leave with a reason', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving());
      const ended = endOf(server);
      const player = await client().connect(joining(await token()));
      await player.close('dinner');
      expect(await ended).toEqual({ code: 'closed', side: 'remote', text: 'dinner' });
      expect(server.peers).toEqual([]);
    }));

  it('tell every client when the server closes, even when three of ten datagrams are lost', () =>
    inSmallWorld(
      async ({ server: host, client, token }) => {
        const server = await host.listen(serving());
        const players = [
          await client().connect(joining(await token())),
          await client().connect(joining(await token())),
        ];
        const ends = players.map(endOf);
        await server.close('maintenance');
        expect(await Promise.all(ends)).toEqual(
          Array(2).fill({ code: 'shutdown', side: 'remote', text: 'maintenance' }),
        );
      },
      { loss: 0.3 },
    ));

  it('notice on both sides that the other is gone', () =>
    inSmallWorld(async ({ server: host, client, token, cut }) => {
      const server = await host.listen(serving());
      const player = await client().connect(joining(await token()));
      const start = host.now();
      const ends = [endOf(server), endOf(player)];
      cut(true);
      expect(await Promise.all(ends)).toMatchObject([
        { code: 'timeout', side: 'local' },
        { code: 'timeout', side: 'local' },
      ]);
      expect((host.now() - start) / SECOND).toBeGreaterThan(4.9);
      expect((host.now() - start) / SECOND).toBeLessThan(6);
    }));

  it('reconnect with fresh tokens after a timeout, as often as needed', () =>
    inSmallWorld(async ({ server: host, client, token, cut }) => {
      const server = await host.listen(serving());
      let connects = 0;
      server.on('connect', () => void connects++);
      const player = await client().connect(joining(() => token(), { reconnect: true }));
      const attempts: number[] = [];
      player.on('reconnecting', (attempt) => void attempts.push(attempt));
      cut(true);
      await host.sleep(12 * SECOND);
      expect(player.state).toBe('reconnecting');
      const back = new Promise<void>((resolve) => player.once('reconnect', resolve));
      cut(false);
      await back;
      expect(attempts[0]).toBe(1);
      expect(attempts.length).toBeGreaterThan(1);
      expect(connects).toBe(2);
      await host.sleep(SECOND);
      expect(server.peers).toHaveLength(1);
    }));

  it('give up after the last attempt, with the last reason', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving());
      const player = await client().connect(joining(token, { reconnect: { attemptsMax: 2, delayMicros: 10_000 } }));
      await server.close();
      expect(await endOf(player)).toMatchObject({ code: 'timeout', side: 'local' });
    }));

  it('refuse a token that has connected before, also from the same player', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      await host.listen(serving());
      const used = await token();
      await (await client().connect(joining(used))).close();
      await host.sleep(SECOND);
      await expect(client().connect(joining(used))).rejects.toMatchObject({ reason: { code: 'timeout' } });
    }));

  it('take tokens of the old key and of the new one while a key is replaced, and then only of the new one', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving());
      const fresh = KEY.map((byte) => byte ^ 0xff);
      server.setPrivateKeys(fresh, KEY);
      await client().connect(joining(await token(1n, KEY)));
      await client().connect(joining(await token(2n, fresh)));
      server.setPrivateKeys(fresh);
      await expect(client().connect(joining(await token(3n, KEY)))).rejects.toMatchObject({
        reason: { code: 'timeout' },
      });
      await client().connect(joining(await token(4n, fresh)));
      expect(server.peers.map((peer) => peer.clientId).sort()).toEqual([1n, 2n, 4n]);
    }));

  it('broadcast to all or to those that a filter accepts', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving());
      const heard: string[][] = [[], [], []];
      for (const [index, list] of heard.entries()) {
        const player = await client().connect(joining(await token(BigInt(index))));
        player.on('message', (channel, message) => void list.push(channel === 'chat' ? message : channel));
      }
      expect(server.broadcast('chat', 'all')).toBe(0);
      server.broadcast('chat', 'not you', { filter: (peer) => peer.clientId !== 1n });
      await host.sleep(SECOND);
      expect(heard).toEqual([['all', 'not you'], ['all'], ['all', 'not you']]);
    }));

  it('count the peers that a broadcast could not reach because too much waits for them', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving({ backlogMax: 3 }));
      const player = await client().connect(joining(await token()));
      const heard: string[] = [];
      player.on('message', (channel, message) => void (channel === 'chat' && heard.push(message)));
      await host.sleep(SECOND);
      expect(['1', '2', '3', '4'].map((word) => server.broadcast('chat', word))).toEqual([0, 0, 0, 1]);
      expect(server.peers[0]!.send('chat', '5')).toBe('backlog-full');
      await host.sleep(SECOND);
      expect(heard).toEqual(['1', '2', '3']);
      expect(server.broadcast('chat', '6')).toBe(0);
    }));

  it('step the game at its rate, without drift, also on a client', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving({ tickRateHz: 60 }));
      const ticks: number[] = [];
      const late: number[] = [];
      server.on('tick', (tick) => void ticks.push(tick));
      server.on('ticked', (_tick, _duration, lateness) => void late.push(lateness));
      const player = await client().connect(joining(await token(), { tickRateHz: 30 }));
      let steps = 0;
      player.on('tick', () => void steps++);
      const before = ticks.length;
      await host.sleep(10 * SECOND);
      expect(ticks.length - before).toBe(600);
      expect(ticks).toEqual(ticks.map((_, index) => index));
      expect(Math.max(...late)).toBeLessThan(200);
      expect(steps).toBeGreaterThanOrEqual(299);
      expect(steps).toBeLessThanOrEqual(301);
      expect(server.ticksSkipped).toBe(0);
    }));

  it('resolve host names for tokens, and fail with the name when there is none', () =>
    inSmallWorld(async ({ server: host, client }) => {
      await host.listen(serving());
      const grant = { privateKey: KEY, clientId: 1, protocolId: 7 };
      const named = await host.mintToken({ ...grant, addresses: ['server:40000'] });
      expect((await client().connect(joining(named))).state).toBe('connected');
      await expect(host.mintToken({ ...grant, addresses: ['nowhere:40000'] })).rejects.toThrow(
        /'nowhere' has no address/,
      );
    }));

  it('accept nobody without a key but on loopback, loudly', () =>
    inSmallWorld(async ({ server: host, client, warnings }) => {
      const open = { port: 5000, insecure: true, channels: CHANNELS } as const;
      await expect(host.listen({ ...open, host: '10.0.0.1' })).rejects.toThrow(/'insecure': refused on 10.0.0.1/);
      await host.listen(open);
      expect(warnings.join()).toContain('insecure server on 127.0.0.1:5000');
      const local = await host.connect({ insecureAddress: '127.0.0.1:5000', channels: CHANNELS });
      expect(local.state).toBe('connected');
      await expect(client().connect({ insecureAddress: '10.0.0.1:5000', channels: CHANNELS })).rejects.toMatchObject({
        reason: { code: 'timeout' },
      });
    }));

  it('count messages that their codec cannot read, on both sides, where the game can see it', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const broken = { bytes: unreliable(), chat: unreliable() }; // bytes where the other side has JSON
      const server = await host.listen(serving());
      const player = await client().connect({ token: await token(), channels: broken });
      player.send('chat', new Uint8Array([200, 0, 1]));
      await host.sleep(SECOND);
      expect([server.drops.undecodable, server.drops.malformedPayloads, player.drops.undecodable]).toEqual([1, 0, 0]);
    }));

  it('answer at once on a server without ticks', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving({ tickRateHz: 0 }));
      server.on('message', (peer, channel, message) => {
        if (channel === 'chat') peer.send('chat', message);
      });
      const player = await client().connect(joining(await token()));
      const start = host.now();
      const echoed = new Promise((resolve) => player.on('message', (_channel, message) => resolve(message)));
      player.send('chat', 'quick');
      expect(await echoed).toBe('quick');
      expect(host.now() - start).toBeLessThan(20_100); // there and back, 10 ms each
    }));

  it('tell clients that still wait to be admitted when the server closes', () =>
    inSmallWorld(async ({ server: host, client, token }) => {
      const server = await host.listen(serving({ admit: () => new Promise<never>(() => {}) }));
      const outcome = client()
        .connect(joining(await token()))
        .catch((error: unknown) => error);
      await host.sleep(SECOND);
      await server.close('maintenance');
      expect(await outcome).toMatchObject({ name: 'ConnectError', reason: { side: 'remote', text: 'maintenance' } });
    }));

  it('end the run with the error when a listener of the game throws', async () => {
    const play = inSmallWorld(async ({ server: host }) => {
      const server = await host.listen(serving());
      server.on('tick', (tick) => {
        if (tick === 3) throw new Error('a bug in the game');
      });
      await host.sleep(SECOND);
    });
    await expect(play).rejects.toThrow('a bug in the game');
  });

  it.each([
    ['wake', { wake: 'tick', tickRateHz: 0 }],
    ['port', { port: 70_000 }],
    ['port', { port: 1.5 }],
    ['maxClients', { maxClients: 0 }],
    ['tickRateHz', { tickRateHz: -1 }],
    ['privateKey', { privateKey: new Uint8Array(31) }],
    ['publicAddresses', { publicAddresses: [] }],
    ['publicAddresses', { publicAddresses: ['10.0.0.1'] }],
    ['channels', { channels: {} as C }],
    ['protocolId', { protocolId: -1 }],
    ['host', { host: 'not a name!' }],
  ])('name the wrong option: %s %o', (field, wrong) =>
    inSmallWorld(async ({ server: host }) => {
      const error = await host.listen(serving(wrong as Partial<ServerOptions<C>>)).catch((e: unknown) => e);
      expect((error as { field?: string }).field).toMatch(new RegExp(`^${field}`));
    }),
  );

  it('say which port is taken', () =>
    inSmallWorld(async ({ server: host }) => {
      await host.listen(serving());
      await expect(host.listen(serving())).rejects.toMatchObject({ name: 'SysError', code: 'EADDRINUSE' });
    }));

  it('do not compile with a misspelt channel or a wrong payload', () =>
    inSmallWorld(async ({ server: host }) => {
      const server = await host.listen(serving());
      // @ts-expect-error there is no such channel
      const misspelt = () => server.broadcast('chta', 'hello');
      // @ts-expect-error chat carries strings
      const wrong = () => server.broadcast('chat', 5);
      expect(misspelt).toThrow("no channel 'chta'");
      expect(wrong()).toBe(0); // nobody is connected, so nothing is encoded
    }));
});
