/** One bad datagram never stops the others: what the kernel refuses, entry by entry. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf, type DatagramSocket, portOf, type Sys } from '../../../sys/api.ts';
import { NativeArena } from '../../../sys/ffi/arena.ts';
import { library } from '../../../sys/ffi/library.ts';
import { openSys } from '../../../sys/index.ts';
import { linuxCalls } from '../../../sys/linux/calls.ts';
import { type LinuxUdpSocket, setOption } from '../../../sys/linux/udp-socket.ts';
import { FAR, NamespacePair, NEAR, whyNoNamespaces } from './namespaces.ts';
import { append, awaitReceive, collectMarks, marksOf } from './sockets.ts';

const SOL_IP = 0;
const IP_RECVERR = 11; // makes the kernel tell an unconnected socket of ICMP answers

const native = process.platform === 'linux' && library() !== null;
const without = native ? whyNoNamespaces() : 'needs koffi on Linux';

describe.skipIf(!native)(`a datagram that cannot be sent${native ? '' : ' (needs koffi on Linux)'}`, () => {
  let sys: Sys;
  const sockets: DatagramSocket[] = [];
  const open = async (host: string, options = {}): Promise<LinuxUdpSocket> => {
    const socket = (await sys.openUdp(addressOf(host, 0)!, options)) as LinuxUdpSocket;
    sockets.push(socket);
    return socket;
  };
  beforeEach(() => {
    sys = openSys({ backend: 'udp' });
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close();
    sys.close();
  });

  it.each([true, false])('for want of a right (broadcast) is counted, its neighbours arrive (gso %s)', async (gso) => {
    const sender = await open('0.0.0.0', { gso });
    const receiver = await open('127.0.0.1');
    const broadcast = addressOf('255.255.255.255', 9)!; // EACCES or ENETUNREACH: nobody asked for SO_BROADCAST
    for (const [i, to] of [receiver.localAddress, broadcast, broadcast, receiver.localAddress].entries()) {
      append(sender, to, 10, i);
    }
    expect(sender.flush()).toBe(4);
    expect(collectMarks(sys, receiver, 2)).toEqual([
      [10, 0],
      [10, 3],
    ]);
    expect(sender.stats).toMatchObject({ datagramsOut: 2, sendFailed: 2, bytesOut: 20 });
  });

  it('to a family or port that the socket cannot reach is counted, its neighbours arrive', async () => {
    const sender = await open('127.0.0.1');
    const receiver = await open('127.0.0.1');
    const targets = [addressOf('::1', 9)!, receiver.localAddress, addressOf('127.0.0.1', 0)!, receiver.localAddress];
    for (const [i, to] of targets.entries()) append(sender, to, 10, i);
    append(sender, addressOf('::1', 9)!, 10, 9);
    expect(sender.flush()).toBe(5);
    expect(collectMarks(sys, receiver, 2).map(([, mark]) => mark)).toEqual([1, 3]);
    expect(sender.stats).toMatchObject({ datagramsOut: 2, sendFailed: 3 });
    expect(sender.joining).toBe(true);
  });

  it('because an earlier one was refused (ECONNREFUSED) is sent again, and nothing else is lost', async () => {
    const sender = await open('127.0.0.1');
    const receiver = await open('127.0.0.1', { rxSlots: 128 });
    const closed = await open('127.0.0.1');
    closed.close();
    setOption(linuxCalls(), NativeArena.map(64), sender.pollHandle, SOL_IP, IP_RECVERR, 1);
    let mark = 0;
    for (let round = 0; round < 10; round++) {
      append(sender, closed.localAddress, 10, 200);
      append(sender, receiver.localAddress, 10, mark++);
      append(sender, closed.localAddress, 10, 200);
      append(sender, receiver.localAddress, 10, mark++);
      append(sender, receiver.localAddress, 10, mark++);
      expect(sender.flush()).toBe(5);
    }
    expect(collectMarks(sys, receiver, mark)).toEqual(Array.from({ length: mark }, (_, i) => [10, i]));
    // 50 entries; each of the 20 to the closed port may have spoilt a successor's first try.
    expect(sender.stats.syscalls).toBeGreaterThan(10);
    expect(sender.stats.datagramsOut + sender.stats.refused).toBe(50);
    append(receiver, sender.localAddress, 10, 77);
    receiver.flush();
    expect(awaitReceive(sys, sender)).toBe(1); // the pending error is not taken for "nothing waits"
    expect(marksOf(sender)).toEqual([[10, 77]]);
  });

  it('leaves its slot as new: offsets are at home after a flush', async () => {
    const sender = await open('127.0.0.1');
    const receiver = await open('127.0.0.1');
    append(sender, receiver.localAddress, 10, 1);
    sender.tx.offset[0]! -= 8; // a header written into the headroom
    sender.tx.length[0]! += 8;
    sender.flush();
    expect(sender.tx.offset[0]).toBe(sender.tx.home(0));
    expect(awaitReceive(sys, receiver)).toBe(1);
    expect(receiver.rx.length[0]).toBe(18);
  });

  it.each([
    [{ rxSlots: 0 }, 'rxSlots is 0: it must be a whole number from 1 to 1024'],
    [{ txSlots: 1025 }, 'txSlots is 1025'],
    [{ slotBytes: 65_536 }, 'slotBytes is 65536'],
    [{ receiveBufferBytes: -1 }, 'receiveBufferBytes is -1'],
    [{ sendBufferBytes: 1.5 }, 'sendBufferBytes is 1.5'],
  ])('is preceded by an option that cannot be: %o', async (options, message) => {
    await expect(open('127.0.0.1', options)).rejects.toThrow(message);
    await expect(open('127.0.0.1', options)).rejects.toMatchObject({ name: 'SysError', code: 'EINVAL' });
  });
});

describe.skipIf(without !== '')(`over a link of its own${without === '' ? '' : ` (${without})`}`, () => {
  it('what is too large for the path is counted, its neighbours arrive, and joining goes on', async () => {
    const pair = new NamespacePair('mtu');
    const sys = openSys({ backend: 'udp' });
    try {
      pair.limitMtu(1280);
      pair.open();
      const sender = (await pair.inside(pair.near, () => sys.openUdp(addressOf(NEAR, 0)!))) as LinuxUdpSocket;
      const receiver = await pair.inside(pair.far, () => sys.openUdp(addressOf(FAR, 0)!));
      const sizes = [1252, 1252, 1253, 1253, 1253, 900, 1252]; // 1,280 - 20 (IP) - 8 (UDP) fits
      for (const [i, size] of sizes.entries()) append(sender, receiver.localAddress, size, i);
      expect(sender.flush()).toBe(7);
      expect(collectMarks(sys, receiver, 4)).toEqual([
        [1252, 0],
        [1252, 1],
        [900, 5],
        [1252, 6],
      ]);
      expect(sender.stats).toMatchObject({ datagramsOut: 4, tooLarge: 3, sendFailed: 0 });
      expect(sender.joining).toBe(true);
      sender.close();
      receiver.close();
    } finally {
      pair.close();
      sys.close();
    }
  });

  it('what has no route is counted, its neighbours arrive', async () => {
    const pair = new NamespacePair('route');
    const sys = openSys({ backend: 'udp' });
    try {
      pair.open();
      const sender = await pair.inside(pair.near, () => sys.openUdp(addressOf(NEAR, 0)!));
      const receiver = await pair.inside(pair.far, () => sys.openUdp(addressOf(FAR, 0)!));
      const nowhere = addressOf('203.0.113.1', 9)!; // TEST-NET-3: ENETUNREACH
      for (const [i, to] of [nowhere, receiver.localAddress, nowhere, receiver.localAddress].entries()) {
        append(sender, to, 10, i);
      }
      expect(sender.flush()).toBe(4);
      expect(collectMarks(sys, receiver, 2).map(([, mark]) => mark)).toEqual([1, 3]);
      expect(sender.stats).toMatchObject({ datagramsOut: 2, sendFailed: 2 });
      expect(portOf(sender.localAddress)).toBeGreaterThan(0);
      sender.close();
      receiver.close();
    } finally {
      pair.close();
      sys.close();
    }
  });
});
