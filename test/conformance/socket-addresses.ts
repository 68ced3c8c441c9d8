/** Addresses through a socket: canonical both ways, over IPv4, IPv6 and both at once. */

import { expect } from 'vitest';
import { addressOf, formatHost, isIPv4, portOf } from '../../sys/api.ts';
import type { BackendFactory } from './backend.ts';
import type { WorkbenchTest } from './workbench.ts';
import { pattern, SILENCE_MICROS } from './workbench.ts';

export function addressTests(test: WorkbenchTest, factory: BackendFactory): void {
  test('tells the port that was chosen for port 0, a different one for each socket', async (workbench) => {
    const a = await workbench.openUdp();
    const b = await workbench.openUdp();
    expect(portOf(a.localAddress)).toBeGreaterThan(0);
    expect(portOf(b.localAddress)).not.toBe(portOf(a.localAddress));
    expect(a.localAddress).toEqual(addressOf(factory.ipv4, portOf(a.localAddress)));
  });

  test('shows an IPv4 peer as its mapped address, and reaches it by the same bytes', async (workbench) => {
    const socket = await workbench.openUdp();
    const outside = await workbench.openOutside();
    await outside.send(socket.localAddress, pattern(8));
    const [incoming] = await workbench.collect(socket, 1);
    expect(isIPv4(incoming!.from)).toBe(true);
    expect(incoming!.from).toEqual(outside.address);
    await workbench.sendAll(socket, incoming!.from, [pattern(9)]);
    expect((await outside.receive()).bytes).toEqual(pattern(9));
  });

  test.needing(['ipv6'], 'shows an IPv6 peer with its sixteen bytes, and reaches it by them', async (workbench) => {
    const socket = await workbench.openUdp({}, factory.ipv6);
    const outside = await workbench.openOutside(factory.ipv6);
    expect(formatHost(socket.localAddress)).toBe(factory.ipv6);
    await outside.send(socket.localAddress, pattern(8));
    const [incoming] = await workbench.collect(socket, 1);
    expect(incoming!.from).toEqual(outside.address);
    await workbench.sendAll(socket, incoming!.from, [pattern(9)]);
    expect(await outside.receive()).toEqual({ bytes: pattern(9), from: socket.localAddress });
  });

  test.needing(
    ['ipv6', 'dualStack'],
    'takes IPv4 and IPv6 peers on one dual-stack socket, each in its canonical form',
    async (workbench) => {
      const socket = await workbench.openUdp({}, factory.dualStack);
      const port = portOf(socket.localAddress);
      for (const host of [factory.ipv4, factory.ipv6]) {
        const outside = await workbench.openOutside(host);
        await outside.send(addressOf(host, port)!, pattern(8));
        const [incoming] = await workbench.collect(socket, 1);
        expect(incoming!.from).toEqual(outside.address);
        await workbench.sendAll(socket, incoming!.from, [pattern(9)]);
        expect(await outside.receive()).toEqual({ bytes: pattern(9), from: addressOf(host, port) });
      }
    },
  );

  test.needing(
    ['ipv6', 'dualStack'],
    'takes IPv6 peers only when dual stack is off, and its port is free for IPv4',
    async (workbench) => {
      const six = await workbench.openUdp({ dualStack: false }, factory.dualStack);
      const port = portOf(six.localAddress);
      const four = await workbench.openUdp({}, factory.ipv4, port);
      const outside = await workbench.openOutside();
      await outside.send(addressOf(factory.ipv4, port)!, pattern(8));
      expect(await workbench.collect(four, 1)).toHaveLength(1);
      expect(await workbench.collect(six, 1, SILENCE_MICROS)).toEqual([]);
    },
  );

  test.needing(
    ['ipv6'],
    'counts a datagram of the other address family as not sent, and its neighbours go out',
    async (workbench) => {
      const socket = await workbench.openUdp();
      const peer = await workbench.openUdp();
      await workbench.sendAll(socket, peer.localAddress, [pattern(1)]);
      await workbench.sendAll(socket, addressOf(factory.ipv6, 9)!, [pattern(2)]);
      await workbench.sendAll(socket, peer.localAddress, [pattern(3)]);
      const list = await workbench.collect(peer, 2);
      await workbench.breathe();
      expect(list.map(({ bytes }) => bytes.length)).toEqual([1, 3]);
      expect(socket.stats).toMatchObject({ datagramsOut: 2, sendFailed: 1 });
    },
  );
}
