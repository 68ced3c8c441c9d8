import { afterAll, describe, expect, it } from 'vitest';
import { addressOf, type DatagramSocket, formatAddress, SysError } from '../../../sys/api.ts';
import { SystemClock } from '../../../sys/clock.ts';
import { compileFilter } from '../../../sys/filter/compile.ts';
import { RawSocket } from '../../../sys/linux/raw-socket.ts';
import { attachFilter } from '../../../sys/linux/socket-filter.ts';
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
  const open = (host: string, protocol: number, headerIncluded = false): RawSocket => {
    const socket = new RawSocket(addressOf(host, 0)!, protocol, clock, { headerIncluded });
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

  it('sends a header of the caller’s own, and a filter decides what is received', () => {
    const socket = open('127.0.0.1', PROTOCOL_UDP, true);
    // A raw socket's filter starts at the IP header, as a frame does 14 bytes later: only `less` and `greater` fit as they are.
    attachFilter(socket.pollHandle, compileFilter('less 31'));
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
