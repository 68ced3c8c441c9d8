/** What can go wrong with a packet ring, and what a person can do about it. */

import { SysError } from '../api.ts';
import { remedyFor } from '../errno.ts';

/** By errno: the remedy, given the interface. */
const REMEDIES: Readonly<Record<string, (name: string) => string>> = {
  EPERM: () =>
    'capturing needs the right CAP_NET_RAW: run it with sudo, or `sudo setcap cap_net_raw=+ep "$(readlink -f "$(which node)")"`, ' +
    'or --cap-add NET_RAW for a container',
  EACCES: (name) => REMEDIES.EPERM!(name),
  ENODEV: (name) => `there is no interface ${name}: \`ip -brief link\` lists them`,
  ENXIO: (name) => REMEDIES.ENODEV!(name),
  ENETDOWN: (name) => `the interface ${name} is down or gone: \`sudo ip link set ${name} up\`, then start again`,
  EAFNOSUPPORT: () => 'this kernel has no packet sockets: use one built with CONFIG_PACKET',
  EPROTONOSUPPORT: (name) =>
    `${name} is no Ethernet interface: choose one that is (\`ip -brief link\`), or read a file`,
  ENOMEM: () => 'the kernel has no memory for the ring: free some, or ask for fewer blocks',
  ENOPROTOOPT: () => 'this kernel has no TPACKET_V3: use Linux 3.2 or newer',
};

/** The error of a failed step. @param name the interface */
export function ringError(code: string, syscall: string, name: string): SysError {
  return new SysError(code, syscall, REMEDIES[code]?.(name) ?? remedyFor(code, name));
}
