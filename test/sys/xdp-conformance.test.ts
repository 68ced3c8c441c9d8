/**
 * The AF_XDP backend keeps the promises of `sys/api.ts`: over loopback, where all is left to the kernel, and over a veth,
 * where what comes from and goes to the outside passes through frames.
 */

import { afterAll, describe, expect, it } from 'vitest';
import { addressOf, type DatagramSocket } from '../../sys/api.ts';
import type { XdpOptions } from '../../sys/xdp/xdp-options.ts';
import { XdpSocket } from '../../sys/xdp/xdp-socket.ts';
import type { XdpSys } from '../../sys/xdp/xdp-sys.ts';
import type { Backend, BackendFactory } from '../conformance/backend.ts';
import { elapseByTimer, missingOnThisMachine, settleByAttaching, settleByBlocking } from '../conformance/backend.ts';
import { describeClockConformance } from '../conformance/clocks.ts';
import { openDgramOutside } from '../conformance/outside.ts';
import { describePollerConformance } from '../conformance/pollers.ts';
import { describeSocketConformance } from '../conformance/sockets.ts';
import { FAR, NamespacePair, NEAR } from './linux/namespaces.ts';
import { FAR6, ip, NEAR6, openLinux, openXdp, whyNoXdp, XdpPair } from './xdp/veth.ts';

const why = whyNoXdp();
/** What one packet of the veth, and of the loopback beside it, carries. */
const MTU_BYTES = 1500;
const DATAGRAM_BYTES: number = MTU_BYTES - 28;
const opened: XdpSocket[] = [];
const pair = why === '' ? new XdpPair('conform') : null;
if (pair !== null) ip('-n', pair.near, 'link', 'set', 'lo', 'mtu', String(MTU_BYTES));

function backend(sys: XdpSys, blocks: boolean): Pick<Backend, 'sys' | 'settle' | 'elapse' | 'close'> {
  return {
    sys,
    settle: blocks ? settleByBlocking : settleByAttaching(sys),
    elapse: elapseByTimer(sys),
    close: () => {},
  };
}

/** The way of a Sys to sockets in whatever namespace the thread is in, before it was led to `pair`. */
const plainOpen = new WeakMap<object, XdpSys['openUdp']>();

const congest: NonNullable<BackendFactory['congest']> = async ({ sys }, options) => {
  const narrow = new NamespacePair('xdpfull');
  narrow.block();
  const receiver = await narrow.inside(narrow.far, () =>
    openLinux().openUdp(addressOf(FAR, 0)!, { receiveBufferBytes: 1 << 20 }),
  );
  const socket = await narrow.inside(narrow.near, () => plainOpen.get(sys)!(addressOf(NEAR, 0)!, options));
  return {
    socket,
    receiver,
    release: async () => narrow.open(),
    close: async () => {
      socket.close();
      receiver.close();
      narrow.close();
    },
  };
};

function loopback(blocks: boolean): BackendFactory {
  return {
    open: () => ({ ...backend(openXdp({ interface: 'lo' }), blocks), openOutside: openDgramOutside }),
    capabilities: openXdp({ interface: 'lo' }).capabilities,
    ipv4: '127.0.0.1',
    ipv6: '::1',
    dualStack: '::',
    missing: { ...missingOnThisMachine(), congestion: 'with frames below' },
  };
}

/** Sockets of the suite on the near end, outside ones on the far end. */
function overVeth(blocks: boolean, options: XdpOptions = {}): BackendFactory {
  return {
    open: () => {
      const sys = openXdp(options);
      const openUdp = sys.openUdp.bind(sys);
      plainOpen.set(sys, openUdp);
      sys.openUdp = (local, udp) => pair!.inside(pair!.near, () => remember(openUdp(local, udp)));
      return {
        ...backend(sys, blocks),
        openOutside: (host) => pair!.within(pair!.far, () => openDgramOutside(host === NEAR6 ? FAR6 : FAR)),
      };
    },
    capabilities: { ...openXdp().capabilities, maxDatagramBytes: DATAGRAM_BYTES },
    ipv4: NEAR,
    ipv6: NEAR6,
    dualStack: '::',
    congest,
    missing: missingOnThisMachine(),
  };
}

async function remember(promise: Promise<DatagramSocket>): Promise<DatagramSocket> {
  const socket = await promise;
  if (socket instanceof XdpSocket) opened.push(socket);
  return socket;
}

if (why === '') {
  describeSocketConformance('xdp, over loopback', loopback(true));
  describePollerConformance('xdp, over loopback', loopback(true));
  describeClockConformance('xdp', loopback(true));
  describeSocketConformance('xdp, over a veth', overVeth(true, { interface: 'near' }));
  describeSocketConformance(
    'xdp, over a veth, after the driver',
    overVeth(true, { interface: 'near', mode: 'generic' }),
  );
  describePollerConformance('xdp, over a veth, blocking', overVeth(true, { interface: 'near' }));
  describePollerConformance("xdp, over a veth, in Node's loop", overVeth(false, { interface: 'near' }));

  describe('xdp, over a veth', () => {
    it('and all this passed through frames, and the rest through the kernel', () => {
      const sum = { framesIn: 0, kernelIn: 0, framesOut: 0, kernelOut: 0, malformed: 0, badChecksum: 0 };
      for (const { traffic } of opened) {
        for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += traffic[name];
      }
      expect(sum).toMatchObject({ malformed: 0, badChecksum: 0 });
      expect(sum.framesIn).toBeGreaterThan(100);
      expect(sum.framesOut).toBeGreaterThan(10);
      expect(sum.kernelIn).toBeGreaterThan(100);
      expect(sum.kernelOut).toBeGreaterThan(100);
    });
  });
  afterAll(() => pair!.close());
} else {
  describe.skip(`the AF_XDP backend (${why})`, () => {});
}
