/** The Windows backend keeps the promises of `sys/api.ts`, waiting in its own loop and waiting in Node's. Runs under Wine: `npm run test:windows`. */

import { describe } from 'vitest';
import { library } from '../../sys/ffi/library.ts';
import { openSys } from '../../sys/index.ts';
import type { BackendFactory } from '../conformance/backend.ts';
import { elapseByTimer, missingOnThisMachine, settleByAttaching, settleByBlocking } from '../conformance/backend.ts';
import { describeClockConformance } from '../conformance/clocks.ts';
import { congestByNarrowLink } from '../conformance/narrow-link.ts';
import { openDgramOutside } from '../conformance/outside.ts';
import { describePollerConformance } from '../conformance/pollers.ts';
import { describeSocketConformance } from '../conformance/sockets.ts';

const native = process.platform === 'win32' && library() !== null;

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
    congest: congestByNarrowLink,
    missing: missingOnThisMachine(),
  };
}

if (native) {
  describeSocketConformance('iocp', factory(true));
  describePollerConformance('iocp, blocking', factory(true));
  describePollerConformance("iocp, in Node's loop", factory(false));
  describeClockConformance('iocp', factory(true));
} else {
  describe.skip('the Windows backend (needs koffi on Windows)', () => {});
}
