/** The options of `openUdp`, checked once at the door: inside, nothing is optional. */

import { ADDRESS_BYTES, type BatchColumns, SysError, type UdpOptions } from '../api.ts';

/** Every option with its value. Buffer sizes of 0 mean the system's. */
export interface ResolvedUdpOptions {
  readonly rxSlots: number;
  readonly txSlots: number;
  readonly txSpareBytes: number;
  readonly slotBytes: number;
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
  readonly reusePort: boolean;
  readonly dualStack: boolean;
  readonly gso: boolean;
  readonly gro: boolean;
  /** -1: none, bind one. */
  readonly descriptor: number;
  readonly columns: BatchColumns;
}

/** Messages that one recvmmsg or sendmmsg takes (UIO_MAXIOV). */
const SLOTS_MAX = 1024;
/** Arenas lie below 2 GiB together. */
const SPARE_BYTES_MAX = 2 ** 29;
/** What the length column of a batch can say. No datagram is as long. */
const SLOT_BYTES_MAX = 65_535;
const DESCRIPTOR_MAX = 2 ** 31 - 1;
/** What the kernel can count in an int, doubled as it does. */
const BUFFER_BYTES_MAX = 2 ** 30;

/**
 * Checks `options` and fills in defaults.
 *
 * @param canAdopt whether the backend can go on with another thread's socket
 * @throws SysError EINVAL, naming the option and its range
 */
export function resolveUdpOptions(local: Uint8Array, options: UdpOptions, canAdopt = false): ResolvedUdpOptions {
  if (local.length !== ADDRESS_BYTES) {
    throw new SysError('EINVAL', 'openUdp', `a local address has ${ADDRESS_BYTES} bytes, as addressOf() makes them`);
  }
  if (options.descriptor !== undefined && !canAdopt) {
    throw new SysError(
      'ENOTSUP',
      'openUdp',
      'sockets of other threads cannot be gone on with here: leave descriptor out',
    );
  }
  return {
    rxSlots: inRange('rxSlots', options.rxSlots ?? 64, 1, SLOTS_MAX),
    txSlots: inRange('txSlots', options.txSlots ?? 64, 1, SLOTS_MAX),
    txSpareBytes: inRange('txSpareBytes', options.txSpareBytes ?? 0, 0, SPARE_BYTES_MAX),
    slotBytes: inRange('slotBytes', options.slotBytes ?? 2048, 1, SLOT_BYTES_MAX),
    receiveBufferBytes: inRange('receiveBufferBytes', options.receiveBufferBytes ?? 0, 0, BUFFER_BYTES_MAX),
    sendBufferBytes: inRange('sendBufferBytes', options.sendBufferBytes ?? 0, 0, BUFFER_BYTES_MAX),
    reusePort: options.reusePort ?? false,
    dualStack: options.dualStack ?? true,
    gso: options.gso ?? true,
    gro: options.gro ?? false,
    descriptor: inRange('descriptor', options.descriptor ?? -1, -1, DESCRIPTOR_MAX),
    columns: {
      receivedAt: options.columns?.receivedAt ?? false,
      localAddress: options.columns?.localAddress ?? false,
    },
  };
}

function inRange(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new SysError('EINVAL', 'openUdp', `${name} is ${value}: it must be a whole number from ${least} to ${most}`);
}
