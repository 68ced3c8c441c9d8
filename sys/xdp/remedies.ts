/** What can go wrong while AF_XDP is set up, and what a person can do about it: the text of every `SysError` of this folder. */

import { SysError } from '../api.ts';
import { remedyFor } from '../errno.ts';

/** Steps of the set-up, as they name a `SysError.syscall`. */
export type XdpStep =
  | 'bpf(MAP_CREATE)'
  | 'bpf(MAP_UPDATE_ELEM)'
  | 'bpf(MAP_LOOKUP_ELEM)'
  | 'bpf(MAP_DELETE_ELEM)'
  | 'bpf(PROG_LOAD)'
  | 'bpf(LINK_CREATE)'
  | 'socket(AF_XDP)'
  | 'setsockopt(SOL_XDP)'
  | 'getsockopt(SOL_XDP)'
  | 'mmap(AF_XDP)'
  | 'bind(AF_XDP)'
  | 'sendto(AF_XDP)'
  | 'ioctl';

const GRANT = `sudo setcap cap_net_raw,cap_net_admin,cap_bpf+ep ${process.execPath}`;

/** By step and errno, then by errno alone. `subject` is the interface, or a few words. */
const REMEDIES: Readonly<Record<string, (subject: string) => string>> = {
  EPERM: () =>
    `AF_XDP needs the rights CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF: \`${GRANT}\`, or choose the backend udp`,
  EACCES: () =>
    'the program was refused by the verifier, whose log follows; this is a bug of ours, or a kernel before 5.9',
  'bpf(LINK_CREATE) EBUSY': (subject) =>
    `${subject} has an XDP program already (\`ip link show dev ${subject}\`): stop what put it there, ` +
    `or \`sudo ip link set dev ${subject} xdp off\`; one process can use an interface this way`,
  'bpf(LINK_CREATE) EINVAL': (subject) =>
    `the kernel has no links for XDP programs, or ${subject} takes none: use Linux 5.9 or newer, or choose the backend udp`,
  'bpf(LINK_CREATE) EOPNOTSUPP': (subject) => `the driver of ${subject} runs no XDP programs: choose mode generic`,
  'bind(AF_XDP) EBUSY': (subject) =>
    `${subject} belongs to another AF_XDP socket: stop the program that holds it (\`ss --xdp\` shows it)`,
  'bind(AF_XDP) EINVAL': (subject) => `the kernel takes no AF_XDP socket on ${subject}: use Linux 5.10 or newer`,
  'bind(AF_XDP) EOPNOTSUPP': (subject) => `the driver of ${subject} has no zero-copy: choose copy`,
  'bind(AF_XDP) EPROTONOSUPPORT': (subject) => `the driver of ${subject} has no zero-copy: choose copy`,
  'bind(AF_XDP) ENETDOWN': (subject) => `the interface is down: \`sudo ip link set ${subject.split(' ')[0]} up\``,
  ENETDOWN: (subject) => `the interface is down: \`sudo ip link set ${subject} up\``,
  ENODEV: (subject) => `there is no interface ${subject} (any more): \`ip -brief link\` lists them`,
  ENXIO: (subject) => `there is no interface ${subject} (any more): \`ip -brief link\` lists them`,
  'setsockopt(SOL_XDP) ENOBUFS': () => memlock(),
  'bpf(MAP_CREATE) ENOMEM': () => memlock(),
  EAFNOSUPPORT: () => 'this kernel has no AF_XDP: use one built with CONFIG_XDP_SOCKETS, or choose the backend udp',
  ENOSYS: () => 'this kernel has no bpf(2), or a sandbox forbids it: choose the backend udp',
};

function memlock(): string {
  return 'no more memory may be locked: `ulimit -l 65536` (in systemd: LimitMEMLOCK=64M), the right CAP_IPC_LOCK, or fewer frames';
}

/**
 * The error of a failed step with its remedy.
 *
 * @param subject the interface, or what the step was about
 * @param detail lines to add: the verifier's log
 */
export function xdpError(code: string, step: XdpStep, subject = '', detail = ''): SysError {
  const remedy = REMEDIES[`${step} ${code}`] ?? REMEDIES[code];
  const text =
    remedy === undefined ? remedyFor(code, subject) : `${subject === '' ? '' : `${subject}: `}${remedy(subject)}`;
  return new SysError(code, step, detail === '' ? text : `${text}\n${detail}`);
}
