/** Port groups: what comes from one peer reaches one socket, what names a socket reaches that one, whoever closes what. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf, type DatagramSocket, type PortGroup, portOf, type Sys, SysError } from '../../../sys/api.ts';
import { library } from '../../../sys/ffi/library.ts';
import { openPortGroup, openSys } from '../../../sys/index.ts';
import { append, awaitReceive, marksOf } from './sockets.ts';

const native = process.platform === 'linux' && library() !== null;
const SOCKETS = 4;
const NAMED = 9;
const PLAIN = 5;

describe.skipIf(!native)(`port groups${native ? '' : ' (need koffi on Linux)'}`, () => {
  let sys: Sys;
  let group: PortGroup;
  const opened: DatagramSocket[] = [];

  beforeEach(() => {
    sys = openSys({ backend: 'udp' });
  });
  afterEach(() => {
    for (const socket of opened.splice(0)) socket.close();
    group?.close();
    sys.close();
  });

  const open = async (local: Uint8Array, options = {}): Promise<DatagramSocket> => {
    const socket = await sys.openUdp(local, options);
    opened.push(socket);
    return socket;
  };
  const openMembers = async (host: string, size = SOCKETS): Promise<DatagramSocket[]> => {
    group = openPortGroup(addressOf(host, 0)!, size, { namedTypes: [8, NAMED] });
    return Promise.all(group.descriptors.map((descriptor) => open(group.localAddress, { descriptor })));
  };
  /** A datagram of `bytes` to the group. */
  const send = (from: DatagramSocket, bytes: readonly number[]): void => {
    const slot = from.tx.count;
    append(from, group.localAddress, bytes.length, 0);
    from.tx.arena.set(bytes, from.tx.offset[slot]!);
    expect(from.flush()).toBe(1);
  };
  /** How many datagrams each member has got, of `expected` in all. Loopback mostly delivers before `send` returns, not always. */
  const received = (members: readonly DatagramSocket[], expected = 1): number[] => {
    const counts = members.map(() => 0);
    const patience = sys.clock.now() + 2_000_000;
    for (let left = expected; left > 0 && sys.clock.now() < patience; ) {
      for (const [i, member] of members.entries()) {
        const count = member.receive();
        counts[i]! += count;
        left -= count;
      }
    }
    return counts;
  };

  it.each(['127.0.0.1', '::1'])(
    'all that comes from one port reaches one socket, and ports are spread (%s)',
    async (host) => {
      const members = await openMembers(host);
      const sources = 400;
      const totals = [0, 0, 0, 0];
      for (let i = 0; i < sources; i++) {
        const source = await sys.openUdp(addressOf(host, 0)!, { rxSlots: 1, txSlots: 1 });
        for (let k = 0; k < 5; k++) send(source, [PLAIN, k]);
        const got = received(members);
        expect(got.filter((count) => count > 0)).toEqual([5]);
        totals[got.indexOf(5)]!++;
        source.close();
      }
      // Binomial with n = 400, p = 1/4: a standard deviation is 8.7.
      for (const total of totals) expect(Math.abs(total - sources / SOCKETS)).toBeLessThan(45);
    },
  );

  it('hosts with the same port are spread too', async () => {
    const members = await openMembers('0.0.0.0');
    const port = portOf(group.localAddress);
    const first = await open(addressOf('127.0.0.2', 0)!);
    const totals = [0, 0, 0, 0];
    for (let i = 0; i < 250; i++) {
      const source = await sys.openUdp(addressOf(`127.0.1.${i + 1}`, portOf(first.localAddress))!, {
        txSlots: 1,
        rxSlots: 1,
      });
      append(source, addressOf('127.0.0.1', port)!, 2, PLAIN);
      source.flush();
      totals[received(members).indexOf(1)]!++;
      source.close();
    }
    for (const total of totals) expect(Math.abs(total - 62.5)).toBeLessThan(40);
  });

  it.each(['127.0.0.1', '::1'])(
    'a datagram that names a socket reaches it from anywhere, whatever its number length (%s)',
    async (host) => {
      const members = await openMembers(host);
      for (const type of [8, NAMED]) {
        for (let numberBytes = 1; numberBytes <= 8; numberBytes++) {
          for (let socket = 0; socket < SOCKETS; socket++) {
            const source = await sys.openUdp(addressOf(host, 0)!, { rxSlots: 1, txSlots: 1 });
            send(source, [type | (numberBytes << 4), ...Array(numberBytes).fill(0x5a), socket, 1, 2, 3, 4, 5, 6, 7, 0]);
            source.close();
            const got = received(members);
            expect(got[socket]).toBe(1);
          }
        }
      }
    },
  );

  it('a number beyond the group, an empty and a cut-off datagram reach somebody', async () => {
    const members = await openMembers('127.0.0.1');
    const source = await open(addressOf('127.0.0.1', 0)!);
    for (const bytes of [[NAMED | 16, 0, 255, 0], [], [NAMED | 0x80, 0, 0]]) {
      send(source, bytes);
      expect(received(members).reduce((sum, count) => sum + count)).toBe(1);
    }
  });

  it('a socket that a thread has closed waits for the next thread, its number and what it holds stay', async () => {
    const members = await openMembers('127.0.0.1');
    members[2]!.close();
    const source = await open(addressOf('127.0.0.1', 0)!);
    send(source, [NAMED | 16, 0, 2, 7, 7, 7]);
    const next = await open(group.localAddress, { descriptor: group.descriptors[2] });
    expect(awaitReceive(sys, next)).toBe(1);
    expect(received([members[0]!, members[1]!, members[3]!], 0)).toEqual([0, 0, 0]);
    expect(marksOf(next)[0]![0]).toBe(6);
    expect(next.localAddress).toEqual(group.localAddress);
  });

  it('a port that somebody has is refused, also one that he shares', async () => {
    const taken = await open(addressOf('127.0.0.1', 0)!, { reusePort: true });
    expect(() => openPortGroup(taken.localAddress, 2, { namedTypes: [] })).toThrow(/EADDRINUSE/);
  });

  it.each([0, 257, 1.5])('%d sockets are refused', (sockets) => {
    expect(() => openPortGroup(addressOf('127.0.0.1', 0)!, sockets, { namedTypes: [] })).toThrow(SysError);
  });
});

describe('a backend that cannot share sockets', () => {
  it('says so when asked for one', async () => {
    const sys = openSys({ backend: 'dgram' });
    expect(sys.capabilities.portGroups).toBe(false);
    await expect(sys.openUdp(addressOf('127.0.0.1', 0)!, { descriptor: 3 })).rejects.toThrow(/ENOTSUP.*descriptor/);
    sys.close();
  });
});
