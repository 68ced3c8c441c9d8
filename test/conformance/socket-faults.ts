/** Datagrams that fail: each is counted, none stops its neighbours. */

import { expect } from 'vitest';
import type { DatagramSocket } from '../../sys/api.ts';
import { addressOf, portOf } from '../../sys/api.ts';
import type { BackendFactory } from './backend.ts';
import { append } from './outside.ts';
import type { Workbench, WorkbenchTest } from './workbench.ts';
import { numbered, numbersOf, pattern, SILENCE_MICROS, upTo } from './workbench.ts';

export function faultTests(test: WorkbenchTest, factory: BackendFactory): void {
  const { maxDatagramBytes } = factory.capabilities;

  test('drops a datagram longer than its slot, counts it, and receives the ones around it', async (workbench) => {
    const socket = await workbench.openUdp({ slotBytes: 100 });
    const outside = await workbench.openOutside();
    for (const size of [50, 101, 100, 1200, 60]) await outside.send(socket.localAddress, pattern(size));
    const list = await workbench.collect(socket, 3);
    expect(list.map(({ bytes }) => bytes)).toEqual([pattern(50), pattern(100), pattern(60)]);
    expect(socket.stats).toMatchObject({ truncated: 2, datagramsIn: 3 });
  });

  test('brings a datagram that waits behind a batch of too long ones', async (workbench) => {
    const socket = await workbench.openUdp({ slotBytes: 100, rxSlots: 4 });
    const outside = await workbench.openOutside();
    for (const _ of upTo(12)) await outside.send(socket.localAddress, pattern(200));
    await outside.send(socket.localAddress, pattern(60));
    expect((await workbench.collect(socket, 1)).map(({ bytes }) => bytes)).toEqual([pattern(60)]);
    expect(socket.stats.truncated).toBe(12);
  });

  test('goes on to other peers when one is gone, flush after flush', async (workbench) => {
    const socket = await workbench.openUdp();
    const peer = await workbench.openUdp();
    const gone = await goneAddress(workbench, factory);
    const rounds = 5;
    for (const round of upTo(rounds)) {
      append(socket, gone, numbered(1000 + round));
      append(socket, peer.localAddress, numbered(round * 2));
      append(socket, gone, numbered(2000 + round));
      append(socket, peer.localAddress, numbered(round * 2 + 1));
      expect(socket.flush()).toBe(4);
      await workbench.breathe(); // the ICMP answer, where there is one, arrives before the next flush
    }
    expect(numbersOf(await workbench.collect(peer, rounds * 2))).toEqual(upTo(rounds * 2));
    expect(socket.tx.count).toBe(0);
  });

  test('still receives after it has sent to a peer that is gone', async (workbench) => {
    const socket = await workbench.openUdp();
    const gone = await goneAddress(workbench, factory);
    await workbench.sendAll(socket, gone, [pattern(1), pattern(2)]);
    await workbench.breathe();
    const outside = await workbench.openOutside();
    await outside.send(socket.localAddress, pattern(9));
    expect((await workbench.collect(socket, 1)).map(({ bytes }) => bytes)).toEqual([pattern(9)]);
  });

  test(`counts a datagram of more than ${maxDatagramBytes} bytes as too large, and its neighbours go out`, async (workbench) => {
    const socket = await workbench.openUdp({ slotBytes: maxDatagramBytes, txSlots: 4, rxSlots: 4 });
    const peer = await workbench.openUdp();
    append(socket, peer.localAddress, pattern(1));
    append(socket, peer.localAddress, pattern(maxDatagramBytes + 1)); // the last byte lies in the tailroom
    append(socket, peer.localAddress, pattern(3));
    expect(socket.flush()).toBe(3);
    const list = await workbench.collect(peer, 2);
    await workbench.breathe();
    expect(list.map(({ bytes }) => bytes.length)).toEqual([1, 3]);
    expect(socket.stats).toMatchObject({ datagramsOut: 2, tooLarge: 1 });
  });

  test('loses what its receive buffer cannot hold, keeps the rest in order, and goes on', async (workbench) => {
    const receiver = await workbench.openUdp({ receiveBufferBytes: 8192 });
    const sender = await workbench.openUdp();
    const flood = 1000; // a megabyte against 8 KiB
    await workbench.sendAll(
      sender,
      receiver.localAddress,
      upTo(flood).map((index) => numbered(index, 1000)),
    );
    const numbers = numbersOf(await workbench.collect(receiver, flood, SILENCE_MICROS));
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers.length).toBeLessThan(flood);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    await workbench.sendAll(sender, receiver.localAddress, [numbered(flood)]);
    expect(numbersOf(await workbench.collect(receiver, 1))).toEqual([flood]);
  });
}

/** An address of this host at which nobody listens any more. */
async function goneAddress(workbench: Workbench, factory: BackendFactory): Promise<Uint8Array> {
  const socket: DatagramSocket = await workbench.openUdp();
  const port = portOf(socket.localAddress);
  socket.close();
  await workbench.breathe();
  return addressOf(factory.ipv4, port)!;
}
