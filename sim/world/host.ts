/**
 * One machine of the simulated world: a name, two addresses, a clock of its own, ports and a `Sys`.
 */

import { addressOf, type Micros } from '../../sys/api.ts';
import { Cpu, type CpuOptions, checkCpu } from './cpu.ts';
import { EVENT_HOST_FAULT } from './digest.ts';
import { HostClock } from './host-clock.ts';
import {
  FAULT_BUFFER,
  FAULT_CPU,
  FAULT_CRASH,
  FAULT_PAUSE,
  FAULT_RECEIVE,
  FAULT_RESTART,
  FAULT_SEND,
  HostFaultStats,
} from './host-faults.ts';
import type { Nat } from './nat.ts';
import type { Network } from './network.ts';
import { PortTable } from './port-table.ts';
import { type AeadFactory, SimSys } from './sim-sys.ts';
import {
  checkNumber,
  checkSpan,
  type FaultSpan,
  SEND_ERRORS,
  type SendError,
  SocketFaults,
  TIMES_MAX,
} from './socket-faults.ts';
import type { Stream, Streams } from './streams.ts';

/** Clocks of two hosts begin up to this far apart (18 minutes): code that compares them is found out. */
const CLOCK_ORIGIN_MICROS_MAX = 1 << 30;
/** An hour: a pause that is longer is a crash. */
export const PAUSE_MICROS_MAX = 3_600_000_000;
/** What Linux never goes below (SOCK_MIN_RCVBUF), rounded down; and more than any kernel gives. */
export const RECEIVE_BUFFER_BYTES_MIN = 2_048;
export const RECEIVE_BUFFER_BYTES_MAX: number = 1 << 30;
const TWO_TO_32 = 0x1_0000_0000;
/** Hosts of a world: three bytes of `10.x.y.z`, less the ends. */
export const HOSTS_MAX = 0xff_fffe;

/** What a host may choose. */
export interface HostOptions {
  /** What `clock.now()` shows when the world begins. Default: drawn from the seed, 0 .. 2^30. */
  readonly clockOriginMicros?: Micros;
  /** By how many millionths its clocks run faster than the world (slower: negative). Default 0. */
  readonly clockDriftPpm?: number;
  /** What its code costs. Default: nothing. */
  readonly cpu?: CpuOptions;
  /** The largest receive buffer that a socket gets (Linux' rmem_max), whatever it asks for. Default: what it asks for. */
  readonly receiveBufferBytesMax?: number;
  /** It stands behind a NAT that forgets a port that has sent nothing for so long. Default: no NAT. */
  readonly natTimeoutMicros?: Micros;
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
  /** Its clocks: to read, and to let drift, step or leap. */
  readonly clock: HostClock;
  /** When its code may run; null while nothing keeps it from running. */
  cpu: Cpu | null = null;
  /** What its kernel answers its sockets with; null while it answers none. */
  socketFaults: SocketFaults | null = null;
  readonly faultStats: HostFaultStats = new HostFaultStats();
  /** Grows with each crash and each restart: what was set in an earlier life is void. */
  life = 0;
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
  #isDown = false;
  #receiveBufferBytesMax = RECEIVE_BUFFER_BYTES_MAX;

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
    this.clock = new HostClock(network.timeline, this.clockOriginMicros);
    if (options.clockDriftPpm !== undefined) this.clock.drift(options.clockDriftPpm);
    if (options.cpu !== undefined) this.setCpu(options.cpu);
    if (options.receiveBufferBytesMax !== undefined) this.boundReceiveBuffers(options.receiveBufferBytesMax);
    this.clock.onChange = (fault, amount) => {
      this.faultStats.clockChanges++;
      this.#fault(fault, amount);
      network.aimAnew(this);
    };
    this.sys = new SimSys(network, this, streams.stream(`host/${name}/rng`), options.openAead ?? openAead);
  }

  /** This host's monotonic clock now. */
  get now(): Micros {
    return this.clock.now();
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

  /**
   * Stops its code for so long, as a garbage collector or a debugger does: no turn begins, what is due waits and comes late,
   * receive buffers fill. Its clock goes on. Of pauses that overlap the one that ends last counts. Throws RangeError.
   */
  pause(pauseMicros: Micros): void {
    checkNumber(`pause ${this.name}: pauseMicros`, pauseMicros, PAUSE_MICROS_MAX);
    this.faultStats.pauses++;
    this.#fault(FAULT_PAUSE, pauseMicros);
    this.#ensureCpu().stopUntil(this.#network.timeline.now + pauseMicros);
  }

  /**
   * Lets code cost time from now on: after each turn the next one waits for what it has cost. What a turn sends still leaves
   * at its beginning. Throws RangeError.
   */
  setCpu(options: CpuOptions): void {
    checkCpu(this.name, options);
    this.#fault(FAULT_CPU, 0);
    this.#ensureCpu().configure(options);
  }

  /** No socket of this host has a larger receive buffer from now on; what waits in one stays. Throws RangeError. */
  boundReceiveBuffers(bytesMax: number): void {
    if (!(Number.isInteger(bytesMax) && bytesMax >= RECEIVE_BUFFER_BYTES_MIN && bytesMax <= RECEIVE_BUFFER_BYTES_MAX)) {
      throw new RangeError(
        `receive buffers of ${this.name}: bytesMax is an integer in ` +
          `${RECEIVE_BUFFER_BYTES_MIN} .. ${RECEIVE_BUFFER_BYTES_MAX}, not ${bytesMax}`,
      );
    }
    this.#receiveBufferBytesMax = bytesMax;
    this.#fault(FAULT_BUFFER, bytesMax);
    for (const socket of this.#network.socketsOf(this)) socket.boundReceiveBuffer(bytesMax);
  }

  /** The largest receive buffer that a socket gets. */
  get receiveBufferBytesMax(): number {
    return this.#receiveBufferBytesMax;
  }

  /**
   * The kernel answers what its sockets send with an error, for a time or so many times. One that blocks (EAGAIN, ENOBUFS)
   * and one that refuses (ECONNREFUSED, EMSGSIZE, EPERM) may be there at once; a further call replaces its kind. Throws
   * RangeError.
   */
  failSends(error: SendError, span: FaultSpan): void {
    const kind = SEND_ERRORS.indexOf(error);
    if (kind < 0)
      throw new RangeError(`sends of ${this.name}: error is one of ${SEND_ERRORS.join(', ')}, not ${error}`);
    checkSpan(`sends of ${this.name}`, span);
    this.#fault(FAULT_SEND, (span.forMicros ?? span.times)! * 8 + kind);
    this.#ensureSocketFaults().set(error, span, this.#network.timeline.now);
  }

  /**
   * The next `times` calls for datagrams of each of its sockets meet an error first (ECONNREFUSED, the answer to what it sent
   * before): the socket wakes its poller, and there may be nothing to read. Throws RangeError.
   */
  failReceives(times: number): void {
    checkNumber(`receives of ${this.name}: times`, times, TIMES_MAX);
    this.#fault(FAULT_RECEIVE, times);
    this.#ensureSocketFaults();
    for (const socket of this.#network.socketsOf(this)) socket.failReceives(times);
  }

  /** Whether it has crashed and was not started again. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** The world: its life is over (`World.crash`); the network has taken its sockets and pollers. */
  end(): void {
    this.#isDown = true;
    this.life++;
    this.onSettled = null;
    this.cpu?.reset();
    this.faultStats.crashes++;
    this.#fault(FAULT_CRASH, 0);
  }

  /** The world: another life begins (`World.restart`). */
  begin(): void {
    this.#isDown = false;
    this.life++;
    this.cpu?.reset();
    this.faultStats.restarts++;
    this.#fault(FAULT_RESTART, 0);
  }

  #ensureCpu(): Cpu {
    this.#network.someCpu = true;
    this.cpu ??= new Cpu(this.#network.timeline, this.number, this.faultStats);
    return this.cpu;
  }

  #ensureSocketFaults(): SocketFaults {
    this.socketFaults ??= new SocketFaults(this.faultStats);
    return this.socketFaults;
  }

  #fault(kind: number, amount: number): void {
    const high = Math.floor(amount / TWO_TO_32);
    this.#network.digest.mix(this.#network.timeline.now, EVENT_HOST_FAULT, this.number, kind, amount, high);
  }
}

function ipv4Of(number: number, port: number): Uint8Array {
  const n = number + 1;
  return addressOf(`10.${n >>> 16}.${(n >>> 8) & 0xff}.${n & 0xff}`, port)!;
}
