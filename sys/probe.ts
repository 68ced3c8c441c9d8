/**
 * What this machine offers, found out by trying: the facts behind `tickwire doctor`.
 *
 * Every machine gets the same list of names, so that two reports can be laid side by side; what a system cannot have is
 * missing there too, with that as the reason.
 */

import { aeadReport } from './aead/choose.ts';
import type { DatagramSocket, Poller, Sys } from './api.ts';
import { addressOf, SysError } from './api.ts';
import { library, libraryFailure } from './ffi/library.ts';
import { probeLinux } from './linux/probe.ts';

/** One thing that was tried. */
export interface Probe {
  /** Stable, in kebab-case. */
  readonly name: string;
  readonly ok: boolean;
  /** Without it the engine does not run. */
  readonly required: boolean;
  /** What was found, in one line. */
  readonly found: string;
  /** What to do where it is missing: a command to paste, or a sentence; '' where it is there. */
  readonly remedy: string;
}

/** The oldest Node that the engine is tested with. */
const NODE_MIN: readonly [number, number] = [20, 19];
/** How long a datagram to ourselves may take before we say that it is lost. */
const ECHO_MICROS = 1_000_000;

/**
 * Tries everything once. Takes some milliseconds; opens and closes sockets on loopback.
 *
 * @param openSys opens the backend that the engine would use; that it cannot becomes a missing `sockets`
 * @throws SysError EINVAL where the environment asks for a backend that does not exist
 */
export async function probeMachine(openSys: () => Sys): Promise<readonly Probe[]> {
  let sys: Sys | null = null;
  let failure = '';
  try {
    sys = openSys();
  } catch (error) {
    // EINVAL: TICKWIRE_SYS names no backend, which is for the caller of the command to mend.
    if (!(error instanceof SysError) || error.code === 'EINVAL') throw error;
    failure = error.message;
  }
  try {
    return [
      probeNode(process.versions.node),
      await probeSockets(sys, failure),
      probeAead(),
      probeKoffi(),
      probeBackend(sys),
      ...probeCapabilities(sys),
      ...probeLinux(),
    ];
  } finally {
    sys?.close();
  }
}

/** A probe with its remedy only where it is needed. */
export function probe(name: string, ok: boolean, found: string, remedy: string, required = false): Probe {
  return { name, ok, required, found, remedy: ok ? '' : remedy };
}

function probeNode(version: string): Probe {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const ok = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  return probe('node', ok, `v${version}`, `install Node ${NODE_MIN.join('.')} or newer from nodejs.org`, true);
}

async function probeSockets(sys: Sys | null, failure: string): Promise<Probe> {
  const remedy = 'allow UDP sockets on 127.0.0.1: a sandbox, container rule or firewall forbids them';
  if (sys === null)
    return probe('sockets', false, failure, process.env.TICKWIRE_SYS ? 'unset TICKWIRE_SYS' : remedy, true);
  try {
    const arrived = await echo(sys);
    const found = arrived
      ? 'a datagram sent to ourselves on 127.0.0.1 came back'
      : `a datagram sent to ourselves on 127.0.0.1 did not come back within ${ECHO_MICROS / 1_000_000} s`;
    return probe('sockets', arrived, found, remedy, true);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    return probe('sockets', false, error.message, remedy, true);
  }
}

/** Sends a datagram to ourselves and waits for it as an attached engine would. */
export async function echo(sys: Sys): Promise<boolean> {
  const socket = await sys.openUdp(addressOf('127.0.0.1', 0)!, { rxSlots: 1, txSlots: 1, slotBytes: 64 });
  const poller = sys.openPoller();
  try {
    poller.add(socket, 1, 1);
    socket.tx.address.set(socket.localAddress);
    socket.tx.length[0] = 1;
    socket.tx.count = 1;
    socket.flush();
    return await arrival(sys, poller, socket);
  } finally {
    socket.close();
    poller.close();
  }
}

function arrival(sys: Sys, poller: Poller, socket: DatagramSocket): Promise<boolean> {
  const deadline = sys.clock.now() + ECHO_MICROS;
  return new Promise((resolve) => {
    poller.attach(() => {
      poller.wait(0);
      const arrived = socket.receive() > 0;
      if (arrived || sys.clock.now() >= deadline) resolve(arrived);
    });
    poller.arm(deadline);
  });
}

function probeAead(): Probe {
  const findings = aeadReport();
  const inUse = findings.find((finding) => finding.ok);
  const slower = findings.slice(0, inUse === undefined ? findings.length : findings.indexOf(inUse));
  // Where the reason is koffi, the line about koffi says it better.
  const withoutKoffi = slower.length > 0 && inUse !== undefined && library() === null;
  const reasons = withoutKoffi
    ? 'the faster ones need koffi'
    : slower.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  return probe(
    'aead',
    inUse !== undefined,
    inUse === undefined ? reasons : inUse.name + (reasons === '' ? '' : ` (${reasons})`),
    'use a Node from nodejs.org, without FIPS mode: this one has no working ChaCha20-Poly1305',
    true,
  );
}

function probeKoffi(): Probe {
  const koffi = library();
  return probe(
    'koffi',
    koffi !== null,
    koffi === null ? libraryFailure() : koffi.version,
    `npm install koffi, on a system it has a build for (this is ${process.platform} ${process.arch})`,
  );
}

function probeBackend(sys: Sys | null): Probe {
  const found = sys === null ? 'none' : sys.capabilities.backend;
  const asked = process.env.TICKWIRE_SYS ?? '';
  let remedy = 'node:dgram is all there is on this system yet: run the server on Linux, x64 or arm64';
  if (asked !== '') remedy = 'unset TICKWIRE_SYS';
  else if (process.platform === 'win32')
    remedy = 'set TICKWIRE_SYS=udp: completion ports, tried on Wine only (needs koffi, see above)';
  else if (process.platform === 'linux') remedy = 'see koffi above: the fast backend needs it';
  return probe(
    'backend',
    sys !== null && found !== 'dgram',
    asked === '' ? found : `${found} (TICKWIRE_SYS=${asked})`,
    remedy,
  );
}

function probeCapabilities(sys: Sys | null): Probe[] {
  const has = sys?.capabilities;
  const backend = 'see backend above: node:dgram does not offer it';
  const kernel = has?.backend === 'linux';
  const answer = (ok: boolean | undefined, yes: string) =>
    ok ? yes : kernel ? 'the kernel refuses it' : 'not offered';
  return [
    probe('ipv6', has?.ipv6 ?? false, answer(has?.ipv6, '::1 can be bound'), remedyForIPv6()),
    probe(
      'gso',
      has?.gso ?? false,
      answer(has?.gso, 'UDP_SEGMENT'),
      kernel ? 'update to Linux 4.18 or newer' : backend,
    ),
    probe('gro', has?.gro ?? false, answer(has?.gro, 'UDP_GRO'), kernel ? 'update to Linux 5.0 or newer' : backend),
    probe(
      'reuseport',
      has?.reusePort ?? false,
      answer(has?.reusePort, 'SO_REUSEPORT'),
      kernel ? 'update to Linux 3.9 or newer' : backend,
    ),
  ];
}

function remedyForIPv6(): string {
  return process.platform === 'linux'
    ? 'sudo sysctl -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0'
    : 'enable IPv6 in the network settings';
}
