/**
 * What drives a proxy: it owns its thread and blocks in the kernel until a datagram comes or one is due. Node's own loop
 * (signals, the terminal) gets a look in twenty times a second. Where a poller cannot block, that loop drives the proxy.
 *
 * The poller wakes some 40 us late (`epoll_pwait2` without timer slack); with `spin` the last part is waited for awake.
 */

import type { Micros } from '../../sys/api.ts';
import type { UdpProxy } from './udp-proxy.ts';

/** Between two looks at Node's own loop. A look takes about 85 us, in which no datagram moves. */
const SLICE_MICROS: Micros = 50_000;
/** How long before it is due the spinning begins: more than a wake-up is late in 99 of 100 cases. */
const SPIN_MICROS: Micros = 150;

export interface LoopOptions {
  /** Stay awake for the last 150 us before something is due. Default false: it costs up to a core. */
  readonly spin?: boolean;
}

/** Turns of one proxy, from `run` to `stop`. */
export class ProxyLoop {
  readonly #proxy: UdpProxy;
  readonly #spinMicros: Micros;
  #stopped = false;
  #end: ((error?: unknown) => void) | null = null;

  constructor(proxy: UdpProxy, options: LoopOptions = {}) {
    this.#proxy = proxy;
    this.#spinMicros = options.spin === true ? SPIN_MICROS : 0;
  }

  /** Resolves after `stop`; rejects when a turn throws. The proxy stays open. */
  run(): Promise<void> {
    const { poller } = this.#proxy.sockets;
    return new Promise((resolve, reject) => {
      this.#end = (error) => {
        this.#end = null;
        if (!poller.canBlock) poller.detach();
        if (error === undefined) resolve();
        else reject(error);
      };
      if (poller.canBlock) setImmediate(this.#slice);
      else {
        poller.attach(this.#hosted);
        this.#hosted();
      }
    });
  }

  /** Ends `run` within a twentieth of a second. */
  stop(): void {
    this.#stopped = true;
    if (!this.#proxy.sockets.poller.canBlock) this.#end?.();
  }

  readonly #slice = (): void => {
    const proxy = this.#proxy;
    try {
      const end = proxy.now + SLICE_MICROS;
      for (let now = proxy.now; now < end && !this.#stopped; now = proxy.now) {
        const left = Math.min(proxy.deadline, end) - now - this.#spinMicros;
        proxy.turn(left > 0 ? left : 0);
        if (proxy.sockets.opening > 0) break; // what opens sockets is a promise
      }
    } catch (error) {
      this.#end?.(error);
      return;
    }
    if (this.#stopped) this.#end?.();
    else setImmediate(this.#slice);
  };

  readonly #hosted = (): void => {
    const proxy = this.#proxy;
    try {
      proxy.turn(0);
      proxy.sockets.poller.arm(proxy.deadline + proxy.startedAt);
    } catch (error) {
      this.#end?.(error);
    }
  };
}
