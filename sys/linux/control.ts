/**
 * Control messages (cmsg(3)) of UDP: what a datagram was sent to, when it came, and how many were joined.
 *
 * Read and written as words of a `MessageTable`, so that nothing is allocated per datagram.
 */

import { isMapped, MAPPED_WORD } from '../posix/sockaddr.ts';
import {
  Cmsghdr,
  In6Pktinfo,
  InPktinfo,
  IP_PKTINFO,
  IPV6_PKTINFO,
  SO_TIMESTAMPNS,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
  UDP_SEGMENT,
} from './abi.ts';

/** Room for a timestamp (32), an IPv6 packet info (40) and a GRO size (24), and for a surprise. */
export const RECEIVE_CONTROL_BYTES = 128;
/** Room for an IPv6 packet info (40) and a segment size (24). */
export const SEND_CONTROL_BYTES = 64;

const HEADER_WORDS: number = Cmsghdr.SIZE / 4;
const LEVEL_WORD: number = Cmsghdr.level / 4;
const TYPE_WORD: number = Cmsghdr.type / 4;
const LINK_LOCAL_MASK = 0xc0ff; // fe80::/10 as the first little-endian word shows it
const LINK_LOCAL = 0x80fe;

/** What the control messages of one datagram said. Valid until the next `read`. */
export class ControlReader {
  /** Bytes of each datagram joined in the buffer; 0: not joined. */
  segmentBytes = 0;
  /** CLOCK_REALTIME when the kernel took it in; both 0: it did not say. */
  seconds = 0;
  nanoseconds = 0;
  /** Whether `local` was filled. */
  hasLocal = false;
  /** Address it was sent to: 4 words of canonical address, then the scope. */
  readonly local: Int32Array = new Int32Array(5);

  /** Reads the block of `bytes` bytes at word `at`. */
  read(words: Int32Array, at: number, bytes: number): void {
    this.segmentBytes = 0;
    this.seconds = 0;
    this.nanoseconds = 0;
    this.hasLocal = false;
    const end = at + (bytes >>> 2);
    let header = at;
    while (header + HEADER_WORDS <= end) {
      const size = words[header]!;
      if (size < Cmsghdr.SIZE) return;
      this.take(words, header);
      header += ((size + 7) & ~7) >>> 2;
    }
  }

  private take(words: Int32Array, header: number): void {
    const level = words[header + LEVEL_WORD]!;
    const type = words[header + TYPE_WORD]!;
    const data = header + HEADER_WORDS;
    if (level === SOL_SOCKET && type === SO_TIMESTAMPNS) {
      this.seconds = words[data]! >>> 0; // low word: good until 2106
      this.nanoseconds = words[data + 2]!;
    } else if (level === SOL_UDP && type === UDP_GRO) {
      this.segmentBytes = words[data]!;
    } else if (level === SOL_IP && type === IP_PKTINFO) {
      this.takeLocal(0, 0, MAPPED_WORD, words[data + InPktinfo.specificDestination / 4]!, 0);
    } else if (level === SOL_IPV6 && type === IPV6_PKTINFO) {
      const first = words[data]!;
      const scope = (first & LINK_LOCAL_MASK) === LINK_LOCAL ? words[data + In6Pktinfo.interface / 4]! : 0;
      this.takeLocal(first, words[data + 1]!, words[data + 2]!, words[data + 3]!, scope);
    }
  }

  private takeLocal(w0: number, w1: number, w2: number, w3: number, scope: number): void {
    const { local } = this;
    local[0] = w0;
    local[1] = w1;
    local[2] = w2;
    local[3] = w3;
    local[4] = scope;
    this.hasLocal = true;
  }
}

/**
 * Writes "cut this message into datagrams of `segmentBytes`" (UDP_SEGMENT) at word `at`. Returns the bytes it takes.
 */
export function writeSegment(words: Int32Array, at: number, segmentBytes: number): number {
  words[at] = Cmsghdr.SIZE + 2;
  words[at + 1] = 0;
  words[at + LEVEL_WORD] = SOL_UDP;
  words[at + TYPE_WORD] = UDP_SEGMENT;
  words[at + HEADER_WORDS] = segmentBytes;
  return Cmsghdr.SIZE + 8;
}

/**
 * Writes "send from this address" at word `at`, for a socket that is or is not IPv6. `from` is the word of the canonical
 * address in `canonical`. Returns the bytes it takes: 0 where the address is `::` or does not fit the socket.
 */
export function writeSource(words: Int32Array, at: number, canonical: Int32Array, from: number, ipv6: boolean): number {
  if ((canonical[from]! | canonical[from + 1]! | canonical[from + 2]! | canonical[from + 3]!) === 0) return 0;
  const data = at + HEADER_WORDS;
  words[at + 1] = 0;
  if (!ipv6) {
    if (!isMapped(canonical, from)) return 0;
    words[at] = Cmsghdr.SIZE + InPktinfo.SIZE;
    words[at + LEVEL_WORD] = SOL_IP;
    words[at + TYPE_WORD] = IP_PKTINFO;
    words[data] = 0; // any interface: routing decides
    words[data + 1] = canonical[from + 3]!;
    words[data + 2] = 0;
    return (Cmsghdr.SIZE + InPktinfo.SIZE + 7) & ~7;
  }
  words[at] = Cmsghdr.SIZE + In6Pktinfo.SIZE;
  words[at + LEVEL_WORD] = SOL_IPV6;
  words[at + TYPE_WORD] = IPV6_PKTINFO;
  words[data] = canonical[from]!;
  words[data + 1] = canonical[from + 1]!;
  words[data + 2] = canonical[from + 2]!;
  words[data + 3] = canonical[from + 3]!;
  words[data + 4] = canonical[from + 5]!;
  return (Cmsghdr.SIZE + In6Pktinfo.SIZE + 7) & ~7;
}
