/**
 * One machine of the simulated world: a name, two addresses, a clock of its own, ports and a `Sys`.
 */

import { addressOf, type Micros, NEVER } from '../../sys/api.ts';
import type { Nat } from './nat.ts';
import type { Network } from './network.ts';
import { PortTable } from './port-table.ts';
import { type AeadFactory, SimSys } from './sim-sys.ts';
import type { Stream, Streams } from './streams.ts';

/** Clocks of two hosts begin up to this far apart (18 minutes): code that compares them is found out. */
const CLOCK_ORIGIN_MICROS_MAX = 1 << 30;
/** Hosts of a world: three bytes of `10.x.y.z`, less the ends. */
export const HOSTS_MAX = 0xff_fffe;

/** What a host may choose. */
export interface HostOptions {
  /** What `clock.now()` shows when the world begins. Default: drawn from the seed, 0 .. 2^30. */
  readonly clockOriginMicros?: Micros;
  /** Cryptography of this host alone. Default: the world's. */
  readonly openAead?: AeadFactory;
}

/** A machine. Made by `World.host()`. */
export class SimHost {
  /** Unique in its world; its chance and its links are named after it. */
  readonly name: string;
  /** Its place in the world, from 0; gives its addresses and stands for it in the digest. */
  readonly number: number;
  /** `10.0.0.1` for host 0, and so on. Canonical bytes, port 0. */
  readonly ipv4: Uint8Array;
  /** `fd00::1` for host 0, and so on. */
  readonly ipv6: Uint8Array;
  readonly clockOriginMicros: Micros;
  /** Times that code of this host was run: the index of its turns in the digest. */
  turns = 0;
  /** Called once promises have settled after a turn in which `touch()` was called. For what drives a runtime. */
  onSettled: (() => void) | null = null;
  /** In the network's list of touched hosts. */
  touched = false;
  readonly ports: PortTable = new PortTable();
  /** What stands between it and the others once it was bound anew (`World.rebind`). */
  nat: Nat | null = null;
  readonly sys: SimSys;
  /** What `Math.random` and the like draw from in this host's code. */
  readonly random: Stream;

  readonly #network: Network;

  constructor(
    network: Network,
    streams: Streams,
    name: string,
    number: number,
    openAead: AeadFactory,
    options: HostOptions,
  ) {
    this.#network = network;
    this.name = name;
    this.number = number;
    this.ipv4 = ipv4Of(number, 0);
    this.ipv6 = addressOf(`fd00::${((number + 1) >>> 16).toString(16)}:${((number + 1) & 0xffff).toString(16)}`, 0)!;
    this.random = streams.stream(`host/${name}/random`);
    this.clockOriginMicros =
      options.clockOriginMicros ?? streams.stream(`host/${name}/clock`).below(CLOCK_ORIGIN_MICROS_MAX);
    this.sys = new SimSys(network, this, streams.stream(`host/${name}/rng`), options.openAead ?? openAead);
  }

  /** This host's clock now. */
  get now(): Micros {
    return this.#network.timeline.now + this.clockOriginMicros;
  }

  /** A time on this host's clock as world time. */
  worldTime(hostTime: Micros): Micros {
    return hostTime === NEVER ? NEVER : hostTime - this.clockOriginMicros;
  }

  /** Calls `act` at world time `time` as code of this host, unless the world ends before. */
  at(time: Micros, act: () => void): void {
    this.#network.timers.at(time, this, act);
  }

  /** Something of this host may now be due: `onSettled` is called when the promises of this turn have settled. */
  touch(): void {
    if (this.touched) return;
    this.touched = true;
    this.#network.touched.push(this);
  }

  /** An address of this host, for those that dial it: `10.0.0.1:40000`. */
  address(port: number): string {
    const n = this.number + 1;
    return `10.${n >>> 16}.${(n >>> 8) & 0xff}.${n & 0xff}:${port}`;
  }
}

function ipv4Of(number: number, port: number): Uint8Array {
  const n = number + 1;
  return addressOf(`10.${n >>> 16}.${(n >>> 8) & 0xff}.${n & 0xff}`, port)!;
}
