/**
 * The kqueue backend keeps the promises of `sys/api.ts`: on macOS and FreeBSD, and on Linux over the libkqueue that
 * TICKWIRE_KQUEUE_LIB names, as far as that is like a kqueue.
 */

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

const hosted = process.platform === 'linux';
const native = process.platform === 'darwin' || process.platform === 'freebsd';
const there = library() !== null && (native || (hosted && Boolean(process.env.TICKWIRE_KQUEUE_LIB)));

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
    missing: {
      ...missingOnThisMachine(),
      ...(hosted
        ? {
            attach: "Node's loop cannot watch the descriptor that libkqueue makes",
            reusedNumbers: 'libkqueue does not notice that a descriptor is closed',
          }
        : {}),
    },
  };
}

if (there) {
  describeSocketConformance('kqueue', factory(true));
  describePollerConformance('kqueue, blocking', factory(true));
  if (native) describePollerConformance("kqueue, in Node's loop", factory(false));
  describeClockConformance('kqueue', factory(true));
} else {
  describe.skip('the kqueue backend (needs macOS or FreeBSD, or on Linux TICKWIRE_KQUEUE_LIB)', () => {});
}
