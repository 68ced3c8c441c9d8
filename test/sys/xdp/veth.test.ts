/** Datagrams through frames over a veth: every size, both families, several sockets and queues, and what must not pass. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ADDRESS_BYTES, addressOf, type DatagramSocket, formatHost, portOf, type Sys } from '../../../sys/api.ts';
import type { LinuxSys } from '../../../sys/linux/linux-sys.ts';
import type { XdpOptions } from '../../../sys/xdp/xdp-options.ts';
import type { XdpSocket } from '../../../sys/xdp/xdp-socket.ts';
import type { XdpSys } from '../../../sys/xdp/xdp-sys.ts';
import { append, copies } from '../../conformance/outside.ts';
import { pattern, upTo } from '../../conformance/workbench.ts';
import { FAR, NEAR } from '../linux/namespaces.ts';
import { awaitReceive } from '../linux/sockets.ts';
import { FAR6, NEAR6, openLinux, openXdp, whyNoXdp, XdpPair } from './veth.ts';

const why = whyNoXdp();
/** Larger than what one flush of a default socket takes, smaller than a receive buffer. */
const ROUND = 50;

describe.skipIf(why !== '')(`AF_XDP over a veth${why === '' ? '' : ` (${why})`}`, () => {
  let pair: XdpPair;
  const opened: Sys[] = [];
  const xdp = (options: XdpOptions = {}): XdpSys => keep(openXdp(options));
  const linux = (): LinuxSys => keep(openLinux());
  function keep<T extends Sys>(sys: T): T {
    opened.push(sys);
    return sys;
  }
  const open = async (sys: Sys, side: 'near' | 'far', host: string, options = {}, port = 0) =>
    (await pair.openUdp(sys, side, host, port, options)) as XdpSocket;

  beforeAll(() => {
    pair = new XdpPair('veth');
  });
  afterAll(() => pair.close());
  beforeEach(() => pair.introduce());
  afterEach(() => {
    for (const sys of opened.splice(0)) sys.close();
  });

  for (const mode of ['native', 'generic'] as const) {
    it(`carries 0 to 1,472 bytes both ways, over IPv4 and IPv6, byte for byte (${mode})`, async () => {
      const a = xdp({ mode });
      const b = xdp({ mode });
      for (const [near, far, largest] of [
        [NEAR, FAR, 1472],
        [NEAR6, FAR6, 1452],
      ] as const) {
        const from = await open(a, 'near', near);
        const to = await open(b, 'far', far);
        const sizes = [...upTo(70), 99, 100, 255, 256, 257, 258, 259, 1000, 1001, 1002, 1003, largest - 1, largest];
        for (const [one, other, sys] of [
          [from, to, b],
          [to, from, a],
        ] as const) {
          for (let start = 0; start < sizes.length; start += ROUND) {
            const some = sizes.slice(start, start + ROUND);
            for (const size of some) append(one, other.localAddress, pattern(size, size));
            expect(one.flush()).toBe(some.length);
            const came = collect(sys, other, some.length);
            expect(came.map(({ bytes }) => bytes)).toEqual(some.map((size) => pattern(size, size)));
            expect(came.every(({ from }) => Buffer.compare(from, one.localAddress) === 0)).toBe(true);
          }
        }
        for (const { traffic } of [from, to]) {
          expect(traffic).toEqual({
            framesIn: sizes.length,
            framesOut: sizes.length,
            kernelIn: 0,
            kernelOut: 0,
            malformed: 0,
            badChecksum: 0,
          });
        }
        from.close();
        to.close();
      }
    });
  }

  it('writes checksums that the kernel finds right, over both families, for odd and even sizes', async () => {
    const a = xdp();
    const b = linux();
    for (const [near, far] of [
      [NEAR, FAR],
      [NEAR6, FAR6],
    ] as const) {
      const from = await open(a, 'near', near);
      const to = await open(b, 'far', far);
      for (const size of [0, 1, 2, 3, 4, 5, 100, 101, 256, 257, 1452]) {
        append(from, to.localAddress, pattern(size));
        from.flush();
        expect(collect(b, to, 1).map(({ bytes }) => bytes)).toEqual([pattern(size)]);
      }
      expect(from.traffic.framesOut).toBe(11);
    }
  });

  it('keeps datagrams apart that the kernel of the sender has joined', async () => {
    for (const mode of ['native', 'generic'] as const) {
      const sys = xdp({ mode });
      const to = await open(sys, 'near', NEAR);
      const from = await open(linux(), 'far', FAR);
      for (const n of upTo(20)) append(from, to.localAddress, pattern(60, n));
      from.flush();
      expect(collect(sys, to, 20).map(({ bytes }) => bytes)).toEqual(upTo(20).map((n) => pattern(60, n)));
      for (const used of opened.splice(0)) used.close();
    }
  });

  it('brings what is too large for a frame, in fragments, through the kernel', async () => {
    const sys = xdp();
    const to = await open(sys, 'near', NEAR, { slotBytes: 9000 });
    pair.inFar('sysctl', '-q', '-w', 'net.ipv4.ip_no_pmtu_disc=1');
    const { createSocket } = await import('node:dgram');
    const outside = await pair.within(
      pair.far,
      () =>
        new Promise<ReturnType<typeof createSocket>>((resolve) => {
          const socket = createSocket('udp4');
          socket.bind(0, FAR, () => resolve(socket));
        }),
    );
    await new Promise((resolve) => outside.send(pattern(5000), portOf(to.localAddress), NEAR, resolve));
    expect(collect(sys, to, 1).map(({ bytes }) => bytes)).toEqual([pattern(5000)]);
    expect(to.traffic).toMatchObject({ framesIn: 0, kernelIn: 1 });
    outside.close();
  });

  it('gives each of several sockets its own, also when they are read in turn', async () => {
    const sys = xdp();
    const sockets = await Promise.all(upTo(5).map(() => open(sys, 'near', NEAR)));
    const from = await open(xdp(), 'far', FAR);
    for (const n of upTo(50)) append(from, sockets[n % 5]!.localAddress, pattern(40, n));
    from.flush();
    for (const [index, socket] of sockets.entries()) {
      const wanted = upTo(10).map((n) => pattern(40, n * 5 + index));
      expect(collect(sys, socket, 10).map(({ bytes }) => bytes)).toEqual(wanted);
    }
  });

  it('loses no frame of its own, however often it is flooded and however often its sockets are closed', async () => {
    const sys = xdp({ rxFrames: 256 });
    const from = await open(linux(), 'far', FAR, { gso: false });
    for (const round of upTo(8)) {
      const to = await open(sys, 'near', NEAR);
      for (const n of upTo(20)) {
        for (const m of upTo(ROUND)) append(from, to.localAddress, pattern(30, n * ROUND + m));
        from.flush();
      }
      if (round % 2 === 0) {
        // What it could hold, in order; then it goes on with what is new.
        expect(collect(sys, to, 256).map(({ bytes }) => bytes)).toEqual(upTo(256).map((n) => pattern(30, n)));
        expect(to.receive()).toBe(0);
        expect(to.drops().noFrame + to.drops().ringFull).toBeGreaterThan(0);
        append(from, to.localAddress, pattern(77));
        from.flush();
        expect(collect(sys, to, 1).map(({ bytes }) => bytes)).toEqual([pattern(77)]);
      }
      to.close();
    }
  });

  it('gives a new socket nothing that came for the one that had its place', async () => {
    const sys = xdp();
    const from = await open(linux(), 'far', FAR);
    const first = await open(sys, 'near', NEAR);
    append(from, first.localAddress, pattern(9));
    from.flush();
    expect(awaitReceive(sys, first)).toBe(1);
    append(from, first.localAddress, pattern(10));
    from.flush();
    first.close();
    const second = await open(sys, 'near', NEAR, {}, portOf(first.localAddress));
    expect(second.receive()).toBe(0);
    append(from, second.localAddress, pattern(11));
    from.flush();
    expect(collect(sys, second, 1).map(({ bytes }) => bytes)).toEqual([pattern(11)]);
  });

  it('says to which address each came and answers from there, where it is bound to all', async () => {
    const sys = xdp({ interface: 'near' });
    const to = await open(sys, 'near', '::', { columns: { localAddress: true } });
    const b = linux();
    for (const [near, far] of [
      [NEAR, FAR],
      [NEAR6, FAR6],
    ] as const) {
      const from = await open(b, 'far', far);
      const target = addressOf(near, portOf(to.localAddress))!;
      append(from, target, pattern(20));
      from.flush();
      expect(awaitReceive(sys, to)).toBe(1);
      expect(to.rx.localAddress!.slice(0, ADDRESS_BYTES)).toEqual(target);
      append(to, from.localAddress, pattern(21));
      to.tx.localAddress!.set(to.rx.localAddress!.subarray(0, ADDRESS_BYTES), 0);
      expect(to.flush()).toBe(1);
      const [answer] = collect(b, from, 1);
      expect([formatHost(answer!.from), portOf(answer!.from)]).toEqual([near, portOf(target)]);
    }
    expect(to.traffic).toMatchObject({ framesIn: 2, framesOut: 2, kernelIn: 0, kernelOut: 0 });
  });

  it('says when a datagram came, by the clock of the Sys, however late it is read', async () => {
    for (const mode of ['native', 'generic'] as const) {
      const sys = xdp({ mode });
      const to = await open(sys, 'near', NEAR, { columns: { receivedAt: true } });
      const from = await open(xdp({ mode }), 'far', FAR); // its checksums: see the README, Checksums
      const before = sys.clock.now();
      append(from, to.localAddress, pattern(20));
      from.flush();
      const after = sys.clock.now();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(to.receive()).toBe(1);
      expect(to.traffic.framesIn).toBe(1);
      expect(to.rx.receivedAt![0]).toBeGreaterThanOrEqual(before);
      expect(to.rx.receivedAt![0]).toBeLessThanOrEqual(after);
      for (const used of opened.splice(0)) used.close();
    }
  });

  it('drops a source that sends more than the admission filter allows, counts it, and lets others through', async () => {
    const sys = xdp({ admission: { datagramsPerSecond: 1, burst: 10 } });
    const to = await open(sys, 'near', NEAR);
    const flood = await open(linux(), 'far', FAR);
    for (const n of upTo(50)) append(flood, to.localAddress, pattern(30, n));
    flood.flush();
    expect(collect(sys, to, 10).map(({ bytes }) => bytes)).toEqual(upTo(10).map((n) => pattern(30, n)));
    expect(to.receive()).toBe(0);
    expect(sys.report()[0]!.refused).toBe(40);
    pair.addFar('198.51.100.77');
    const honest = await open(linux(), 'far', '198.51.100.77');
    append(honest, to.localAddress, pattern(5));
    honest.flush();
    expect(collect(sys, to, 1).map(({ bytes }) => bytes)).toEqual([pattern(5)]);
  });

  it('counts the sources of one IPv6 network as one', async () => {
    const sys = xdp({ admission: { datagramsPerSecond: 1, burst: 3 } });
    const to = await open(sys, 'near', NEAR6);
    let sent = 0;
    for (const host of ['2001:db8::a', '2001:db8::b']) {
      pair.addFar(host);
      const from = await open(linux(), 'far', host);
      for (const n of upTo(3)) append(from, to.localAddress, pattern(30, n));
      sent += from.flush();
    }
    expect([sent, collect(sys, to, 3).length, to.receive(), sys.report()[0]!.refused]).toEqual([6, 3, 0, 3]);
  });
});

describe.skipIf(why !== '')(`AF_XDP over a veth of four queues${why === '' ? '' : ` (${why})`}`, () => {
  it('receives from all queues, and sends', async () => {
    const pair = new XdpPair('queues', 4);
    const sys = openXdp();
    const b = openLinux();
    try {
      pair.introduce();
      const to = (await pair.openUdp(sys, 'near', NEAR)) as XdpSocket;
      const froms = await Promise.all(upTo(40).map(() => pair.openUdp(b, 'far', FAR)));
      for (const [n, from] of froms.entries()) {
        append(from, to.localAddress, pattern(30, n));
        from.flush();
      }
      const came = collect(sys, to, 40);
      expect(new Set(came.map(({ from }) => portOf(from))).size).toBe(40);
      expect(to.traffic).toMatchObject({ framesIn: 40, kernelIn: 0 });
      expect(to.busyQueues).toBeGreaterThan(1);
      for (const { from } of came) append(to, from, pattern(8));
      expect(to.flush()).toBe(40);
      for (const from of froms) expect(collect(b, from, 1)).toHaveLength(1);
      expect(to.traffic.framesOut).toBe(40);
      expect(sys.report()).toMatchObject([{ interface: 'near', queues: 4, mode: 'native', zeroCopy: false }]);
      to.close();
    } finally {
      sys.close();
      pair.close();
    }
  });
});

/** Receives until `count` datagrams have come, or nothing more comes. */
function collect(sys: Sys, socket: DatagramSocket, count: number): { bytes: Uint8Array; from: Uint8Array }[] {
  const list: { bytes: Uint8Array; from: Uint8Array }[] = [];
  while (list.length < count && awaitReceive(sys, socket) > 0) list.push(...copies(socket));
  return list;
}
