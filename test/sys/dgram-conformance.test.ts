/** The node:dgram floor keeps the promises of `sys/api.ts`. */

import { chooseAead } from '../../sys/aead/choose.ts';
import type { Sys } from '../../sys/api.ts';
import { SystemClock } from '../../sys/clock.ts';
import { SystemRng } from '../../sys/entropy.ts';
import { openDgramSys } from '../../sys/node/dgram-sys.ts';
import type { BackendFactory } from '../conformance/backend.ts';
import { elapseByTimer, missingOnThisMachine, settleByAttaching } from '../conformance/backend.ts';
import { describeClockConformance } from '../conformance/clocks.ts';
import { congestByNarrowLink } from '../conformance/narrow-link.ts';
import { openDgramOutside } from '../conformance/outside.ts';
import { describePollerConformance } from '../conformance/pollers.ts';
import { describeSocketConformance } from '../conformance/sockets.ts';

const openSys = (): Sys => openDgramSys({ clock: new SystemClock(), rng: new SystemRng(), openAead: chooseAead });

const factory: BackendFactory = {
  open: () => {
    const sys = openSys();
    return {
      sys,
      settle: settleByAttaching(sys),
      elapse: elapseByTimer(sys),
      openOutside: openDgramOutside,
      close: () => {},
    };
  },
  capabilities: openSys().capabilities,
  ipv4: '127.0.0.1',
  ipv6: '::1',
  dualStack: '::',
  congest: congestByNarrowLink,
  missing: missingOnThisMachine(),
};

describeSocketConformance('dgram', factory);
describePollerConformance('dgram', factory);
describeClockConformance('dgram', factory);
