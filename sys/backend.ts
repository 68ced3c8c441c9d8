/** The ways to a machine's network: what may be asked for, and what a socket says of the way that it has. Types only. */

/**
 * The ways to a machine's network.
 *
 * - `udp`: the kernel's UDP sockets by its own calls: epoll and recvmmsg on Linux, completion ports on Windows, kqueue on macOS
 *   and FreeBSD.
 * - `packet`: the same on Linux, but what is sent goes as finished frames past the kernel's UDP, NAT and firewall rules.
 * - `xdp`: both ways past the kernel's UDP (AF_XDP), on Linux.
 * - `dgram`: node:dgram, which is everywhere.
 * - `auto`: `udp` on Linux where koffi loads, else `dgram`. The others are for those who know what they go past; `udp` of Windows
 *   has run on Wine only, that of macOS and FreeBSD over libkqueue only.
 */
export type Backend = 'auto' | 'udp' | 'packet' | 'xdp' | 'dgram';

/** A backend with its options, in one object: `{ backend: 'xdp', interface: 'eth0' }`. */
export type BackendOptions =
  | { readonly backend: 'auto' | 'udp' | 'dgram' }
  | ({ readonly backend: 'packet' } & FallbackOption)
  | ({ readonly backend: 'xdp' } & XdpOptions);

/** Of the backends that need rights, an interface and a kernel that has them. */
export interface FallbackOption {
  /**
   * Where frames cannot be had, go on over the kernel's UDP and say why (`DatagramSocket.way`; a server warns). Default true;
   * false: an error.
   */
  readonly fallback?: boolean;
}

/** Where the XDP program runs: in the driver, after it, or in the driver if that can. */
export type AttachMode = 'auto' | 'native' | 'generic';

/** What one source may send before the XDP program drops it: a token bucket for each IPv4 address and each IPv6 /64. */
export interface SourceLimit {
  /** Tokens a second, 1 to 10,000,000. */
  readonly datagramsPerSecond: number;
  /** Tokens that a silent source saves up, 1 to 1,000,000. Default: what it may send in half a second. */
  readonly burst?: number;
}

/** Options of the backend `xdp`. */
export interface XdpOptions extends FallbackOption {
  /**
   * The interface. Default: for each socket the one with its address, or of the default route where it is bound to all
   * addresses. `lo` means none: every socket is the kernel's.
   */
  readonly interface?: string;
  /** Default `auto`. */
  readonly mode?: AttachMode;
  /** Whether the driver may use our frames without a copy, where it can. Default true. */
  readonly zeroCopy?: boolean;
  /** Drops floods in the driver, before they cost anything. Default off: many players may share one address. */
  readonly admission?: SourceLimit;
  /** Whether received UDP checksums are verified (about 40 ns for 100 bytes). Default true. */
  readonly verifyChecksums?: boolean;
  /** Frames to receive into, of all queues of an interface together: a power of two, 64 to 65,536. Default 2,048. */
  readonly rxFrames?: number;
  /** Frames to send from: a power of two, 64 to 65,536. Default 2,048. */
  readonly txFrames?: number;
}

/** Which way the datagrams of a socket go now. */
export interface SocketWay {
  /** `udp`, `packet`, `xdp`, `dgram` or `sim`: what is in use, which may be less than what was asked for. */
  readonly backend: string;
  /** In a few words, for people: `eth0, native, copied, 4 queues`; '' where there is nothing to add. */
  readonly details: string;
  /** Why it is not what was asked for, and what to do about it; '' where it is. */
  readonly fallback: string;
}

/** What was dropped before it reached a socket. */
export interface SocketDrops {
  /** By the admission filter: datagrams to any socket on the interface. */
  readonly notAdmitted: number;
  /** For want of room in the socket's ring, of a frame to receive into, and for other reasons. */
  readonly ringFull: number;
  readonly noFrame: number;
  readonly other: number;
}
