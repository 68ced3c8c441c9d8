/**
 * Names of errors and what a person can do about each: the text of every `SysError`.
 *
 * The numbers are those of the machine this runs on (`os.constants.errno`).
 */

import { constants } from 'node:os';
import { formatAddress, isIPv4, portOf } from './address.ts';
import { SysError } from './api.ts';

const NUMBERS = constants.errno as Readonly<Record<string, number>>;

const NAMES: ReadonlyMap<number, string> = new Map(
  // EAGAIN and EWOULDBLOCK, ENOTSUP and EOPNOTSUPP are pairs of one number: keep the name that man pages use.
  Object.entries(NUMBERS)
    .filter(([name]) => name !== 'EWOULDBLOCK' && name !== 'ENOTSUP')
    .map(([name, number]) => [number, name]),
);

/** The number of `name` on this machine; 0 where it has none, which no failed call ever returns. */
export function errnoOf(name: string): number {
  return NUMBERS[name] ?? 0;
}

/** The name of an errno: `EADDRINUSE`; `E<number>` for one that this machine does not name. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}

/**
 * The error of a failed call with its remedy.
 *
 * @param code the errno's name
 * @param syscall the call that failed: `bind`
 * @param subject what it was called on: a canonical address, or a few words
 */
export function sysError(code: string, syscall: string, subject: Uint8Array | string = ''): SysError {
  return new SysError(code, syscall, remedyFor(code, subject));
}

/** What went wrong and what to do, in one sentence a person can act on. */
export function remedyFor(code: string, subject: Uint8Array | string): string {
  const text = typeof subject === 'string' ? subject : formatAddress(subject);
  const about = text === '' ? '' : `${text}: `;
  const port = typeof subject === 'string' ? 0 : portOf(subject);
  const remedy = REMEDIES[code];
  if (remedy === undefined) return `${about}unexpected failure; errno(3) explains ${code}`;
  return about + remedy(port, typeof subject === 'string' || isIPv4(subject));
}

/** By errno's name: the remedy, given the port (0: none) and whether the address is IPv4. */
const REMEDIES: Readonly<Record<string, (port: number, ipv4: boolean) => string>> = {
  EADDRINUSE: (port) =>
    `another program holds udp port ${port}: \`ss -lunp sport = :${port}\` shows which; stop it, choose another port, or open both with reusePort`,
  EACCES: (port) =>
    port > 0 && port < 1024
      ? `port ${port} is below 1024 and needs a right: choose a higher port, or \`sudo setcap cap_net_bind_service=+ep "$(readlink -f "$(which node)")"\``
      : 'the system denies it: a sandbox, SELinux or AppArmor rule is in the way; run it outside or allow UDP sockets there',
  EADDRNOTAVAIL: (_port, ipv4) =>
    `this machine has no such address: \`ip -brief address\` lists its own; ${ipv4 ? '0.0.0.0' : '::'} means all of them`,
  EAFNOSUPPORT: (_port, ipv4) =>
    ipv4
      ? 'this machine has no IPv4: use an IPv6 address'
      : 'this machine has no IPv6: use an IPv4 address, or enable it with `sysctl net.ipv6.conf.all.disable_ipv6=0`',
  EMFILE: () => 'this program has too many open files and sockets: raise the limit with `ulimit -n 65536`',
  ENFILE: () => 'the whole machine has too many open files: raise it with `sysctl fs.file-max=1000000`',
  ENOBUFS: () => 'the kernel has no memory left for sockets: open fewer, or ask for smaller buffers',
  ENOMEM: () => 'the machine has no memory left: open fewer sockets, or ask for fewer and smaller slots',
  ENOSPC: () => 'too many sockets are watched by epoll: raise it with `sysctl fs.epoll.max_user_watches=1000000`',
  EPERM: () => 'the system does not permit it: a container or seccomp rule is in the way; run with the right it names',
  ENOSYS: () =>
    'koffi or this system call is not available here: run `npx tickwire doctor`, or set TICKWIRE_SYS=dgram to go without',
  ENOPROTOOPT: () => 'this kernel does not know the option: update it, or leave the option out',
  ENODEV: () => 'this machine has no such network interface: `ip -brief link` lists them; check the %scope',
  EINVAL: () => 'the kernel takes no such value: a link-local IPv6 address needs its interface, as in fe80::1%2',
  EBADF: () => 'this socket or poller is closed: a bug in the program that uses it',
  EEXIST: () => 'this socket is already in the poller: use modify() to change its interest',
  ENOENT: () => 'this socket is not in the poller: add() it first',
};

/** The errnos that have a remedy of their own, for the test that reads them all. */
export const REMEDIED_CODES: readonly string[] = Object.keys(REMEDIES);
