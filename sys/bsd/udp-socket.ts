/** A UDP socket of macOS and BSD: opened and bound here, received by a `ReceiveBatch`, sent by a `SendLoop`. */

import {
  ADDRESS_BYTES,
  DatagramBatch,
  type DatagramSocket,
  isIPv4,
  SocketStats,
  SysError,
  slotStrideBytes,
} from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import { must } from '../ffi/syscall.ts';
import {
  AF_INET,
  addressWords,
  readSockaddr,
  SOCKADDR_IN_BYTES,
  SOCKADDR_IN6_BYTES,
  writeSockaddr,
} from '../posix/sockaddr.ts';
import type { ResolvedUdpOptions } from '../posix/udp-options.ts';
import type { Dialect } from './abi.ts';
import { bsdCalls } from './calls.ts';
import type { ReceiveBatch } from './receive-batch.ts';
import { SendLoop } from './send-loop.ts';

const NAME_BYTES_AT = 32;
const OPTION_AT = 40;
const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
/** Smallest buffer worth asking for; where a kernel refuses even that, its default stays. */
const BUFFER_BYTES_MIN = 4096;

/** A bound socket. Made by `BsdSys.openUdp`. */
export class BsdUdpSocket implements DatagramSocket {
  readonly rx: DatagramBatch;
  readonly tx: DatagramBatch;
  readonly localAddress: Uint8Array;
  readonly stats: SocketStats = new SocketStats();
  /** The descriptor; -1 once closed, so that nobody reaches what got its number next. */
  pollHandle: number;
  private readonly receiver: ReceiveBatch;
  private readonly sender: SendLoop;

  /**
   * @param receiver shared with other sockets of the thread
   * @throws SysError what bind or an option failed with; nothing stays open
   */
  constructor(local: Uint8Array, options: ResolvedUdpOptions, receiver: ReceiveBatch, dialect: Dialect) {
    const ipv6 = !isIPv4(local);
    const { txSlots, txSpareBytes, slotBytes } = options;
    const arena = NativeArena.map(txSlots * slotStrideBytes(slotBytes) + txSpareBytes);
    this.tx = new DatagramBatch(arena.bytes, txSlots, slotBytes, {}, { address: arena.address });
    this.receiver = receiver;
    this.rx = receiver.batch;
    this.sender = new SendLoop(this.tx, ipv6, this.stats, dialect);
    const family = ipv6 ? dialect.afInet6 : AF_INET;
    this.pollHandle = must('socket', () => bsdCalls().socket(family, dialect.sockDgram, 0), local);
    try {
      this.localAddress = bindSocket(this.pollHandle, ipv6, local, options, dialect);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  receive(): number {
    return this.pollHandle < 0 ? 0 : this.receiver.receive(this.pollHandle, this.stats);
  }

  flush(): number {
    return this.pollHandle < 0 || this.tx.count === 0 ? 0 : this.sender.flush(this.pollHandle);
  }

  close(): void {
    if (this.pollHandle < 0) return;
    const fd = this.pollHandle;
    this.pollHandle = -1;
    this.tx.count = 0;
    bsdCalls().close(fd); // the kernel forgets its events with it
  }
}

/** Sets the options, binds, and returns the address that the kernel chose. */
function bindSocket(
  fd: number,
  ipv6: boolean,
  local: Uint8Array,
  options: ResolvedUdpOptions,
  dialect: Dialect,
): Uint8Array {
  const calls = bsdCalls();
  const scratch = NativeArena.map(64);
  const set = (level: number, option: number, value: number): void => {
    scratch.u32[OPTION_AT / 4] = value;
    must(
      'setsockopt',
      () => calls.setsockopt(fd, level, option, scratch.address + OPTION_AT, 4),
      `option ${option} of level ${level}`,
    );
  };
  const setBuffer = (option: number, bytes: number): void => {
    for (let size = bytes; size >= BUFFER_BYTES_MIN; size = Math.floor(size / 2)) {
      scratch.u32[OPTION_AT / 4] = size;
      // BSD refuses where Linux bounds: the largest half that it grants.
      if (calls.setsockopt(fd, dialect.solSocket, option, scratch.address + OPTION_AT, 4) === 0) return;
    }
  };
  if (ipv6) {
    set(IPPROTO_IPV6, dialect.ipv6V6only, options.dualStack ? 0 : 1);
    if (dialect.ipv6Dontfrag !== 0) set(IPPROTO_IPV6, dialect.ipv6Dontfrag, 1);
  } else if (dialect.ipDontfrag !== 0) {
    set(IPPROTO_IP, dialect.ipDontfrag, 1); // MTU probing is ours (RFC 8899)
  }
  if (options.receiveBufferBytes > 0) setBuffer(dialect.soRcvbuf, options.receiveBufferBytes);
  if (options.sendBufferBytes > 0) setBuffer(dialect.soSndbuf, options.sendBufferBytes);
  if (options.reusePort) {
    if (dialect.soReusePort === 0) {
      throw new SysError(
        'ENOTSUP',
        'setsockopt',
        'this system cannot spread peers over a shared port: leave reusePort out',
      );
    }
    set(dialect.solSocket, dialect.soReusePort, 1);
  }

  const family = ipv6 ? dialect.form.inet6 : dialect.form.inet;
  writeSockaddr(addressWords(local.slice()), 0, family, scratch.i32, 0, dialect.form);
  const nameBytes = ipv6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES;
  must('bind', () => calls.bind(fd, scratch.address, nameBytes), local);
  scratch.u32[NAME_BYTES_AT / 4] = SOCKADDR_IN6_BYTES;
  must('getsockname', () => calls.getsockname(fd, scratch.address, scratch.address + NAME_BYTES_AT), local);
  const bound = new Uint8Array(ADDRESS_BYTES);
  readSockaddr(scratch.i32, 0, addressWords(bound), 0, dialect.form);
  return bound;
}
