/**
 * What the conformance suite asks of a backend, and the hooks that real backends share.
 *
 * The suite is three functions of a factory: `describeSocketConformance`, `describePollerConformance` and
 * `describeClockConformance`. A backend's test file is about twenty lines: a `BackendFactory` and the three calls.
 * The suite never sleeps and never reads another clock than `sys.clock`: time passes only in `settle` and `elapse`, so
 * that a simulator can move its own.
 */

import { networkInterfaces } from 'node:os';
import type { Capabilities, DatagramSocket, Micros, Poller, Sys, UdpOptions } from '../../sys/api.ts';
import { NEVER } from '../../sys/api.ts';
import { narrowLinkMissing } from './narrow-link.ts';
import type { Outside } from './outside.ts';

/** One opened backend: lives for one test. */
export interface Backend {
  readonly sys: Sys;
  /**
   * Waits as a program on this backend would: until `poller` has something to say or `timeoutMicros` are over, and
   * returns what `poller.wait` returned; `keys` and `flags` are filled. May be `settleByBlocking` or `settleByAttaching`.
   */
  settle(poller: Poller, timeoutMicros: Micros): Promise<number>;
  /** Lets `micros` pass on `sys.clock`, at least, while callbacks of attached pollers run. */
  elapse(micros: Micros): Promise<void>;
  /** A UDP socket that is not made by the code under test (in a simulator: on another host). */
  openOutside(host: string): Promise<Outside>;
  /** Ends what the factory itself made; the suite closes its sockets, pollers and `sys` before. */
  close(): void | Promise<void>;
}

/** A way out that the kernel does not take datagrams from until `release()`. */
export interface Congestion {
  /** Its way to `receiver` is blocked: after a few datagrams `flush()` leaves the rest in `tx`. */
  readonly socket: DatagramSocket;
  readonly receiver: DatagramSocket;
  /** Lets everything through. What was taken arrives at `receiver`. */
  release(): Promise<void>;
  close(): Promise<void>;
}

/** Makes backends, and says what cannot be tried with them. */
export interface BackendFactory {
  open(): Backend | Promise<Backend>;
  /** What the backend says it can do on this machine; larger sizes and optional columns are tried as it allows. */
  readonly capabilities: Capabilities;
  /** Numeric loopback addresses that sockets may bind: `127.0.0.1`, `::1`. */
  readonly ipv4: string;
  readonly ipv6: string;
  /** The wildcard address of a dual-stack socket, usually `::`. */
  readonly dualStack: string;
  /** Blocks a way out; the options are for the blocked socket. */
  congest?(backend: Backend, options: UdpOptions): Promise<Congestion>;
  /** Why something cannot be tried here. Shown in the names of the tests that are skipped for it. */
  readonly missing: Readonly<Partial<Record<Need, string>>>;
}

/**
 * What some tests need: IPv6; other threads (`notify`); a CPU to be spared; a poller that Node's loop
 * can watch; a blocked way out; the machine's calendar; a
 * system that knows which addresses are its own, and that forgets a descriptor when it is closed.
 */
export type Need =
  | 'ipv6'
  | 'dualStack'
  | 'threads'
  | 'cpu'
  | 'attach'
  | 'congestion'
  | 'unixTime'
  | 'ownAddresses'
  | 'reusedNumbers';

/** `settle` for pollers that block: the thread sleeps in `wait`. */
export async function settleByBlocking(poller: Poller, timeoutMicros: Micros): Promise<number> {
  return poller.wait(timeoutMicros);
}

/** `settle` over Node's loop, for any real backend: attach, arm, and look when woken (not before: a look takes a notify back). */
export function settleByAttaching(sys: Sys): (poller: Poller, timeoutMicros: Micros) => Promise<number> {
  return async (poller, timeoutMicros) => {
    if (timeoutMicros === 0) return poller.wait(0);
    const deadline = timeoutMicros === NEVER ? NEVER : sys.clock.now() + timeoutMicros;
    return new Promise((resolve) => {
      poller.attach(() => {
        const ready = poller.wait(0);
        poller.arm(NEVER);
        poller.detach();
        resolve(ready);
      });
      poller.arm(deadline);
    });
  };
}

/** `elapse` over Node's loop, for any real backend. */
export function elapseByTimer(sys: Sys): (micros: Micros) => Promise<void> {
  return async (micros) => {
    const until = sys.clock.now() + micros;
    while (sys.clock.now() < until) {
      const left = Math.ceil((until - sys.clock.now()) / 1000);
      await new Promise((resolve) => setTimeout(resolve, left));
    }
  };
}

/** What this machine does not let real backends try: entries for `BackendFactory.missing`. */
export function missingOnThisMachine(): Partial<Record<Need, string>> {
  const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === '::1'));
  const congestion = narrowLinkMissing();
  return {
    ...(hasIPv6 ? {} : { ipv6: 'this machine has no ::1', dualStack: 'this machine has no IPv6' }),
    ...(congestion === null ? {} : { congestion }),
    ...(process.platform === 'win32' && process.env.WINEPREFIX
      ? { ownAddresses: 'Wine binds addresses of other machines too' }
      : {}),
  };
}
