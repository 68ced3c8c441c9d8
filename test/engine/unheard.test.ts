/** A client that hears the server and is not heard: it says nothing wrong and nothing is silent, so only missing acks tell. */

import { describe, expect, it } from 'vitest';
import type { Channels } from '../../engine/channel-types.ts';
import { reliableOrdered, unreliable } from '../../engine/channels.ts';
import { json } from '../../engine/codec.ts';
import type { DisconnectReason } from '../../transport/endpoint.ts';
import { inPair, type Pair, SECOND } from './small-world.ts';

const CHANNELS = { log: reliableOrdered(json<number>()), noise: unreliable(json<number>()) } satisfies Channels;
type C = typeof CHANNELS;

/** Notes what the server is told by the client, and where it is; and that neither end is told of an end. */
function watch({ server, client }: Pair<C>) {
  const seen = { heard: [] as number[], moves: [] as string[], ends: [] as DisconnectReason[] };
  server.on('message', (_peer, channel, message) => void (channel === 'log' && seen.heard.push(message)));
  server.on('path', (peer) => void seen.moves.push(peer.address));
  server.on('disconnect', (_peer, reason) => void seen.ends.push(reason));
  client.on('disconnect', (reason) => void seen.ends.push(reason));
  return seen;
}

/** Both sides speak 20 times a second for a while; the client counts on. */
async function talk({ host, peer, client }: Pair<C>, seconds: number, from = 0): Promise<number> {
  let n = from;
  for (; n < from + seconds * 20; n++) {
    peer.send('noise', n);
    client.send('log', n);
    await host.sleep(SECOND / 20);
  }
  return n;
}

/** From now on nothing of the client arrives, until it opens another socket. */
function swallowUntilAnotherPort({ small: { world } }: Pair<C>): void {
  const [server, client] = [world.hostNamed('server')!, world.hostNamed('client-0')!];
  const up = world.direction(client, server);
  up.configure({ latencyMicros: 10_000, loss: 1 });
  const { sys } = client;
  const open = sys.openUdp.bind(sys);
  sys.openUdp = (local, options) => {
    up.configure({ latencyMicros: 10_000 });
    return open(local, options);
  };
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe('a client that hears the server and is not heard', () => {
  it('because a NAT maps it anew while the old mapping still leads in, is found within a second', () =>
    inPair(CHANNELS, async (pair) => {
      const seen = watch(pair);
      let n = await talk(pair, 1);
      const { world } = pair.small;
      world.rebind(world.hostNamed('client-0')!, { port: 5555, leadsIn: true });
      n = await talk(pair, 1, n);
      expect(seen.moves).toEqual([expect.stringMatching(/:5555$/)]);
      n = await talk(pair, 20, n);
      await pair.host.sleep(SECOND);
      expect(seen.heard).toEqual(upTo(n));
      expect(seen.moves).toHaveLength(1);
      expect(seen.ends).toEqual([]);
    }));

  it('is found although neither side has anything to say', () =>
    inPair(CHANNELS, async (pair) => {
      const seen = watch(pair);
      const { world } = pair.small;
      await pair.host.sleep(3 * SECOND);
      world.rebind(world.hostNamed('client-0')!, { port: 5555, leadsIn: true });
      await pair.host.sleep(4 * SECOND);
      expect(seen.moves).toEqual([expect.stringMatching(/:5555$/)]);
      await pair.host.sleep(30 * SECOND);
      expect(seen.ends).toEqual([]);
    }));

  it('because something swallows what leaves from its port, goes on from another one', () =>
    inPair(CHANNELS, async (pair) => {
      const seen = watch(pair);
      const n = await talk(pair, 1);
      const before = pair.peer.address;
      swallowUntilAnotherPort(pair);
      const last = await talk(pair, 4, n);
      expect(seen.moves).toHaveLength(1);
      expect(seen.moves[0]).not.toBe(before);
      expect(seen.heard).toEqual(upTo(last).slice(0, seen.heard.length));
      expect(seen.heard.length).toBeGreaterThan(last - 10);
      await pair.host.sleep(20 * SECOND);
      expect(seen.heard).toEqual(upTo(last));
      expect(seen.ends).toEqual([]);
      const { ports } = pair.small.world.hostNamed('client-0')!;
      const port = Number(before.split(':').at(-1));
      expect(ports.isBound(port)).toBe(true); // messages may lie in its memory
      await pair.client.close();
      expect(ports.isBound(port)).toBe(false);
    }));

  it('at all, from whatever port, changes its port once and is given up in time', () =>
    inPair(CHANNELS, async (pair) => {
      const seen = watch(pair);
      const { world } = pair.small;
      const [server, client] = [world.hostNamed('server')!, world.hostNamed('client-0')!];
      world.direction(client, server).configure({ latencyMicros: 10_000, loss: 1 });
      let sockets = 0;
      const open = client.sys.openUdp.bind(client.sys);
      client.sys.openUdp = (local, options) => {
        sockets++;
        return open(local, options);
      };
      await talk(pair, 40);
      expect(sockets).toBe(1);
      expect(seen.ends.map(({ code }) => code)).toEqual(['timeout', 'timeout']);
      expect(seen.moves).toEqual([]);
    }));
});
