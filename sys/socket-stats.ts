/** What a socket counts. */

/** Counters of one socket since it was opened. The object is live; copy what must not change. */
export class SocketStats {
  datagramsIn = 0;
  datagramsOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Not sent, the kernel refused this one: an ICMP answer to an earlier datagram (ECONNREFUSED). Was sent again once. */
  refused = 0;
  /** Not sent: larger than the path allows (EMSGSIZE). */
  tooLarge = 0;
  /** `flush()` stopped with datagrams left: the kernel's buffer was full (EAGAIN, ENOBUFS). */
  sendBlocked = 0;
  /** Not sent for another reason that concerns this datagram only (no route, not permitted). */
  sendFailed = 0;
  /** Received longer than the slot: cut by the kernel, so dropped. */
  truncated = 0;
  /** Arrived when no room was left for it, where the backend can tell (dgram, sim); a kernel drops in silence. */
  overflowed = 0;
  /** System calls made to receive and to send. */
  syscalls = 0;
}
