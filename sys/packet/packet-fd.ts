/** The descriptor that frames are sent through: a packet socket that receives nothing. */

import { SysError } from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import { must } from '../ffi/syscall.ts';
import type { LinuxCalls } from '../linux/calls.ts';
import { setOption } from '../linux/udp-socket.ts';
import { AF_PACKET, PACKET_QDISC_BYPASS, PACKET_VNET_HDR, SOCK_RAW_NONBLOCK_CLOEXEC, SOL_PACKET } from './abi.ts';

const REMEDY =
  'sending frames needs the right CAP_NET_RAW: `sudo setcap cap_net_raw=+ep "$(readlink -f "$(which node)")"`, ' +
  'or AmbientCapabilities=CAP_NET_RAW in a systemd unit, or --cap-add NET_RAW for a container; or use the backend udp';

/**
 * Opens a packet socket of the network namespace that this thread is in.
 *
 * @throws SysError EPERM without CAP_NET_RAW
 */
export function openPacketSocket(calls: LinuxCalls): number {
  let fd: number;
  try {
    // Protocol 0: the kernel hands it no frame, so nothing is queued that nobody reads.
    fd = must('socket', () => calls.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0), 'frames');
  } catch (error) {
    if (error instanceof SysError && (error.code === 'EPERM' || error.code === 'EACCES')) {
      throw new SysError('EPERM', 'socket', REMEDY);
    }
    throw error;
  }
  try {
    setOption(calls, NativeArena.map(64), fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
  } catch (error) {
    calls.close(fd);
    throw error;
  }
  return fd;
}

/** Makes the socket take a `virtio_net_hdr` before each frame. False where the kernel has no such thing. */
export function takesOffloads(calls: LinuxCalls, fd: number): boolean {
  try {
    setOption(calls, NativeArena.map(64), fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    return true;
  } catch (error) {
    if (error instanceof SysError) return false; // the answer, not a failure
    throw error;
  }
}
