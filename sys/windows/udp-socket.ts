/** A UDP socket of Windows: opened and bound here, received by a `ReadRing`, sent by a `SendPath`. */

import {
  ADDRESS_BYTES,
  DatagramBatch,
  type DatagramSocket,
  isIPv4,
  READABLE,
  SocketStats,
  slotStrideBytes,
  WRITABLE,
} from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import { addressWords, readSockaddr, SOCKADDR_IN_BYTES, SOCKADDR_IN6_BYTES, writeSockaddr } from '../posix/sockaddr.ts';
import type { ResolvedUdpOptions } from '../posix/udp-options.ts';
import { forgetWatches, signalWatches, type Watch, type Watchable } from '../watch-list.ts';
import * as abi from './abi.ts';
import { type WindowsCalls, windowsCalls } from './calls.ts';
import type { CompletionPort, CompletionTarget } from './completion-port.ts';
import { mustSocket, mustWin } from './errors.ts';
import { closeOperations, holdOperations, type Operations } from './operations.ts';
import { ReadRing } from './read-ring.ts';
import { SendPath } from './send-path.ts';
import { WINDOWS_FORM } from './sockaddr-form.ts';

const NAME_BYTES_AT = 32;
const OPTION_AT = 40;
const ANSWER_AT = 48;

/** What the sockets of one `WindowsSys` share. */
export interface WindowsShared {
  readonly port: CompletionPort;
  /** Open sockets by `pollHandle`. */
  readonly sockets: Map<number, Watchable>;
}

/** A bound socket. Made by `WindowsSys.openUdp`. */
export class WindowsUdpSocket implements DatagramSocket, Watchable, CompletionTarget {
  /** The key under which it is enlisted at the port. */
  readonly pollHandle: number;
  readonly rx: DatagramBatch;
  readonly tx: DatagramBatch;
  readonly localAddress: Uint8Array;
  readonly stats: SocketStats = new SocketStats();
  readonly watches: Watch[] = [];

  private readonly shared: WindowsShared;
  private readonly reads: ReadRing;
  private readonly sends: SendPath;
  private readonly operations: Operations;
  /** The SOCKET; 0 once closed. */
  private socket: number;

  /** @throws SysError what bind or an option failed with; nothing stays open */
  constructor(shared: WindowsShared, local: Uint8Array, options: ResolvedUdpOptions) {
    const family = isIPv4(local) ? WINDOWS_FORM.inet : WINDOWS_FORM.inet6;
    const { rxSlots, txSlots, txSpareBytes, slotBytes } = options;
    const arena = NativeArena.map(txSlots * slotStrideBytes(slotBytes) + txSpareBytes);
    this.shared = shared;
    this.tx = new DatagramBatch(arena.bytes, txSlots, slotBytes, {}, { address: arena.address });
    const reads = new ReadRing(rxSlots, slotBytes, this.stats);
    const sends = new SendPath(this.tx, family, this.stats);
    this.rx = reads.batch;
    this.reads = reads;
    this.sends = sends;
    this.operations = { settled: () => reads.settled() && sends.settled() };
    this.socket = openSocket(family, local);
    this.pollHandle = shared.port.enlist(this);
    try {
      this.localAddress = bindSocket(this.socket, family, local, options);
      shared.port.associate(this.socket, this.pollHandle);
      // What is done at once is seen at once, so its packet may be saved; and nobody waits for an event of the file.
      const modes = abi.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | abi.FILE_SKIP_SET_EVENT_ON_HANDLE;
      mustWin('SetFileCompletionNotificationModes', () =>
        windowsCalls().SetFileCompletionNotificationModes(this.socket, modes),
      );
      holdOperations(this.operations);
      reads.post(this.socket);
      shared.sockets.set(this.pollHandle, this);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  readiness(): number {
    return (this.reads.ready ? READABLE : 0) | (this.sends.ready ? WRITABLE : 0);
  }

  /** A packet for one of our operations came out of the port. */
  completed(): void {
    const bits = (this.reads.news() ? READABLE : 0) | (this.sends.news() ? WRITABLE : 0);
    if (bits !== 0) signalWatches(this, bits);
  }

  receive(): number {
    return this.socket === 0 ? 0 : this.reads.receive(this.socket);
  }

  flush(): number {
    return this.socket === 0 || this.tx.count === 0 ? 0 : this.sends.flush(this.socket);
  }

  close(): void {
    if (this.socket === 0) return;
    const { socket, shared } = this;
    const calls = windowsCalls();
    this.socket = 0;
    this.tx.count = 0;
    forgetWatches(this);
    shared.sockets.delete(this.pollHandle);
    calls.CancelIoEx(socket, 0); // closesocket does it too; then its operations are done when it returns
    calls.closesocket(socket);
    closeOperations(this.operations);
    shared.port.dismiss(this.pollHandle);
  }
}

function openSocket(family: number, local: Uint8Array): number {
  const flags = abi.WSA_FLAG_OVERLAPPED | abi.WSA_FLAG_NO_HANDLE_INHERIT;
  return mustSocket(
    'socket',
    () => windowsCalls().WSASocketW(family, abi.SOCK_DGRAM, abi.IPPROTO_UDP, 0, 0, flags),
    local,
  );
}

/** Sets the options, binds, and returns the address that the system chose. */
function bindSocket(socket: number, family: number, local: Uint8Array, options: ResolvedUdpOptions): Uint8Array {
  const calls = windowsCalls();
  const scratch = NativeArena.map(64);
  const set = (level: number, option: number, value: number): void => {
    mustSocket(
      'setsockopt',
      () => trySet(calls, scratch, socket, level, option, value),
      `option ${option} of level ${level}`,
    );
  };
  set(abi.SOL_SOCKET, abi.SO_EXCLUSIVEADDRUSE, 1);
  if (family === WINDOWS_FORM.inet6) {
    set(abi.IPPROTO_IPV6, abi.IPV6_V6ONLY, options.dualStack ? 0 : 1);
    trySet(calls, scratch, socket, abi.IPPROTO_IPV6, abi.IPV6_DONTFRAG, 1);
  }
  // MTU probing is ours (RFC 8899). On an IPv6 socket too, for its IPv4 peers; older systems do not know it there.
  trySet(calls, scratch, socket, abi.IPPROTO_IP, abi.IP_DONTFRAGMENT, 1);
  if (options.receiveBufferBytes > 0) set(abi.SOL_SOCKET, abi.SO_RCVBUF, options.receiveBufferBytes);
  if (options.sendBufferBytes > 0) set(abi.SOL_SOCKET, abi.SO_SNDBUF, options.sendBufferBytes);
  // So that sendto says "no room" in place of waiting. Overlapped operations are not concerned.
  scratch.u32[OPTION_AT / 4] = 1;
  mustSocket('ioctlsocket', () => calls.ioctlsocket(socket, abi.FIONBIO, scratch.address + OPTION_AT));
  // ICMP answers must not fail reads of datagrams that have nothing to do with them. Older systems know the first only.
  for (const code of [abi.SIO_UDP_CONNRESET, abi.SIO_UDP_NETRESET]) {
    scratch.u32[OPTION_AT / 4] = 0;
    calls.WSAIoctl(socket, code, scratch.address + OPTION_AT, 4, 0, 0, scratch.address + ANSWER_AT, 0, 0);
  }

  writeSockaddr(addressWords(local.slice()), 0, family, scratch.i32, 0, WINDOWS_FORM);
  const nameBytes = family === WINDOWS_FORM.inet6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES;
  mustSocket('bind', () => calls.bind(socket, scratch.address, nameBytes), local);
  scratch.u32[NAME_BYTES_AT / 4] = SOCKADDR_IN6_BYTES;
  mustSocket('getsockname', () => calls.getsockname(socket, scratch.address, scratch.address + NAME_BYTES_AT), local);
  const bound = new Uint8Array(ADDRESS_BYTES);
  readSockaddr(scratch.i32, 0, addressWords(bound), 0, WINDOWS_FORM);
  return bound;
}

/** Sets an option that is a DWORD; returns -1 where the system does not take it. */
function trySet(
  calls: WindowsCalls,
  scratch: NativeArena,
  socket: number,
  level: number,
  option: number,
  value: number,
): number {
  scratch.u32[OPTION_AT / 4] = value;
  return calls.setsockopt(socket, level, option, scratch.address + OPTION_AT, 4);
}
