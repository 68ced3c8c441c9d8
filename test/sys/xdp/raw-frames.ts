/** Frames written by hand and put on the wire as they are: for what no honest socket sends. */

import { NativeArena } from '../../../sys/ffi/arena.ts';
import { must } from '../../../sys/ffi/syscall.ts';
import { linuxCalls } from '../../../sys/linux/calls.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCKADDR_LL_BYTES = 20;
const FRAME_AT = 64;

/** What of a good datagram is to be different. */
export interface Oddities {
  readonly payload?: Uint8Array;
  /** Overwrites bytes of the finished frame, checksums and all: offset to value. */
  readonly bytes?: Readonly<Record<number, number>>;
  /** Computes the IPv4 header's checksum after `bytes`. */
  readonly resum?: boolean;
  /** Control word of a VLAN tag. */
  readonly tag?: number;
  /** Bytes cut off at the end. */
  readonly cut?: number;
  readonly udpChecksum?: 'right' | 'zero' | 'partial';
}

/** An Ethernet frame with an IPv4 datagram: 14 + 20 + 8 bytes of headers. */
export function frameIPv4(
  macs: Uint8Array,
  from: readonly [string, number],
  to: readonly [string, number],
  { payload = Uint8Array.of(1, 2, 3), bytes = {}, resum = false, tag, cut = 0, udpChecksum = 'right' }: Oddities = {},
): Uint8Array {
  const ip = Buffer.alloc(28 + payload.length);
  ip.set([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17]);
  ip.writeUInt16BE(ip.length, 2);
  ip.set(from[0].split('.').map(Number), 12);
  ip.set(to[0].split('.').map(Number), 16);
  ip.writeUInt16BE(sum(ip.subarray(0, 20)), 10);
  ip.writeUInt16BE(from[1], 20);
  ip.writeUInt16BE(to[1], 22);
  ip.writeUInt16BE(8 + payload.length, 24);
  ip.set(payload, 28);
  const pseudo = Buffer.concat([ip.subarray(12, 20), Buffer.from([0, 17]), ip.subarray(24, 26)]);
  if (udpChecksum === 'right') ip.writeUInt16BE(sum(Buffer.concat([pseudo, ip.subarray(20)])), 26);
  if (udpChecksum === 'partial') ip.writeUInt16BE(~sum(pseudo) & 0xffff, 26);
  for (const [at, value] of Object.entries(bytes)) if (Number(at) >= 14) ip[Number(at) - 14] = value;
  if (resum) {
    ip.writeUInt16BE(0, 10);
    ip.writeUInt16BE(sum(ip.subarray(0, 20)), 10);
  }
  const type = tag === undefined ? [8, 0] : [0x81, 0, tag >> 8, tag & 0xff, 8, 0];
  const frame = Buffer.concat([macs, Buffer.from(type), ip]);
  return frame.subarray(0, frame.length - cut);
}

function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

/** Sends frames through interface `index` of the namespace in which it is made. */
export class FrameSender {
  private readonly fd: number;
  private readonly arena: NativeArena = NativeArena.map(70_000);

  constructor(index: number) {
    this.fd = must('socket', () => linuxCalls().socket(AF_PACKET, SOCK_RAW, 0));
    this.arena.view.setUint16(0, AF_PACKET, true);
    this.arena.view.setInt32(4, index, true);
    this.arena.bytes[11] = 6;
  }

  send(frame: Uint8Array): void {
    this.arena.bytes.set(frame, FRAME_AT);
    const { address } = this.arena;
    must('sendto', () => linuxCalls().sendto(this.fd, address + FRAME_AT, frame.length, 0, address, SOCKADDR_LL_BYTES));
  }

  close(): void {
    linuxCalls().close(this.fd);
  }
}
