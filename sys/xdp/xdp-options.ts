/** The options of the AF_XDP backend, checked once at the door. */

import { SysError } from '../api.ts';

/** Where the program runs: in the driver, after it, or in the driver if that can. */
export type AttachMode = 'auto' | 'native' | 'generic';

/** What one source may send before the program drops it: a token bucket for each IPv4 address and each IPv6 /64. */
export interface Admission {
  /** Tokens a second, 1 to 10,000,000. */
  readonly datagramsPerSecond: number;
  /** Tokens that a silent source saves up, 1 to 1,000,000. */
  readonly burst: number;
}

/** Options of `openXdpSys`. */
export interface XdpOptions {
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
  readonly admission?: Admission;
  /** Whether received UDP checksums are verified (about 40 ns for 100 bytes). Default true. */
  readonly verifyChecksums?: boolean;
  /** Frames to receive into, of all queues of an interface together: a power of two. Default 2,048. */
  readonly rxFrames?: number;
  /** Frames to send from: a power of two. Default 2,048. */
  readonly txFrames?: number;
}

/** Every option with its value. */
export interface ResolvedXdpOptions {
  readonly interface: string | null;
  readonly mode: AttachMode;
  readonly zeroCopy: boolean;
  readonly admission: Admission | null;
  readonly verifyChecksums: boolean;
  readonly rxFrames: number;
  readonly txFrames: number;
}

const FRAMES_DEFAULT = 2048;
const FRAMES_MIN = 64;
/** 65,536 frames of 4 KiB are 256 MiB, a fourth of the memory below 2 GiB that is easily had. */
const FRAMES_MAX = 65_536;
const RATE_MAX = 10_000_000;
const BURST_MAX = 1_000_000;

/**
 * Checks `options` and fills in defaults.
 *
 * @throws SysError EINVAL, naming the option and its range
 */
export function resolveXdpOptions(options: XdpOptions): ResolvedXdpOptions {
  const { admission } = options;
  if (admission !== undefined) {
    inRange('admission.datagramsPerSecond', admission.datagramsPerSecond, 1, RATE_MAX);
    inRange('admission.burst', admission.burst, 1, BURST_MAX);
  }
  return {
    interface: options.interface ?? null,
    mode: options.mode ?? 'auto',
    zeroCopy: options.zeroCopy ?? true,
    admission: admission ?? null,
    verifyChecksums: options.verifyChecksums ?? true,
    rxFrames: powerOfTwo('rxFrames', options.rxFrames ?? FRAMES_DEFAULT),
    txFrames: powerOfTwo('txFrames', options.txFrames ?? FRAMES_DEFAULT),
  };
}

function powerOfTwo(name: string, value: number): number {
  inRange(name, value, FRAMES_MIN, FRAMES_MAX);
  if ((value & (value - 1)) === 0) return value;
  throw new SysError('EINVAL', 'openXdpSys', `${name} is ${value}: it must be a power of two`);
}

function inRange(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new SysError('EINVAL', 'openXdpSys', `${name} is ${value}: it must be a whole number from ${least} to ${most}`);
}
