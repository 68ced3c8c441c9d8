/**
 * What drives a proxy: it owns its thread and blocks in the kernel until a datagram comes or one is due. Node's own loop
 * (signals, the terminal) gets a look in twenty times a second. Where a poller cannot block, that loop drives the proxy.
 *
 * The poller wakes some 40 us late (`epoll_pwait2` without timer slack), and a sleeping thread takes as long to wake when a
 * datagram comes. With `spin` it does not sleep before something is due, nor soon after something came.
 */

import type { Micros } from '../../sys/api.ts';
import type { UdpProxy } from './udp-proxy.ts';

/** Between two looks at Node's own loop. A look takes about 85 us, in which no datagram moves. */
const SLICE_MICROS: Micros = 50_000;
/** How long before it is due the spinning begins: more than a wake-up is late in 99 of 100 cases. */
const SPIN_MICROS: Micros = 150;
/** How long after the last datagram the spinning ends: more than a tick at 60 Hz. */
const AWAKE_MICROS: Micros = 20_000;

export interface LoopOptions {
  /** Stay awake for 20 ms after each datagram, and before something is due. Default false: it costs up to a core. */
  readonly spin?: boolean;
}

/** Turns of one proxy, from `run` to `stop`. */
export class ProxyLoop {
  readonly #proxy: UdpProxy;
  readonly #spins: boolean;
  #stopped = false;
  #end: ((error?: unknown) => void) | null = null;

  constructor(proxy: UdpProxy, options: LoopOptions = {}) {
    this.#proxy = proxy;
    this.#spins = options.spin ?? false;
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
        proxy.turn(this.#sleepMicros(now, end));
        if (proxy.sockets.opening > 0) break; // what opens sockets is a promise
      }
    } catch (error) {
      this.#end?.(error);
      return;
    }
    if (this.#stopped) this.#end?.();
    else setImmediate(this.#slice);
  };

  /** How long the next turn may block. */
  #sleepMicros(now: Micros, end: Micros): Micros {
    const left = Math.min(this.#proxy.deadline, end) - now;
    if (!this.#spins) return left > 0 ? left : 0;
    if (this.#proxy.lastAt + AWAKE_MICROS > now) return 0;
    return left > SPIN_MICROS ? left - SPIN_MICROS : 0;
  }

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
