/** Joining: what goes out as one send (UDP_SEGMENT), what comes in as one buffer (UDP_GRO), and what must not be joined. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf, type DatagramSocket, type Sys } from '../../../sys/api.ts';
import { NativeArena } from '../../../sys/ffi/arena.ts';
import { library } from '../../../sys/ffi/library.ts';
import { openSys } from '../../../sys/index.ts';
import { linuxCalls } from '../../../sys/linux/calls.ts';
import { type LinuxUdpSocket, setOption } from '../../../sys/linux/udp-socket.ts';
import { append, awaitReceive, collectMarks, marksOf } from './sockets.ts';

const SOL_SOCKET = 1;
const SO_NO_CHECK = 11; // without checksums the kernel refuses UDP_SEGMENT: EINVAL
const HOSTS = ['127.0.0.1', '::1'];

const native = process.platform === 'linux' && library() !== null;
const probe = native ? openSys({ backend: 'udp' }).capabilities : { gso: false, gro: false };
const can = probe.gso && probe.gro;

describe.skipIf(!can)(`joined datagrams${can ? '' : ' (needs koffi on Linux with UDP_SEGMENT and UDP_GRO)'}`, () => {
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

  /** Sizes of the groups in which datagrams lie side by side in one receive buffer: what was joined on the way. */
  const groupsOf = (socket: DatagramSocket): number[] => {
    const { rx } = socket;
    const groups: number[] = [];
    for (let slot = 0; slot < rx.count; slot++) {
      const beside = slot > 0 && rx.offset[slot] === rx.offset[slot - 1]! + rx.length[slot - 1]!;
      if (beside) groups[groups.length - 1]!++;
      else groups.push(1);
    }
    return groups;
  };

  it.each(HOSTS)('neighbours of one size to one peer travel as one, the last may be shorter (%s)', async (host) => {
    const sender = await open(host);
    const receiver = await open(host, { gro: true });
    for (let i = 0; i < 9; i++) append(sender, receiver.localAddress, 100, i + 1);
    append(sender, receiver.localAddress, 50, 10);
    expect(sender.flush()).toBe(10);
    expect(awaitReceive(sys, receiver)).toBe(10);
    expect(groupsOf(receiver)).toEqual([10]);
    expect(marksOf(receiver)).toEqual([...Array.from({ length: 9 }, (_, i) => [100, i + 1]), [50, 10]]);
    expect(receiver.receive()).toBe(0);
    expect(sender.stats).toMatchObject({ datagramsOut: 10, bytesOut: 950, syscalls: 1 });
    expect(receiver.stats).toMatchObject({ datagramsIn: 10, bytesIn: 950, truncated: 0 });
  });

  it.each(HOSTS)('arrive singly at a socket that does not ask for joined ones (%s)', async (host) => {
    const sender = await open(host);
    const receiver = await open(host);
    for (let i = 0; i < 64; i++) append(sender, receiver.localAddress, 1200, i);
    expect(sender.flush()).toBe(64);
    expect(collectMarks(sys, receiver, 64)).toEqual(Array.from({ length: 64 }, (_, i) => [1200, i]));
  });

  it('are not joined when gso is off', async () => {
    const sender = await open('127.0.0.1', { gso: false });
    const receiver = await open('127.0.0.1', { gro: true });
    for (let i = 0; i < 8; i++) append(sender, receiver.localAddress, 100, i);
    sender.flush();
    awaitReceive(sys, receiver);
    expect(groupsOf(receiver)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('a longer one starts a new group, a shorter one ends its group', async () => {
    const sender = await open('127.0.0.1');
    const receiver = await open('127.0.0.1', { gro: true });
    const sizes = [10, 10, 20, 20, 5, 20, 20, 30];
    for (const [i, size] of sizes.entries()) append(sender, receiver.localAddress, size, i);
    expect(sender.flush()).toBe(8);
    awaitReceive(sys, receiver);
    expect(groupsOf(receiver)).toEqual([2, 3, 2, 1]);
    expect(marksOf(receiver)).toEqual(sizes.map((size, i) => [size, i]));
  });

  it('an empty datagram is neither lost nor joined', async () => {
    const sender = await open('127.0.0.1');
    const receiver = await open('127.0.0.1', { gro: true });
    const sizes = [0, 0, 7, 7, 0, 7, 0];
    for (const size of sizes) append(sender, receiver.localAddress, size, 0);
    expect(sender.flush()).toBe(7);
    expect(collectMarks(sys, receiver, 7)).toEqual(sizes.map((size) => [size, 0]));
  });

  it('peers are not mixed', async () => {
    const sender = await open('127.0.0.1');
    const a = await open('127.0.0.1', { gro: true });
    const b = await open('127.0.0.1', { gro: true });
    for (const [i, to] of [a, a, b, a, b, b].entries()) append(sender, to.localAddress, 10, i);
    expect(sender.flush()).toBe(6);
    expect(collectMarks(sys, a, 3).map(([, mark]) => mark)).toEqual([0, 1, 3]);
    expect(collectMarks(sys, b, 3).map(([, mark]) => mark)).toEqual([2, 4, 5]);
  });

  it('a group holds at most 64 datagrams and 65,507 bytes', async () => {
    const sender = await open('127.0.0.1', { txSlots: 256 });
    const receiver = await open('127.0.0.1', { gro: true, receiveBufferBytes: 1 << 20 });
    for (let i = 0; i < 150; i++) append(sender, receiver.localAddress, 10, i);
    expect(sender.flush()).toBe(150);
    awaitReceive(sys, receiver);
    expect(groupsOf(receiver)).toEqual([64, 64, 22]);
    for (let i = 0; i < 40; i++) append(sender, receiver.localAddress, 2000, i);
    expect(sender.flush()).toBe(40);
    awaitReceive(sys, receiver);
    expect(groupsOf(receiver)).toEqual([32, 8]); // 32 x 2,000 = 64,000
    expect(marksOf(receiver).map(([, mark]) => mark)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  it('longer than the slots of the receiver are dropped and counted one by one', async () => {
    const sender = await open('127.0.0.1');
    const receiver = await open('127.0.0.1', { gro: true, slotBytes: 100 });
    for (const size of [101, 101, 40]) append(sender, receiver.localAddress, size, 1);
    sender.flush();
    expect(awaitReceive(sys, receiver)).toBe(1);
    expect(marksOf(receiver)).toEqual([[40, 1]]);
    expect(receiver.stats).toMatchObject({ truncated: 2, datagramsIn: 1 });
  });

  it('go out singly, none lost, from the first time that the kernel refuses to cut them', async () => {
    const sender = await open('127.0.0.1');
    const receiver = await open('127.0.0.1', { gro: true });
    setOption(linuxCalls(), NativeArena.map(64), sender.pollHandle, SOL_SOCKET, SO_NO_CHECK, 1);
    for (let i = 0; i < 12; i++) append(sender, receiver.localAddress, 100, i);
    expect(sender.joining).toBe(true);
    expect(sender.flush()).toBe(12);
    expect(sender.joining).toBe(false);
    expect(collectMarks(sys, receiver, 12)).toEqual(Array.from({ length: 12 }, (_, i) => [100, i]));
    expect(sender.stats).toMatchObject({ datagramsOut: 12, sendFailed: 0, tooLarge: 0 });
  });

  it('more than the receive buffers hold come with the next receive', async () => {
    const sender = await open('127.0.0.1', { txSlots: 40 });
    const receiver = await open('127.0.0.1', { gro: true, rxSlots: 4 });
    for (let i = 0; i < 40; i++) append(sender, receiver.localAddress, 10 + (i % 2) * 10, i); // pairs of 20, 10 are joined
    sender.flush();
    const marks = collectMarks(sys, receiver, 40);
    expect(marks.map(([, mark]) => mark)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(receiver.stats.syscalls).toBeGreaterThan(4);
  });
});
