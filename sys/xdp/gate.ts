/** What stands at the interface: the program and its maps, and the link that ends with this process. */

import { readFileSync } from 'node:fs';
import { ADDRESS_BYTES, portOf, SysError } from '../api.ts';
import { linuxCalls } from '../linux/calls.ts';
import * as abi from './abi.ts';
import { attachXdp, BpfMap, loadXdpProgram } from './ebpf/bpf.ts';
import type { Interface } from './interface.ts';
import {
  COUNTER_REFUSED,
  COUNTERS,
  SOCKET_KEY_BYTES,
  SOCKET_VALUE_BYTES,
  SOURCE_KEY_BYTES,
  SOURCE_VALUE_BYTES,
  STAMPED,
  writeProgram,
} from './program.ts';
import type { Admission, AttachMode } from './xdp-options.ts';

/** Addresses times sockets: 64 sockets on an interface with 64 addresses. */
const SOCKET_KEYS_MAX = 4096;
/** Sources that have a bucket: the least recently seen is forgotten, which costs the kernel 100 bytes each. */
const SOURCES_MAX = 65_536;

/** The program on an interface. */
export class Gate {
  /** How the program runs: `native` in the driver, `generic` after the kernel has made its packet. */
  readonly mode: 'native' | 'generic';
  private readonly sockets: BpfMap;
  private readonly xsks: BpfMap;
  private readonly counters: BpfMap;
  private readonly sources: BpfMap | null;
  private readonly link: number;
  private open = true;
  /** The last answer of `refused`: what counts stays known when the map is gone. */
  private refusedBefore = 0;

  /**
   * @param slots sockets that can be let through, each with an entry for every queue
   * @throws SysError where the kernel refuses a map, the program or the link; nothing stays
   */
  constructor(at: Interface, slots: number, frameBytesMax: number, mode: AttachMode, admission: Admission | null) {
    const maps: BpfMap[] = [];
    const map = (...args: ConstructorParameters<typeof BpfMap>): BpfMap => {
      const made = new BpfMap(...args);
      maps.push(made);
      return made;
    };
    try {
      const { BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_XSKMAP, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LRU_HASH } = abi;
      this.sockets = map('tw_sockets', BPF_MAP_TYPE_HASH, SOCKET_KEY_BYTES, SOCKET_VALUE_BYTES, SOCKET_KEYS_MAX);
      this.xsks = map('tw_xsks', BPF_MAP_TYPE_XSKMAP, 4, 4, slots * at.queues);
      this.counters = map('tw_counters', BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, COUNTERS, possibleCpus());
      this.sources =
        admission === null
          ? null
          : map('tw_sources', BPF_MAP_TYPE_LRU_HASH, SOURCE_KEY_BYTES, SOURCE_VALUE_BYTES, SOURCES_MAX);
      const costNanos = admission === null ? 0 : Math.round(1e9 / admission.datagramsPerSecond);
      const write = (attached: 'native' | 'generic'): Uint8Array =>
        writeProgram({
          socketsMap: this.sockets.fd,
          xskMap: this.xsks.fd,
          countersMap: this.counters.fd,
          admission:
            admission === null
              ? null
              : { sourcesMap: this.sources!.fd, costNanos, toleranceNanos: (admission.burst - 1) * costNanos },
          queues: at.queues,
          frameBytesMax,
          joinedBefore: attached === 'generic',
        });
      const { link, mode: attached } = attach(write, at, mode);
      this.link = link;
      this.mode = attached;
    } catch (error) {
      for (const made of maps) made.close();
      throw error;
    }
  }

  /** Puts the AF_XDP socket of queue `queue` into its place. */
  setXsk(index: number, fd: number): void {
    this.xsks.update(wordBytes(index), wordBytes(fd));
  }

  /** Lets datagrams to `address` (canonical, with the port) through to the sockets from `index` on. */
  admit(address: Uint8Array, index: number, stamped: boolean): void {
    const value = new Uint8Array(SOCKET_VALUE_BYTES);
    value.set(wordBytes(index));
    value[4] = stamped ? STAMPED : 0;
    this.sockets.update(socketKey(address), value);
  }

  /** Whether datagrams to `address` go to a socket of ours. */
  admits(address: Uint8Array): boolean {
    return this.sockets.lookup(socketKey(address)) !== null;
  }

  /** Lets datagrams to `address` go to the kernel again. */
  dismiss(address: Uint8Array): void {
    this.sockets.delete(socketKey(address));
  }

  /** Datagrams that the admission filter has dropped, on all CPUs. */
  refused(): number {
    const values = this.open ? this.counters.lookup(wordBytes(COUNTER_REFUSED)) : null;
    if (values === null) return this.refusedBefore;
    const view = new DataView(values.buffer);
    let sum = 0;
    for (let at = 0; at < values.length; at += 8) sum += Number(view.getBigUint64(at, true));
    this.refusedBefore = sum;
    return sum;
  }

  close(): void {
    if (!this.open) return;
    this.refused();
    this.open = false;
    linuxCalls().close(this.link);
    for (const map of [this.sockets, this.xsks, this.counters, this.sources]) map?.close();
  }
}

/** Attaches in the driver if it can, else after it; `mode` may insist on one. */
function attach(
  write: (mode: 'native' | 'generic') => Uint8Array,
  at: Interface,
  mode: AttachMode,
): { readonly link: number; readonly mode: 'native' | 'generic' } {
  if (mode !== 'generic') {
    try {
      return { link: attachProgram(write('native'), at, abi.XDP_FLAGS_DRV_MODE), mode: 'native' };
    } catch (error) {
      const hopeless = error instanceof SysError && ['EBUSY', 'EPERM', 'ENODEV'].includes(error.code);
      if (mode === 'native' || hopeless || !(error instanceof SysError)) throw error;
    }
  }
  return { link: attachProgram(write('generic'), at, abi.XDP_FLAGS_SKB_MODE), mode: 'generic' };
}

function attachProgram(code: Uint8Array, at: Interface, flags: number): number {
  const program = loadXdpProgram('tickwire', code);
  try {
    return attachXdp(program, at.index, flags, at.name);
  } finally {
    linuxCalls().close(program); // the link keeps it
  }
}

function socketKey(address: Uint8Array): Uint8Array {
  const key = new Uint8Array(SOCKET_KEY_BYTES);
  key.set(address.subarray(0, ADDRESS_BYTES - 8));
  const port = portOf(address);
  key[16] = port >>> 8;
  key[17] = port & 0xff;
  return key;
}

function wordBytes(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** How many values a map has that keeps one for each CPU: as many as this kernel could ever have CPUs. */
export function possibleCpus(): number {
  const text = readFileSync('/sys/devices/system/cpu/possible', 'utf8');
  return Number(/(\d+)\s*$/.exec(text)![1]) + 1;
}
