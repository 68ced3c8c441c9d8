/** The Linux backend keeps the promises of `sys/api.ts`, waiting in its own loop and waiting in Node's. */

import { describe } from 'vitest';
import { addressOf } from '../../sys/api.ts';
import { library } from '../../sys/ffi/library.ts';
import { openSys } from '../../sys/index.ts';
import type { BackendFactory } from '../conformance/backend.ts';
import { elapseByTimer, missingOnThisMachine, settleByAttaching, settleByBlocking } from '../conformance/backend.ts';
import { describeClockConformance } from '../conformance/clocks.ts';
import { openDgramOutside } from '../conformance/outside.ts';
import { describePollerConformance } from '../conformance/pollers.ts';
import { describeSocketConformance } from '../conformance/sockets.ts';
import { FAR, NamespacePair, NEAR, whyNoNamespaces } from './linux/namespaces.ts';

const native = process.platform === 'linux' && library() !== null;
const cannotCongest = native ? whyNoNamespaces() : '';

function factory(blocks: boolean): BackendFactory {
  return {
    open: () => {
      const sys = openSys({ backend: 'udp' });
      return {
        sys,
        settle: blocks ? settleByBlocking : settleByAttaching(sys),
        elapse: elapseByTimer(sys),
        openOutside: openDgramOutside,
        close: () => {},
      };
    },
    capabilities: openSys({ backend: 'udp' }).capabilities,
    ipv4: '127.0.0.1',
    ipv6: '::1',
    dualStack: '::',
    congest: async ({ sys }, options) => {
      const pair = new NamespacePair('full');
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
    missing: { ...missingOnThisMachine(), ...(cannotCongest === '' ? {} : { congestion: cannotCongest }) },
  };
}

if (native) {
  describeSocketConformance('linux', factory(true));
  describePollerConformance('linux, blocking', factory(true));
  describePollerConformance("linux, in Node's loop", factory(false));
  describeClockConformance('linux', factory(true));
} else {
  describe.skip('the Linux backend (needs koffi on Linux)', () => {});
}
