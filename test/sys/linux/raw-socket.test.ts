import { afterAll, describe, expect, it } from 'vitest';
import { addressOf, type DatagramSocket, formatAddress, SysError } from '../../../sys/api.ts';
import { SystemClock } from '../../../sys/clock.ts';
import { compileCondition, compileFilter } from '../../../sys/filter/compile.ts';
import { all, equals, loadAt, loadBehind } from '../../../sys/filter/packet-test.ts';
import { EpollPoller } from '../../../sys/linux/epoll.ts';
import { RawSocket, type RawSocketOptions } from '../../../sys/linux/raw-socket.ts';
import { WHOLE } from '../../../sys/wire/header.ts';
import { ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, IcmpHeader } from '../../../sys/wire/icmp.ts';
import { ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST, Icmpv6Header } from '../../../sys/wire/icmpv6.ts';
import { IPv4Header } from '../../../sys/wire/ipv4.ts';
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_UDP } from '../../../sys/wire/numbers.ts';
import { UdpHeader } from '../../../sys/wire/udp.ts';

/** Raw sockets that the test opened, or why it may not. */
function rights(): string {
  if (process.platform !== 'linux') return ' (skipped: not Linux)';
  try {
    new RawSocket(addressOf('127.0.0.1', 0)!, PROTOCOL_ICMP, new SystemClock()).close();
    return '';
  } catch (error) {
    if (error instanceof SysError && error.code === 'EPERM') return ' (skipped: no right to raw sockets)';
    throw error;
  }
}
const why = rights();

describe.skipIf(why !== '')(`a raw socket${why}`, () => {
  const clock = new SystemClock();
  const opened: DatagramSocket[] = [];
  const open = (host: string, protocol: number, options: RawSocketOptions = {}): RawSocket => {
    const socket = new RawSocket(addressOf(host, 0)!, protocol, clock, options);
    opened.push(socket);
    return socket;
  };
  afterAll(() => {
    for (const socket of opened) socket.close();
  });
  const put = (socket: RawSocket, to: string, length: number): number => {
    socket.tx.address.set(addressOf(to, 0)!, 0);
    socket.tx.length[0] = length;
    socket.tx.count = 1;
    socket.tx.offset[0] = socket.tx.home(0);
    return socket.tx.offset[0]!;
  };

  /** Shows `look` where each received packet begins, until it is done. Loopback mostly delivers before `flush` returns, not always. */
  const receiveUntil = (socket: RawSocket, done: () => boolean, look: (at: number, slot: number) => void): void => {
    const patience = clock.now() + 2_000_000;
    while (!done() && clock.now() < patience) {
      const count = socket.receive();
      for (let i = 0; i < count; i++) look(socket.rx.offset[i]!, i);
    }
  };

  it('is answered an echo over 127.0.0.1', () => {
    const socket = open('127.0.0.1', PROTOCOL_ICMP);
    const at = put(socket, '127.0.0.1', 12);
    const echo = new IcmpHeader().wrap(socket.tx.arena, at, at + 12).clear();
    Object.assign(echo, { type: ICMP_ECHO_REQUEST, identifier: 0x7177, sequence: 3 });
    echo.fillChecksum();
    expect(socket.flush()).toBe(1);
    const seen: object[] = [];
    const ip = new IPv4Header();
    const seenBoth = (): boolean => seen.length >= 2;
    receiveUntil(socket, seenBoth, (from, i) => {
      expect(ip.wrap(socket.rx.arena, from, from + socket.rx.length[i]!).check()).toBe(WHOLE);
      const { type, identifier, sequence } = echo.wrap(socket.rx.arena, ip.payloadOffset, ip.payloadEnd);
      if (identifier === 0x7177)
        seen.push({ type, sequence, holds: echo.checksumHolds, from: formatAddress(socket.rx.address, i * 24) });
    });
    // The kernel of the loopback is both ends: the request is seen too.
    const common = { sequence: 3, holds: true, from: '127.0.0.1:0' };
    expect(seen).toContainEqual({ type: ICMP_ECHO_REQUEST, ...common });
    expect(seen).toContainEqual({ type: ICMP_ECHO_REPLY, ...common });
  });

  it('is answered an echo over ::1, with the checksum left to the kernel', () => {
    const socket = open('::1', PROTOCOL_ICMPV6);
    const at = put(socket, '::1', 12);
    const echo = new Icmpv6Header().wrap(socket.tx.arena, at, at + 12).clear();
    Object.assign(echo, { type: ICMPV6_ECHO_REQUEST, identifier: 0x7178, sequence: 4 });
    expect(socket.flush()).toBe(1);
    const types: number[] = [];
    const isAnswered = (): boolean => types.includes(ICMPV6_ECHO_REPLY);
    receiveUntil(socket, isAnswered, (from, i) => {
      echo.wrap(socket.rx.arena, from, from + socket.rx.length[i]!);
      if (echo.check() === WHOLE && echo.identifier === 0x7178) types.push(echo.type);
    });
    expect(types).toContain(ICMPV6_ECHO_REPLY);
  });

  it('has the hop limit that was asked for, and the time of arrival, not of reading', () => {
    const requests = equals(loadBehind(0, 0, 1), ICMP_ECHO_REQUEST);
    const filter = compileCondition(all(requests, equals(loadBehind(0, 4, 2), 0x7179)));
    const socket = open('127.0.0.1', PROTOCOL_ICMP, { filter, hopLimit: 33, receivedAt: true });
    const poller = new EpollPoller(() => clock.now());
    const ip = new IPv4Header();
    let waited = 0;
    // The kernel begins to stamp in the background. It is given as many tries as `ReceiveStamps` gives it.
    for (let tries = 0; tries < 25 && waited < 4000; tries++) {
      const at = put(socket, '127.0.0.1', 8);
      const echo = new IcmpHeader().wrap(socket.tx.arena, at, at + 8).clear();
      Object.assign(echo, { type: ICMP_ECHO_REQUEST, identifier: 0x7179 });
      echo.fillChecksum();
      const before = clock.now();
      socket.flush();
      poller.wait(5000);
      const asked = clock.now();
      if (socket.receive() === 0) continue;
      const from = socket.rx.offset[0]!;
      expect(ip.wrap(socket.rx.arena, from, from + socket.rx.length[0]!).ttl).toBe(33);
      waited = asked - socket.rx.receivedAt![0]!;
      // Two clocks are compared by reading one after the other: a thread that loses its core meanwhile may be off by that.
      expect(socket.rx.receivedAt![0]).toBeGreaterThanOrEqual(before - 1000);
    }
    poller.close();
    expect(waited).toBeGreaterThanOrEqual(4000);
  });

  it('is given by its filter what it asks for over IPv6 too, where a packet starts behind the IP header', () => {
    const replies = equals(loadAt(0, 1), ICMPV6_ECHO_REPLY);
    const filter = compileCondition(all(replies, equals(loadAt(4, 2), 0x717b)));
    const socket = open('::1', PROTOCOL_ICMPV6, { filter });
    for (const identifier of [0x717a, 0x717b]) {
      const at = put(socket, '::1', 8);
      const echo = new Icmpv6Header().wrap(socket.tx.arena, at, at + 8).clear();
      Object.assign(echo, { type: ICMPV6_ECHO_REQUEST, identifier });
      socket.flush();
    }
    const seen: number[] = [];
    const heard = (): boolean => seen.length > 0;
    receiveUntil(socket, heard, (from, i) => {
      const echo = new Icmpv6Header().wrap(socket.rx.arena, from, from + socket.rx.length[i]!);
      seen.push(echo.type, echo.identifier);
    });
    expect(seen).toEqual([ICMPV6_ECHO_REPLY, 0x717b]);
  });

  it('receives nothing that its filter leaves out', () => {
    const sender = open('127.0.0.1', PROTOCOL_ICMP);
    const nothing = compileCondition(equals(loadAt(0, 1), 0)); // no IPv4 header starts with 0
    const socket = open('127.0.0.1', PROTOCOL_ICMP, { filter: nothing });
    const at = put(sender, '127.0.0.1', 8);
    new IcmpHeader().wrap(sender.tx.arena, at, at + 8).clear().type = ICMP_ECHO_REQUEST;
    expect([sender.flush(), socket.receive()]).toEqual([1, 0]);
  });

  it('sends a header of the caller’s own, and a filter decides what is received', () => {
    // A raw socket's filter starts at the IP header, as a frame does 14 bytes later: only `less` and `greater` fit as they are.
    const socket = open('127.0.0.1', PROTOCOL_UDP, { headerIncluded: true, filter: compileFilter('less 31') });
    for (const size of [2, 40]) {
      const at = put(socket, '127.0.0.1', 28 + size);
      const ip = new IPv4Header().wrap(socket.tx.arena, at, at + 28 + size).clear();
      Object.assign(ip, { totalBytes: 28 + size, ttl: 9, protocol: PROTOCOL_UDP });
      ip.writeSource(addressOf('127.0.0.2', 0)!);
      ip.writeDestination(addressOf('127.0.0.1', 0)!);
      const udp = new UdpHeader().wrap(socket.tx.arena, at + 20, at + 28 + size);
      Object.assign(udp, { sourcePort: 40_001, destinationPort: 9, totalBytes: 8 + size });
      udp.fillChecksum(ip.pseudoSum(PROTOCOL_UDP, 8 + size));
      expect(socket.flush()).toBe(1);
    }
    const sizes: number[] = [];
    // Others on this loopback send too: ours are known by their ports.
    const come = (): boolean => sizes.length > 0;
    receiveUntil(socket, come, (from, i) => {
      const udp = new UdpHeader().wrap(socket.rx.arena, from + 20, from + socket.rx.length[i]!);
      if (udp.sourcePort === 40_001 && udp.destinationPort === 9) {
        expect(formatAddress(socket.rx.address, i * 24)).toBe('127.0.0.2:0');
        sizes.push(socket.rx.length[i]!);
      }
    });
    expect(sizes).toEqual([30]);
  });
});
