/** Which way datagrams went, and what was wrong with frames. */

/** Counters of one socket since it was opened. Live. */
export class XdpTraffic {
  /** Datagrams that came in frames of AF_XDP, and those that the kernel's socket brought. */
  framesIn = 0;
  kernelIn = 0;
  /** Datagrams that left as frames, and those that the kernel's socket was given. */
  framesOut = 0;
  kernelOut = 0;
  /** Frames whose lengths do not fit; the program at the interface lets none through, so these are a driver's fault. */
  malformed = 0;
  /** Datagrams whose UDP checksum was wrong. */
  badChecksum = 0;
}
