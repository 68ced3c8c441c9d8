/**
 * The contract between the kernel (or the simulator) and everything above it.
 *
 * A backend provides one `Sys`: a clock, entropy, cryptography, pollers and UDP sockets. It is done when the conformance
 * suite (`test/conformance/`) passes over it. Truths that hold for every backend:
 *
 * - **Readiness is a hint.** A wake-up may be spurious: `receive()` then returns 0. A wake-up means "drain until 0".
 * - **Nothing here blocks** except `Poller.wait()`.
 * - **Received bytes are borrowed.** `rx` is valid until the next `receive()` of *any* socket of the same `Sys`: sockets of
 *   one thread share one receive batch, so a thousand sockets cost the memory of one.
 * - **A `Sys` belongs to one thread.** Only `Notifier.notify()` may be called from elsewhere.
 * - **One bad datagram never stops the others.** An address that answers ECONNREFUSED, or a datagram too big for its
 *   path, is counted in `SocketStats` and skipped; its neighbours go out.
 */

import type { Transferable } from 'node:worker_threads';
import type { SocketDrops, SocketWay } from './backend.ts';
import type { BatchColumns, DatagramBatch } from './datagram-batch.ts';
import type { SocketStats } from './socket-stats.ts';

export {
  ADDRESS_BYTES,
  addressOf,
  formatAddress,
  formatHost,
  isIPv4,
  parseAddress,
  portOf,
  sameAddress,
} from './address.ts';
export type {
  AttachMode,
  Backend,
  BackendOptions,
  SocketDrops,
  SocketWay,
  SourceLimit,
  XdpOptions,
} from './backend.ts';
export {
  type BatchColumns,
  type BatchMemory,
  DatagramBatch,
  HEADROOM_BYTES,
  slotStrideBytes,
  TAILROOM_BYTES,
} from './datagram-batch.ts';
export { SocketStats } from './socket-stats.ts';

/** A point in time or a duration in microseconds: a non-negative integer in a double (exact for 285 years). */
export type Micros = number;

/** The deadline of something that has none. Compares as later than every time. */
export const NEVER: Micros = Number.MAX_SAFE_INTEGER;

/** Largest UDP payload over IPv4: 65,535 - 20 (IP) - 8 (UDP). */
export const DATAGRAM_BYTES_MAX = 65_507;

/** Time. `now` never goes back and has no relation to the calendar. */
export interface Clock {
  /** Monotonic microseconds, integer. */
  now(): Micros;
  /** Whole seconds since 1970 (token expiry); may jump when the machine's clock is set. */
  unixSeconds(): number;
}

/** Chance: from the kernel in production, from the seed in the simulator. */
export interface Rng {
  /** Fills `bytes` with unpredictable bytes. */
  fill(bytes: Uint8Array): void;
  /** A number in 0 .. 2^32 - 1. */
  u32(): number;
}

/** Interest in a socket and the answer: bits of `Poller.add` and `Poller.flags`. */
export const READABLE = 1;
export const WRITABLE = 2;
/** Interest only: report each change once (edge) instead of each wait (level). The listener must drain to 0. */
export const EDGE = 4;
/** Interest only: disarm after one report until `modify`. */
export const ONESHOT = 8;

/** What a poller can watch. `pollHandle` means something to the poller of the same `Sys` only. */
export interface Pollable {
  readonly pollHandle: number;
}

/**
 * Tells which of many sockets has something to do, and when time is up.
 *
 * Two ways to wait: `wait()` blocks this thread (own loop), `attach()` shares Node's loop. After either, the events are in
 * `keys[0 .. n)` and `flags[0 .. n)`.
 */
export interface Poller {
  /** Whether `wait()` can block here; false where only Node's own loop learns of datagrams (node:dgram). */
  readonly canBlock: boolean;
  /** Keys of the sockets that the last `wait()` found ready, as given to `add`. */
  readonly keys: Int32Array;
  /** READABLE and WRITABLE bits, parallel to `keys`. */
  readonly flags: Uint8Array;

  /** Watches `source` under `key` (0 .. 2^31 - 1, chosen by the caller). Interest 0 keeps it registered and silent. */
  add(source: Pollable, key: number, interest: number): void;
  /** Changes interest; re-arms ONESHOT. Reports what is already ready, also under EDGE. */
  modify(source: Pollable, key: number, interest: number): void;
  /** Forgets `source`. Closing a socket does it too. */
  remove(source: Pollable): void;

  /**
   * Waits up to `timeoutMicros` (0: only look; NEVER: until something happens) and returns the number of ready sockets.
   * 0 means the time is up, `notify()` was called, or a spurious wake-up. Never returns 0 early for any other reason.
   *
   * Where `canBlock` is false a timeout other than 0 is a programming error (throws).
   */
  wait(timeoutMicros: Micros): number;

  /**
   * Calls `wake` from Node's loop whenever a watched socket is ready, the armed deadline has passed or `notify()` was
   * called; `wake` then calls `wait(0)`. Keeps the process alive while attached. One `wake` at a time.
   */
  attach(wake: () => void): void;
  /** Ends `attach`. */
  detach(): void;
  /** When `wake` must be called at the latest (`NEVER`: no deadline). Only for `attach`; `wait` has its own timeout. */
  arm(deadline: Micros): void;

  /** A handle by which any thread wakes this poller. */
  notifier(): Notifier;
  close(): void;
}

/**
 * Wakes a poller from any thread. `handle` passes through `postMessage` (transfer list: `transfer`); on the other side
 * `openNotifier(handle)` of `sys/index.ts` makes a Notifier of it again.
 */
export interface Notifier {
  readonly handle: unknown;
  readonly transfer: readonly Transferable[];
  notify(): void;
}

/** Options of `openUdp`; see each for its unit and default. */
export interface UdpOptions {
  /** Datagrams one `receive()` may bring. Default 64. Sockets of one Sys share the largest batch asked for of its kind. */
  readonly rxSlots?: number;
  /** Datagrams that wait for one `flush()`. Default 64. */
  readonly txSlots?: number;
  /**
   * Bytes behind the slots of `tx`, in the same arena, for the caller's own use: what waits there can be moved into a slot
   * by `copyWithin`, without a view. Default 0; memory that is never touched costs nothing.
   */
  readonly txSpareBytes?: number;
  /** Payload bytes of a slot. Default 2,048; longer datagrams are cut off by the kernel, dropped and counted. */
  readonly slotBytes?: number;
  /** SO_RCVBUF in bytes; default the system's. Silently bounded by the kernel (`doctor` shows the bound). */
  readonly receiveBufferBytes?: number;
  /** SO_SNDBUF in bytes; default the system's. */
  readonly sendBufferBytes?: number;
  /** Several sockets may bind the same port, the kernel spreads peers over them. Default false. */
  readonly reusePort?: boolean;
  /** An IPv6 socket takes IPv4 peers too (as mapped addresses, shown canonically). Default true. */
  readonly dualStack?: boolean;
  /** Join neighbouring datagrams to one peer into one send (UDP_SEGMENT), where the kernel can. Default true. */
  readonly gso?: boolean;
  /** Let the kernel join received datagrams of one peer (UDP_GRO); costs 64 KiB a buffer. Default false. */
  readonly gro?: boolean;
  /** Columns to fill. */
  readonly columns?: BatchColumns;
  /**
   * Goes on with a socket that another thread of this process has bound (`PortGroup.descriptors`) in place of binding one. It
   * stays open when this one is closed: whoever bound it closes it. Where `capabilities.portGroups` says so.
   */
  readonly descriptor?: number;
}

/** How a `PortGroup` finds the socket that a datagram is for. */
export interface Steering {
  /**
   * Datagrams of these types (the low four bits of the first byte) name their socket: by the byte after their number, whose
   * length is in the high four bits. All others are spread by a hash of the address and port that they come from.
   */
  readonly namedTypes: readonly number[];
}

/**
 * Several sockets on one port, one for each thread: what comes from one peer always reaches the same one. The sockets live as
 * long as the group, whatever becomes of the threads that use them, so that the others keep their numbers.
 */
export interface PortGroup {
  /** Canonical bytes of the bound address. */
  readonly localAddress: Uint8Array;
  /** By socket number, for `UdpOptions.descriptor`. */
  readonly descriptors: readonly number[];
  close(): void;
}

/** A bound UDP socket. */
export interface DatagramSocket extends Pollable {
  /** Filled by `receive()`; valid until the next `receive()` of any socket of this `Sys`. Belongs to the socket. */
  readonly rx: DatagramBatch;
  /** Filled by the caller, drained from the front by `flush()`. */
  readonly tx: DatagramBatch;
  /** Canonical bytes of the bound address (the port the kernel chose, if it was 0). */
  readonly localAddress: Uint8Array;
  readonly stats: Readonly<SocketStats>;
  /** Never blocks. Returns how many datagrams are now in `rx`; 0: none is waiting. Zero-length datagrams count. */
  receive(): number;
  /**
   * Never blocks. Sends `tx` in order and returns how many left the batch (sent, or dropped and counted). What the kernel
   * did not take stays in `tx`, moved to the front: wait for WRITABLE, then flush again.
   */
  flush(): number;
  /** Which way datagrams go now, where that is not told by `capabilities.backend`. For reports: a new object each time. */
  way?(): SocketWay;
  /** What was dropped before it got here, where the backend can tell. For reports: asks the kernel. */
  drops?(): SocketDrops;
  /** Closes at once; what is in `tx` is lost. Calls after it return 0. */
  close(): void;
}

/**
 * ChaCha20-Poly1305 (RFC 8439) as netcode uses it: 12-byte nonce of four zero bytes and the packet's 64-bit sequence,
 * associated data of 21 fixed bytes and the packet's prefix byte. Keys are loaded once; packets name them by number.
 */
export interface Aead {
  /** Which provider this is: `openssl-primitives`, `openssl-evp`, `node-crypto` or `simulated`. */
  readonly name: string;
  /** Where `open()` puts plaintext: that of slot `i` starts at `i * plaintextStrideBytes`. Valid until slot `i` is opened again. */
  readonly plaintext: Uint8Array;
  readonly plaintextStrideBytes: number;

  /** Keeps a copy of a 32-byte key with the 21 bytes of associated data before the prefix; returns its number (>= 0). */
  load(key: Uint8Array, associatedData: Uint8Array): number;
  /** Forgets a key and wipes it. Its number may be given out again. */
  free(keyId: number): void;

  /**
   * Encrypts slot `slot` of a transmit batch in place: `arena[offset .. offset + length)` becomes ciphertext and the
   * 16-byte tag is appended (`length` grows by 16). Overwrites up to 64 bytes before and 48 after: write headers later.
   *
   * The halves of the sequence may be signed or unsigned; on the data path pass them signed (`low | 0`, an `Int32Array`):
   * numbers beyond an int32 are boxed at a call.
   */
  seal(
    batch: DatagramBatch,
    slot: number,
    keyId: number,
    prefix: number,
    sequenceLow: number,
    sequenceHigh: number,
  ): void;
  /**
   * Opens the datagram in `slot`: ciphertext and tag are `arena[offset + headerBytes .. offset + length)`, at least 16
   * bytes. Returns false, with nothing usable in `plaintext`, when the tag is wrong. The datagram itself is not changed.
   */
  open(
    batch: DatagramBatch,
    slot: number,
    headerBytes: number,
    keyId: number,
    prefix: number,
    sequenceLow: number,
    sequenceHigh: number,
  ): boolean;

  /**
   * One-shot seal for tokens, in place: `bytes` without its last 16 is plaintext, the last 16 receive the tag.
   * `nonce` of 24 bytes means XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), of 12 bytes RFC 8439. Tens of microseconds.
   */
  sealOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): void;
  /** Undoes `sealOnce`, in place; false when the tag is wrong, and then `bytes` is unchanged. */
  openOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): boolean;
}

/** What this machine and backend can do, found out by trying. */
export interface Capabilities {
  /** `linux`, `packet`, `xdp`, `iocp`, `kqueue`, `dgram` or `sim`. A socket may have less: `DatagramSocket.way`. */
  readonly backend: string;
  readonly maxDatagramBytes: number;
  readonly gso: boolean;
  readonly gro: boolean;
  readonly reusePort: boolean;
  /** Whether sockets can share a port by a rule of ours (`openPortGroup`), and be handed to other threads. */
  readonly portGroups: boolean;
  readonly ipv6: boolean;
  readonly receivedAt: boolean;
  readonly localAddress: boolean;
}

/** One thread's door to the machine. */
export interface Sys {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly capabilities: Capabilities;
  /** An AEAD with room for the plaintext of `slots` datagrams of up to `slotBytes`. */
  openAead(slots: number, slotBytes: number): Aead;
  openPoller(): Poller;
  /**
   * Binds a UDP socket to a canonical address. A promise because some backends bind in the background.
   * Rejects with `SysError`: EADDRINUSE, EACCES, EADDRNOTAVAIL ..., with the remedy in the message.
   */
  openUdp(local: Uint8Array, options?: UdpOptions): Promise<DatagramSocket>;
  /** Closes what the Sys itself holds (shared batches). Sockets and pollers are closed by their owners. */
  close(): void;
}

/** Setting something up failed: which call, which errno, and what to do about it. */
export class SysError extends Error {
  override readonly name = 'SysError';
  /** The errno's name: `EADDRINUSE`. */
  readonly code: string;
  /** The call that failed: `bind`. */
  readonly syscall: string;

  constructor(code: string, syscall: string, message: string) {
    super(`${syscall}: ${code}: ${message}`);
    this.code = code;
    this.syscall = syscall;
  }
}

/** An option of `openSys` is wrong. */
export class SysOptionError extends SysError {
  /** The option, as `admission.burst`; '' where it is the backend itself. */
  readonly field: string;
  /** What is wrong, and what it may be. */
  readonly remedy: string;

  constructor(field: string, remedy: string) {
    super('EINVAL', 'openSys', field === '' ? remedy : `${field}: ${remedy}`);
    this.field = field;
    this.remedy = remedy;
  }
}
