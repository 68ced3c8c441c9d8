/** The options of the AF_XDP backend, checked once at the door. */

import { type AttachMode, SysOptionError, type XdpOptions } from '../api.ts';

export type { AttachMode, XdpOptions } from '../api.ts';

/** What one source may send, with nothing left out. */
export interface Admission {
  readonly datagramsPerSecond: number;
  readonly burst: number;
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
  readonly fallback: boolean;
}

/** All names, for whoever looks for a misspelt one. */
export const XDP_OPTION_NAMES: readonly (keyof XdpOptions)[] = [
  'interface',
  'mode',
  'zeroCopy',
  'admission',
  'verifyChecksums',
  'rxFrames',
  'txFrames',
  'fallback',
];

const MODES: readonly AttachMode[] = ['auto', 'native', 'generic'];
const FRAMES_DEFAULT = 2048;
const FRAMES_MIN = 64;
/** 65,536 frames of 4 KiB are 256 MiB, a fourth of the memory below 2 GiB that is easily had. */
const FRAMES_MAX = 65_536;
const RATE_MAX = 10_000_000;
const BURST_MAX = 1_000_000;
/** Names of interfaces: IFNAMSIZ with its zero, and what the kernel does not take in one. */
const INTERFACE_NAME = /^[^\s/:]{1,15}$/;

/**
 * Checks `options` and fills in defaults.
 *
 * @throws SysOptionError naming the option and its range
 */
export function resolveXdpOptions(options: XdpOptions): ResolvedXdpOptions {
  const { interface: name, mode = 'auto', zeroCopy, verifyChecksums, fallback } = options;
  if (name !== undefined && !(typeof name === 'string' && INTERFACE_NAME.test(name))) {
    throw new SysOptionError('interface', `"${String(name)}" cannot name an interface: \`ip -brief link\` lists them`);
  }
  if (!MODES.includes(mode)) throw new SysOptionError('mode', `"${mode}" is no mode: it may be ${MODES.join(', ')}`);
  checkSwitch('zeroCopy', zeroCopy);
  checkSwitch('verifyChecksums', verifyChecksums);
  checkSwitch('fallback', fallback);
  return {
    interface: name ?? null,
    mode,
    zeroCopy: zeroCopy ?? true,
    admission: resolveAdmission(options.admission),
    verifyChecksums: verifyChecksums ?? true,
    rxFrames: powerOfTwo('rxFrames', options.rxFrames ?? FRAMES_DEFAULT),
    txFrames: powerOfTwo('txFrames', options.txFrames ?? FRAMES_DEFAULT),
    fallback: fallback ?? true,
  };
}

/** @throws SysOptionError where a switch is neither on, off nor left out */
export function checkSwitch(field: string, value: boolean | undefined): void {
  if (value === undefined || typeof value === 'boolean') return;
  throw new SysOptionError(field, `${String(value)} is neither true nor false`);
}

function resolveAdmission(given: XdpOptions['admission']): Admission | null {
  if (given === undefined) return null;
  if (typeof given !== 'object' || given === null) {
    throw new SysOptionError('admission', 'give { datagramsPerSecond, burst }, or leave it out');
  }
  for (const name of Object.keys(given)) {
    if (name === 'datagramsPerSecond' || name === 'burst') continue;
    throw new SysOptionError(`admission.${name}`, 'there is no such option; there are datagramsPerSecond and burst');
  }
  const datagramsPerSecond = inRange('admission.datagramsPerSecond', given.datagramsPerSecond, 1, RATE_MAX);
  const halfSecond = Math.min(BURST_MAX, Math.ceil(datagramsPerSecond / 2));
  return { datagramsPerSecond, burst: inRange('admission.burst', given.burst ?? halfSecond, 1, BURST_MAX) };
}

function powerOfTwo(name: string, value: number): number {
  inRange(name, value, FRAMES_MIN, FRAMES_MAX);
  if ((value & (value - 1)) === 0) return value;
  throw new SysOptionError(name, `${value} is not a power of two, such as ${2 ** Math.round(Math.log2(value))}`);
}

function inRange(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new SysOptionError(name, `${String(value)} is not a whole number from ${least} to ${most}`);
}
