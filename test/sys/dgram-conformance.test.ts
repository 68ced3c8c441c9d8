/** The node:dgram floor keeps the promises of `sys/api.ts`. */

import { openSys } from '../../sys/index.ts';
import type { BackendFactory } from '../conformance/backend.ts';
import { elapseByTimer, missingOnThisMachine, settleByAttaching } from '../conformance/backend.ts';
import { describeClockConformance } from '../conformance/clocks.ts';
import { congestByNarrowLink } from '../conformance/narrow-link.ts';
import { openDgramOutside } from '../conformance/outside.ts';
import { describePollerConformance } from '../conformance/pollers.ts';
import { describeSocketConformance } from '../conformance/sockets.ts';

const factory: BackendFactory = {
  open: () => {
    const sys = openSys({ backend: 'dgram' });
    return {
      sys,
      settle: settleByAttaching(sys),
      elapse: elapseByTimer(sys),
      openOutside: openDgramOutside,
      close: () => {},
    };
  },
  capabilities: openSys({ backend: 'dgram' }).capabilities,
  ipv4: '127.0.0.1',
  ipv6: '::1',
  dualStack: '::',
  congest: congestByNarrowLink,
  missing: {
    ...missingOnThisMachine(),
    // Where the narrow loopback is: eight sends under way at once, and none of them arrives. One at a time does (iocp).
    ...(process.platform === 'win32' ? { congestion: 'Wine 8 loses sends that Node has under way' } : {}),
  },
};

describeSocketConformance('dgram', factory);
describePollerConformance('dgram', factory);
describeClockConformance('dgram', factory);
