/** For each way to the network whether it would work here, which one `auto` takes and why, and how to get the others. */

import { type Backend, SysError } from './api.ts';
import { library, libraryFailure } from './ffi/library.ts';
import { backendOfAuto, openSys } from './index.ts';
import { echo } from './probe.ts';
import { type InterfaceReport, reportInterfaces } from './xdp/interface-report.ts';
import { xdpFailure } from './xdp/probe.ts';

/** One way to the network, as it would be if it were asked for by name. */
export interface BackendReport {
  readonly backend: Exclude<Backend, 'auto'>;
  readonly ok: boolean;
  /** What was found, in one line. */
  readonly found: string;
  /** What to do to get it; '' where it is there. */
  readonly remedy: string;
}

/** All of them, and what the choice stands on. */
export interface BackendReports {
  readonly backends: readonly BackendReport[];
  readonly auto: { readonly backend: 'udp' | 'dgram'; readonly why: string };
  /** None where there are no frames: on other systems than Linux, without koffi. */
  readonly interfaces: readonly InterfaceReport[];
}

/** Tries each once: sockets on loopback, a program that is loaded and not attached, memory that is locked and given back. */
export async function reportBackends(): Promise<BackendReports> {
  const auto = backendOfAuto();
  const frames = process.platform === 'linux' && library() !== null;
  const interfaces = frames ? reportInterfaces() : [];
  return {
    backends: [
      await plain('udp', `${wayOfUdp()}; what every server can have`),
      frames ? packet(interfaces) : withoutFrames('packet'),
      frames ? xdp(interfaces) : withoutFrames('xdp'),
      await plain('dgram', 'node:dgram, everywhere; a datagram costs about three times as much'),
    ],
    auto: { backend: auto, why: auto === 'udp' ? WHY_UDP : whyDgram() },
    interfaces,
  };
}

const WHY_UDP =
  'the fastest that goes past nothing: packet and xdp go past NAT, firewall rules and shaping, so they are for you to ask for';

function whyDgram(): string {
  if (library() === null) return `koffi does not load here (${libraryFailure()})`;
  return process.platform === 'linux'
    ? `the layouts of system calls are known on x64 and arm64, not on ${process.arch}`
    : `udp has not run on ${process.platform} itself yet: ask for it by name`;
}

function wayOfUdp(): string {
  if (process.platform === 'win32') return "Windows' completion ports (IOCP)";
  return process.platform === 'linux' ? 'epoll, recvmmsg and sendmmsg' : 'kqueue';
}

async function plain(backend: 'udp' | 'dgram', found: string): Promise<BackendReport> {
  try {
    const sys = openSys(backend);
    try {
      if (await echo(sys)) return { backend, ok: true, found, remedy: '' };
    } finally {
      sys.close();
    }
    return missing(backend, 'a datagram to ourselves on 127.0.0.1 did not come back', 'allow UDP on 127.0.0.1');
  } catch (error) {
    return failed(backend, error);
  }
}

function packet(interfaces: readonly InterfaceReport[]): BackendReport {
  try {
    openSys({ backend: 'packet', fallback: false }).close();
  } catch (error) {
    return failed('packet', error);
  }
  return byInterfaces('packet', interfaces, 'frames can leave by');
}

function xdp(interfaces: readonly InterfaceReport[]): BackendReport {
  const failure = xdpFailure();
  if (failure !== null) return failed('xdp', failure);
  const free = interfaces.filter(({ attached }) => !attached);
  const fit = interfaces.filter(({ unfit }) => unfit === '');
  if (fit.length > 0 && fit.every(({ attached }) => attached)) {
    const { name } = fit[0]!;
    return missing(
      'xdp',
      `the program loads, but each interface has one already: ${fit.map((at) => at.name).join(', ')}`,
      `stop what attached it (\`ip link show dev ${name}\`), or \`sudo ip link set dev ${name} xdp off\``,
    );
  }
  return byInterfaces('xdp', free, 'the program loads; frames can come and go by');
}

function byInterfaces(backend: 'packet' | 'xdp', interfaces: readonly InterfaceReport[], text: string): BackendReport {
  const names = interfaces.filter(({ unfit }) => unfit === '').map(({ name }) => name);
  if (names.length > 0) return { backend, ok: true, found: `${text} ${names.join(', ')}`, remedy: '' };
  const remedy = 'take one up (`ip -brief link` lists them), or give the container an interface of its own';
  return missing(backend, 'no Ethernet interface is up: everything would go by UDP', remedy);
}

function withoutFrames(backend: 'packet' | 'xdp'): BackendReport {
  return process.platform === 'linux'
    ? missing(backend, `needs koffi (${libraryFailure()})`, 'npm install koffi')
    : missing(backend, `not on ${process.platform}`, 'run on Linux');
}

function missing(backend: BackendReport['backend'], found: string, remedy: string): BackendReport {
  return { backend, ok: false, found, remedy };
}

/** The message of a `SysError` is the call, the code and the remedy. */
function failed(backend: BackendReport['backend'], error: unknown): BackendReport {
  if (!(error instanceof SysError)) throw error;
  const { syscall, code } = error;
  const [first = ''] = error.message.split('\n', 1);
  return missing(backend, `${syscall}: ${code}`, first.slice(`${syscall}: ${code}: `.length));
}
