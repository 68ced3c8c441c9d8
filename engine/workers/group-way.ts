/** A group's way to the network: what its workers open, and what stands before their sockets. */

import type { Backend, BackendOptions, SocketWay } from '../../sys/api.ts';
import { openFloodGuard, openSys } from '../../sys/index.ts';
import { ConfigError } from '../errors.ts';
import { checkWay } from '../open.ts';

/** Why `xdp` is not the workers'. */
const ONE_SOCKET = 'AF_XDP serves one socket a port, so the workers receive and send by the kernel';

export interface GroupWay {
  /** What each worker opens; undefined: the default. */
  readonly workers: Backend | BackendOptions | undefined;
  readonly way: SocketWay;
  /** Datagrams that the admission filter has dropped, of all workers together. */
  notAdmitted(): number;
  close(): void;
}

/**
 * Checks what was asked for, and where it is `xdp` with an admission filter, puts that before the sockets of the group.
 *
 * @param bound the group's address
 * @throws ConfigError; SysError where `fallback` is off and the filter cannot be had
 */
export function openGroupWay(bound: Uint8Array, asked: Backend | BackendOptions | undefined): GroupWay {
  const options = checkWay(asked);
  if (options.backend === 'xdp') return besideXdp(bound, options);
  const sys = openSys(options);
  const { backend } = sys.capabilities;
  sys.close();
  const isLess = options.backend === 'packet' && backend !== 'packet';
  const fallback = isLess ? 'frames cannot be sent, the workers have said why' : '';
  const word = backend === 'linux' ? 'udp' : backend;
  return { workers: asked, way: { backend: word, details: '', fallback }, notAdmitted: () => 0, close: () => {} };
}

function besideXdp(bound: Uint8Array, options: Extract<BackendOptions, { backend: 'xdp' }>): GroupWay {
  if (options.fallback === false) throw new ConfigError('sys', `${ONE_SOCKET}: give udp or packet, or no workers`);
  const without = (why: string): GroupWay => ({
    workers: 'udp',
    way: { backend: 'udp', details: '', fallback: why },
    notAdmitted: () => 0,
    close: () => {},
  });
  if (options.admission === undefined) return without(ONE_SOCKET);
  try {
    const guard = openFloodGuard(bound, options);
    return {
      workers: 'udp',
      way: { backend: 'udp', details: `behind an admission filter: ${guard.details}`, fallback: ONE_SOCKET },
      notAdmitted: () => guard.refused(),
      close: () => guard.close(),
    };
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    return without(`${ONE_SOCKET}; the admission filter cannot be had: ${error.message.split('\n', 1)[0]}`);
  }
}
