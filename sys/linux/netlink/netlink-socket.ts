/**
 * A netlink socket of the routing family: questions that are answered within the call, or news of what changed.
 *
 * rtnetlink works on a request inside the `send` that brings it, so the answer is there when `send` returns: nothing here
 * waits. Needs no right. It belongs to the network namespace in which it was opened.
 */

import { errnoOf } from '../../errno.ts';
import { NativeArena } from '../../ffi/arena.ts';
import { lastErrno, must } from '../../ffi/syscall.ts';
import { MSG_DONTWAIT, MSG_TRUNC, SO_RCVBUF, SOL_SOCKET } from '../abi.ts';
import { type LinuxCalls, linuxCalls } from '../calls.ts';
import { setOption } from '../udp-socket.ts';
import * as abi from './abi.ts';
import { MessageReader, MessageWriter } from './message.ts';

const EINTR: number = errnoOf('EINTR');
const ENOBUFS: number = errnoOf('ENOBUFS');

/** One datagram of netlink is at most this long (NLMSG_GOODSIZE is 8 KiB; a link with many virtual functions takes more). */
const RECEIVE_BYTES = 32_768;
/** Requests are a fixed part and a few attributes. */
const REQUEST_BYTES = 256;
/** Answers to older requests that may lie before ours: there are none unless a reader gave up. */
const STRAYS_MAX = 8;
/** News that the kernel keeps while nobody looks: a few thousand messages. */
const NEWS_BUFFER_BYTES = 1 << 20;

/** What `receive` found instead of bytes. */
export const NOTHING = 0;
/** The kernel had to throw news away: everything known may be wrong. */
export const OVERRUN: number = -1;

/** Asks about routes, neighbours and links, or hears of them. */
export class NetlinkSocket {
  /** At the messages of the last answer or piece of news. */
  readonly reader: MessageReader;
  /** Builds the next request. */
  readonly writer: MessageWriter;
  private readonly calls: LinuxCalls = linuxCalls();
  private readonly incoming: NativeArena = NativeArena.map(RECEIVE_BYTES);
  private readonly outgoing: NativeArena = NativeArena.map(REQUEST_BYTES);
  private fd: number;
  private sequence = 0;

  /**
   * @param groups of changes to hear of (RTNLGRP_*); none for a socket that asks
   * @param protocol NETLINK_ROUTE, or another family whose requests are answered within the call
   * @throws SysError
   */
  constructor(groups: readonly number[] = [], protocol: number = abi.NETLINK_ROUTE) {
    this.reader = new MessageReader(this.incoming.bytes.subarray(0, RECEIVE_BYTES));
    this.writer = new MessageWriter(this.outgoing.bytes.subarray(0, REQUEST_BYTES));
    const { calls } = this;
    this.fd = must('socket', () => calls.socket(abi.AF_NETLINK, abi.SOCK_RAW_NONBLOCK_CLOEXEC, protocol));
    try {
      this.outgoing.bytes.fill(0, 0, abi.SockaddrNl.SIZE);
      this.outgoing.view.setUint16(abi.SockaddrNl.family, abi.AF_NETLINK, true);
      must('bind', () => calls.bind(this.fd, this.outgoing.address, abi.SockaddrNl.SIZE), 'netlink');
      if (groups.length > 0) {
        setOption(calls, this.outgoing, this.fd, SOL_SOCKET, SO_RCVBUF, NEWS_BUFFER_BYTES);
      }
      for (const group of groups) {
        setOption(calls, this.outgoing, this.fd, abi.SOL_NETLINK, abi.NETLINK_ADD_MEMBERSHIP, group);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Starts a request in `writer`; returns where its fixed part lies. */
  request(type: number, fixedBytes: number): number {
    this.sequence = (this.sequence + 1) & 0x7fff_ffff;
    return this.writer.start(type, this.sequence, fixedBytes);
  }

  /** Sends the request in `writer`. True: `reader` is at an answer of type `wanted`. False: no such thing, or a refusal. */
  ask(wanted: number): boolean {
    if (this.fd < 0 || this.calls.send(this.fd, this.outgoing.address, this.writer.length, 0) < 0) return false;
    for (let stray = 0; stray < STRAYS_MAX; stray++) {
      if (this.receive() <= 0) return false;
      while (this.reader.next()) {
        if (this.reader.sequence === this.sequence) return this.reader.type === wanted;
      }
    }
    return false;
  }

  /** Takes in one datagram of messages for `reader`. Returns its bytes, NOTHING or OVERRUN. */
  receive(): number {
    if (this.fd < 0) return NOTHING;
    for (;;) {
      const received = this.calls.recv(this.fd, this.incoming.address, RECEIVE_BYTES, MSG_DONTWAIT | MSG_TRUNC);
      if (received > RECEIVE_BYTES) return OVERRUN; // cut off: what it said at its end is not known
      if (received >= 0) {
        this.reader.start(received);
        return received;
      }
      const errno = lastErrno();
      if (errno === ENOBUFS) return OVERRUN;
      if (errno !== EINTR) return NOTHING;
    }
  }

  close(): void {
    if (this.fd < 0) return;
    this.calls.close(this.fd);
    this.fd = -1;
  }
}
