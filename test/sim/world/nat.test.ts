// Rebinding: a host that the others see under a new port or address, and its dead old ones.

import { describe, expect, it } from 'vitest';
import type { SimHost } from '../../../sim/world/host.ts';
import type { SimSocket } from '../../../sim/world/sim-socket.ts';
import type { World } from '../../../sim/world/world.ts';
import { addressOf, formatAddress } from '../../../sys/api.ts';
import { ECHO_PORT, listen, openWorld, send, startAsker, startEcho } from '../open-world.ts';

const SECOND = 1_000_000;

describe('World.rebind', () => {
  it('shows the host under the port it was told, and lets answers through to it', async () => {
    const { world, client, seen, heard, ask } = await openPair();
    await ask();
    world.rebind(client, { port: 5555 });
    await ask();
    expect(seen).toEqual(['10.0.0.2:40001', '10.0.0.2:5555']);
    expect(heard).toHaveLength(2);
  });

  it('leaves datagrams to the old port unheard, and to the new one until the host has sent', async () => {
    const { world, client, server, heard, ask, tell } = await openPair();
    await ask();
    world.rebind(client, { port: 5555 });
    await tell(server, '10.0.0.2', 40001);
    await tell(server, '10.0.0.2', 5555);
    expect(world.stats).toMatchObject({ unheard: 2, delivered: 2 });
    await ask();
    await tell(server, '10.0.0.2', 40001);
    await tell(server, '10.0.0.2', 5555);
    expect(world.stats).toMatchObject({ unheard: 3, delivered: 5 });
    expect(heard).toHaveLength(3);
  });

  it('leaves unheard what comes to its new port at the old address, and to a port of a rebind before', async () => {
    const { world, client, server, seen, heard, ask, tell } = await openPair();
    world.rebind(client, { port: 5555, address: true });
    await ask();
    await tell(server, '10.0.0.2', 5555);
    expect(world.stats.unheard).toBe(1);
    world.rebind(client, { port: 6666 });
    await ask();
    const [outside] = split(seen.at(-1)!);
    await tell(server, outside, 5555);
    expect(world.stats.unheard).toBe(2);
    await tell(server, outside, 6666);
    expect(heard).toHaveLength(3);
  });

  it('loses what was under way to the old mapping', async () => {
    const { world, client, heard, ask } = await openPair(50_000);
    const asked = ask();
    world.start(client, world.now + 75_000, () => world.rebind(client));
    await asked;
    expect(heard).toHaveLength(0);
    expect(world.stats).toMatchObject({ sent: 2, unheard: 1 });
  });

  it('moves the host to an outside address, again and again, and never back to one that was', async () => {
    const { world, client, server, seen, heard, ask, tell } = await openPair();
    for (let i = 0; i < 20; i++) {
      world.rebind(client, { address: true });
      await ask();
    }
    expect(heard).toHaveLength(20);
    expect(new Set(seen.map((address) => address.replace(/:\d+$/, ''))).size).toBe(20);
    for (const address of seen) expect(address).toMatch(/^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+:\d+$/);
    const before = world.stats.unheard;
    await tell(server, '10.0.0.2', 40001);
    await tell(server, ...split(seen[3]!));
    expect(world.stats.unheard - before).toBe(2);
    await tell(server, ...split(seen[19]!));
    expect(heard).toHaveLength(21);
    expect(world.stats.unreachable).toBe(0);
  });

  it.each([
    ['0.0.0.0', '10.0.0.1'],
    ['::', '10.0.0.1'],
    ['::', 'fd00::1'],
    ['10.0.0.2', '10.0.0.1'],
  ])('works for a socket bound to %s that talks to %s', async (local, peer) => {
    const { client, world, seen, heard, ask } = await openPair(0, local, peer);
    world.rebind(client, { port: 6000, address: true });
    await ask();
    await ask();
    expect(seen[0]).toMatch(peer.includes(':') ? /^\[fd01::.*\]:6000$/ : /^100\..*:6000$/);
    expect(seen[1]).toBe(seen[0]);
    expect(heard).toHaveLength(2);
  });

  it('gives each local port a mapping of its own, none of those of before', async () => {
    const world = openWorld();
    const [server, client] = [world.host('server'), world.host('client')];
    const seen: string[] = [];
    world.start(server, 0, () => listen(server, 9, ({ from }) => seen.push(formatAddress(from))));
    const sockets: SimSocket[] = [];
    world.start(client, 0, async () => {
      for (let i = 0; i < 50; i++) sockets.push(await listen(client, 0, () => {}));
    });
    await world.run({ untilMicros: 1 });
    for (let round = 0; round < 3; round++) {
      world.rebind(client, round === 1 ? { port: 2222 } : {});
      world.start(client, world.now, () => {
        for (const socket of sockets) send(socket, addressOf('10.0.0.1', 9)!, new Uint8Array(1));
      });
      await world.run({ untilMicros: world.now + 1 });
    }
    expect(seen).toHaveLength(150);
    for (const from of [0, 50]) expect(new Set(seen.slice(from, from + 100)).size).toBe(100);
    expect(seen[50]).toBe('10.0.0.2:2222');
  });

  it('maps 20,000 ports, and says what to do when more are wanted', async () => {
    const { world, client } = await openPair();
    world.rebind(client);
    const send = (port: number) => client.nat!.outward(addressOf('10.0.0.2', port)!, 0);
    for (let port = 1; port <= 20_000; port++) send(port);
    send(20_000);
    expect(() => send(20_001)).toThrow('maps 20000 ports: close sockets, or rebind');
    world.rebind(client);
    send(20_001);
  });

  it('does not touch what passes within the host', async () => {
    const world = openWorld();
    const host = world.host('a');
    const seen: string[] = [];
    world.rebind(host, { address: true });
    world.start(host, 0, async () => {
      await listen(host, 9, ({ from }) => seen.push(formatAddress(from)));
      const socket = await listen(host, 8, () => {});
      for (const to of ['127.0.0.1', '10.0.0.1']) send(socket, addressOf(to, 9)!, new Uint8Array(1));
    });
    await world.run({ untilMicros: 1 });
    expect(seen).toEqual(['127.0.0.1:8', '10.0.0.1:8']);
  });

  it('is part of the digest, and the same each time', async () => {
    const digests = [];
    for (const rebinds of [0, 1, 1, 2]) {
      const world = openWorld({ link: { latencyMicros: 10_000 } });
      const server = startEcho(world);
      startAsker(world, 'client', server, 50);
      const client = world.hostNamed('client')!;
      for (let i = 0; i < rebinds; i++) host(world, client, (i + 1) * 200_000);
      await world.run({ untilMicros: 2 * SECOND });
      digests.push(world.digest());
    }
    expect(digests[1]).toBe(digests[2]);
    expect(new Set(digests).size).toBe(3);
  });

  it.each([
    [{ port: 0 }, 'port is an integer in 1 .. 65535, not 0'],
    [{ port: 65_536 }, 'port is an integer'],
    [{ port: 1.5 }, 'port is an integer'],
    [{ port: 40_001 }, 'port 40001 is what the outside sees now'],
  ])('refuses %o: %s', async (options, text) => {
    const { world, client } = await openPair();
    expect(() => world.rebind(client, options)).toThrow(RangeError);
    expect(() => world.rebind(client, options)).toThrow(`rebind client: ${text}`);
    expect(client.nat).toBeNull();
  });

  it('refuses the port of the mapping before, unless the address changes', async () => {
    const { world, client, ask } = await openPair();
    world.rebind(client, { port: 5555 });
    await ask();
    expect(() => world.rebind(client, { port: 5555 })).toThrow('give another one');
    world.rebind(client, { port: 5555, address: true });
    world.rebind(client, { port: 40_001 });
  });
});

function host(world: World, client: SimHost, time: number): void {
  world.start(client, time, () => world.rebind(client));
}

function split(address: string): [string, number] {
  const [text, port] = address.split(':');
  return [text!, Number(port)];
}

/** An echo server, and a client at port 40001 that asks it. */
async function openPair(latencyMicros = 0, local = '0.0.0.0', peer = '10.0.0.1') {
  const world = openWorld({ link: { latencyMicros } });
  const [server, client] = [world.host('server'), world.host('client')];
  const seen: string[] = [];
  const heard: string[] = [];
  let socket: SimSocket;
  let answering: SimSocket;
  const echo = ({ from, bytes }: { from: Uint8Array; bytes: Uint8Array }, own: SimSocket) => {
    seen.push(formatAddress(from));
    send(own, from, bytes);
  };
  world.start(server, 0, async () => {
    answering = await listen(server, ECHO_PORT, echo, '::');
  });
  world.start(client, 0, async () => {
    socket = await listen(client, 40_001, ({ from }) => heard.push(formatAddress(from)), local);
  });
  await world.run({ untilMicros: 10 });
  const passes = () => world.run({ untilMicros: world.now + SECOND });
  const ask = () => {
    world.start(client, world.now, () => send(socket, addressOf(peer, ECHO_PORT)!, new Uint8Array(10)));
    return passes();
  };
  const tell = (_: SimHost, address: string, port: number) => {
    world.start(server, world.now, () => send(answering, addressOf(address, port)!, new Uint8Array(10)));
    return passes();
  };
  return { world, server, client, seen, heard, ask, tell };
}
