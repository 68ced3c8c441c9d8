/**
 * The packet backend keeps the promises of `sys/api.ts`: over loopback, where every datagram goes by UDP, and over a link,
 * where they go as frames.
 */

import { afterAll, describe, expect, it } from 'vitest';
import { addressOf } from '../../sys/api.ts';
import type { PacketUdpSocket } from '../../sys/packet/packet-socket.ts';
import type { BackendFactory } from '../conformance/backend.ts';
import { elapseByTimer, missingOnThisMachine, settleByAttaching, settleByBlocking } from '../conformance/backend.ts';
import { describeClockConformance } from '../conformance/clocks.ts';
import { openDgramOutside } from '../conformance/outside.ts';
import { describePollerConformance } from '../conformance/pollers.ts';
import { describeSocketConformance } from '../conformance/sockets.ts';
import { FAR, NamespacePair, NEAR, whyNoNamespaces } from './linux/namespaces.ts';
import { HAIRPIN_IPV4, HAIRPIN_IPV6, Hairpin } from './packet/hairpin.ts';
import { openPacketSys, whyNoFrames } from './packet/open-packet-sys.ts';

const cannotSend = whyNoFrames();
const cannotNest = cannotSend === '' ? whyNoNamespaces() : cannotSend;

function factory(blocks: boolean, hairpin: Hairpin | null, sockets: PacketUdpSocket[] = []): BackendFactory {
  return {
    open: () => {
      hairpin?.enter();
      const sys = openPacketSys();
      const open = sys.openUdp.bind(sys);
      sys.openUdp = async (local, options) => {
        const socket = await open(local, options);
        sockets.push(socket);
        return socket;
      };
      return {
        sys,
        settle: blocks ? settleByBlocking : settleByAttaching(sys),
        elapse: elapseByTimer(sys),
        openOutside: openDgramOutside,
        close: () => hairpin?.leave(),
      };
    },
    capabilities: openPacketSys().capabilities,
    ipv4: hairpin === null ? '127.0.0.1' : HAIRPIN_IPV4,
    ipv6: hairpin === null ? '::1' : HAIRPIN_IPV6,
    dualStack: '::',
    congest: async ({ sys }, options) => {
      const pair = new NamespacePair('packet-full');
      pair.block();
      // The suite sends all before it receives, so the receiver needs room for it.
      const receiver = await pair.inside(pair.far, () =>
        sys.openUdp(addressOf(FAR, 0)!, { receiveBufferBytes: 1 << 20 }),
      );
      const socket = await pair.inside(pair.near, () => sys.openUdp(addressOf(NEAR, 0)!, options));
      return {
        socket,
        receiver,
        release: async () => pair.open(),
        close: async () => {
          socket.close();
          receiver.close();
          pair.close();
        },
      };
    },
    missing: { ...missingOnThisMachine(), ...(cannotNest === '' ? {} : { congestion: cannotNest }) },
  };
}

if (cannotSend !== '') {
  describe.skip(`the packet backend (${cannotSend})`, () => {});
} else {
  describeSocketConformance('packet over loopback', factory(true, null));
  describePollerConformance('packet, blocking', factory(true, null));
  describePollerConformance("packet, in Node's loop", factory(false, null));
  describeClockConformance('packet', factory(true, null));
}

describe.skipIf(cannotNest !== '')(`packet over a link${cannotNest === '' ? '' : ` (${cannotNest})`}`, () => {
  if (cannotNest !== '') return;
  const hairpin = new Hairpin('conform');
  const sockets: PacketUdpSocket[] = [];
  describeSocketConformance('packet, as frames', factory(true, hairpin, sockets));

  it('sent most of the above as frames, many of them joined', () => {
    const total = (way: 'framesOut' | 'framesJoined' | 'udpOut') =>
      sockets.reduce((sum, socket) => sum + socket.ways[way], 0);
    expect(total('framesOut')).toBeGreaterThan(1000);
    expect(total('framesJoined')).toBeGreaterThan(500);
    expect(total('udpOut')).toBeLessThan(total('framesOut') / 4); // what is too large, and ways that are blocked
  });

  afterAll(() => hairpin.close());
});
