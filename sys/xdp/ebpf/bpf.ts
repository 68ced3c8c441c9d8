/** bpf(2): maps, programs and the link that attaches a program to an interface for as long as this process lives. */

import { errnoName, errnoOf } from '../../errno.ts';
import { NativeArena } from '../../ffi/arena.ts';
import { lastErrno } from '../../ffi/syscall.ts';
import { linuxCalls } from '../../linux/calls.ts';
import * as abi from '../abi.ts';
import { xdpCalls } from '../calls.ts';
import { type XdpStep, xdpError } from '../remedies.ts';
import { INSTRUCTION_BYTES } from './instructions.ts';

/** `union bpf_attr` up to the last field that we set; what the kernel knows beyond it counts as 0. */
const ATTRIBUTES_BYTES = 72;
/** Where the parts of the scratch page begin: attributes, key, value. */
const KEY_AT = 128;
const VALUE_AT = 256;
const SCRATCH_BYTES = 8192;
const KEY_BYTES_MAX: number = VALUE_AT - KEY_AT;
const VALUE_BYTES_MAX: number = SCRATCH_BYTES - VALUE_AT;
/** Room for what the verifier says: a hundred instructions with their states are 20 KiB. */
const LOG_BYTES = 262_144;
/** Lines of the log that an error carries: the reason stands at the end. */
const LOG_LINES = 12;
const LICENSE: Uint8Array = new TextEncoder().encode('Dual MIT/GPL\0');
const NAME_BYTES_MAX = 15;
/** Tries of a program that is loaded while signals come. */
const LOADS_MAX = 32;
const EAGAIN: number = errnoOf('EAGAIN');

let scratch: NativeArena | null = null;

function scratchPage(): NativeArena {
  scratch ??= NativeArena.map(SCRATCH_BYTES);
  return scratch;
}

/** A map of the kernel. Its descriptor is its life: programs that use it keep it too. */
export class BpfMap {
  /** -1 once closed. */
  fd: number;
  readonly keyBytes: number;
  /** Of one value as it is read: for a map with a value for each CPU, all of them. */
  readonly valueBytes: number;

  /**
   * @param type one of BPF_MAP_TYPE_* in abi.ts
   * @param cpus for a map with a value for each CPU: how many (`possibleCpus()`); else 1
   * @throws SysError EPERM, ENOMEM ...
   */
  constructor(name: string, type: number, keyBytes: number, valueBytes: number, entries: number, cpus = 1) {
    this.keyBytes = keyBytes;
    this.valueBytes = ((valueBytes + 7) & ~7) * cpus;
    if (keyBytes > KEY_BYTES_MAX || this.valueBytes > VALUE_BYTES_MAX) throw new RangeError(`${name} is too wide`);
    const { u32, bytes } = clearAttributes();
    u32[0] = type;
    u32[1] = keyBytes;
    u32[2] = valueBytes;
    u32[3] = entries;
    writeName(bytes, 28, name);
    this.fd = call('bpf(MAP_CREATE)', abi.BPF_MAP_CREATE, name);
  }

  /** Sets the value of a key. */
  update(key: Uint8Array, value: Uint8Array): void {
    const page = scratchPage();
    page.bytes.fill(0, VALUE_AT, VALUE_AT + this.valueBytes);
    page.bytes.set(value, VALUE_AT);
    this.element(abi.BPF_MAP_UPDATE_ELEM, 'bpf(MAP_UPDATE_ELEM)', key);
  }

  /** A copy of a key's value; null where there is none. */
  lookup(key: Uint8Array): Uint8Array | null {
    if (!this.element(abi.BPF_MAP_LOOKUP_ELEM, 'bpf(MAP_LOOKUP_ELEM)', key)) return null;
    return scratchPage().bytes.slice(VALUE_AT, VALUE_AT + this.valueBytes);
  }

  /** Removes a key; false where it was not there. */
  delete(key: Uint8Array): boolean {
    return this.element(abi.BPF_MAP_DELETE_ELEM, 'bpf(MAP_DELETE_ELEM)', key);
  }

  close(): void {
    if (this.fd >= 0) linuxCalls().close(this.fd);
    this.fd = -1;
  }

  /** One of the calls for an element; false for ENOENT. */
  private element(command: number, step: XdpStep, key: Uint8Array): boolean {
    if (key.length !== this.keyBytes) throw new RangeError(`a key of ${key.length} bytes, not ${this.keyBytes}`);
    const page = clearAttributes();
    page.bytes.set(key, KEY_AT);
    page.u32[0] = this.fd;
    page.setPointer(8, page, KEY_AT);
    if (command !== abi.BPF_MAP_DELETE_ELEM) page.setPointer(16, page, VALUE_AT); // what a call has no use for must be 0
    if (xdpCalls().bpf(command, page.address, 32) >= 0) return true;
    const code = errnoName(lastErrno());
    if (code === 'ENOENT') return false;
    throw xdpError(code, step);
  }
}

/**
 * Loads an XDP program and returns its descriptor.
 *
 * @throws SysError with the end of the verifier's log where it refuses
 */
export function loadXdpProgram(name: string, instructions: Uint8Array): number {
  const code = NativeArena.map(instructions.length + LICENSE.length);
  code.bytes.set(instructions);
  code.bytes.set(LICENSE, instructions.length);
  const attributes = (log: NativeArena | null): NativeArena => {
    const page = clearAttributes();
    page.u32[0] = abi.BPF_PROG_TYPE_XDP;
    page.u32[1] = instructions.length / INSTRUCTION_BYTES;
    page.setPointer(8, code, 0);
    page.setPointer(16, code, instructions.length);
    if (log !== null) {
      page.u32[6] = 1; // log_level: the states on the way to the fault
      page.u32[7] = LOG_BYTES;
      page.setPointer(32, log, 0);
    }
    writeName(page.bytes, 48, name);
    page.u32[17] = abi.BPF_XDP;
    return page;
  };
  const fd = load(attributes(null));
  if (fd >= 0) return fd;
  const errno = errnoName(lastErrno());
  // Again with a log, which costs time and memory: only who is refused wants one.
  const log = NativeArena.map(LOG_BYTES);
  const second = load(attributes(log));
  if (second >= 0) return second;
  const text = new TextDecoder().decode(log.bytes.subarray(0, log.bytes.indexOf(0))).trimEnd();
  throw xdpError(errno, 'bpf(PROG_LOAD)', name, text.split('\n').slice(-LOG_LINES).join('\n'));
}

/** The verifier gives up when a signal comes, as a profiler sends a thousand a second: then it is asked again. */
function load(attributes: NativeArena): number {
  for (let tries = 1; ; tries++) {
    const fd = xdpCalls().bpf(abi.BPF_PROG_LOAD, attributes.address, ATTRIBUTES_BYTES);
    if (fd >= 0 || lastErrno() !== EAGAIN || tries === LOADS_MAX) return fd;
  }
}

/**
 * Attaches a program to an interface and returns the link's descriptor: when it is closed, or the process ends in whatever
 * way, the kernel detaches the program.
 *
 * @param flags XDP_FLAGS_DRV_MODE or XDP_FLAGS_SKB_MODE
 * @throws SysError EBUSY where another program is attached
 */
export function attachXdp(program: number, interfaceIndex: number, flags: number, interfaceName: string): number {
  const { u32 } = clearAttributes();
  u32[0] = program;
  u32[1] = interfaceIndex;
  u32[2] = abi.BPF_XDP;
  u32[3] = flags;
  return call('bpf(LINK_CREATE)', abi.BPF_LINK_CREATE, interfaceName);
}

function call(step: XdpStep, command: number, subject: string): number {
  const result = xdpCalls().bpf(command, scratchPage().address, ATTRIBUTES_BYTES);
  if (result >= 0) return result;
  throw xdpError(errnoName(lastErrno()), step, subject);
}

function clearAttributes(): NativeArena {
  const page = scratchPage();
  page.bytes.fill(0, 0, KEY_AT);
  return page;
}

function writeName(bytes: Uint8Array, at: number, name: string): void {
  for (let i = 0; i < Math.min(name.length, NAME_BYTES_MAX); i++) bytes[at + i] = name.charCodeAt(i);
}
