/**
 * The memory of frames (UMEM) and, behind it in the same arena, buffers for what the kernel's own sockets receive: so that
 * one receive batch can point to either.
 *
 * | part | bytes |
 * |---|---|
 * | frames to receive into | rxFrames * chunkBytes |
 * | frames to send from | txFrames * chunkBytes |
 * | buffers of the kernel's sockets | BUFFERS_BYTES, not registered; untouched pages cost nothing |
 */

import { SysError } from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import { XDP_PACKET_HEADROOM } from './abi.ts';

/** A frame of an Ethernet of 1,500 bytes; and the largest that AF_XDP has, a page, for wider ones. */
const CHUNK_BYTES = 2048;
const CHUNK_BYTES_MAX = 4096;
/** Ethernet with one tag. */
const LINK_BYTES = 18;
/** Room for the largest receive batch that options allow: 1,024 slots of 64 KiB, and a few usual ones. */
const BUFFERS_BYTES = 80 * 1024 * 1024;

/** Frames and buffers of one interface. */
export class Umem {
  readonly arena: NativeArena;
  readonly chunkBytes: number;
  readonly rxFrames: number;
  readonly txFrames: number;
  /** Longest frame that can be received: what is longer stays the kernel's. */
  readonly frameBytesMax: number;
  /** Bytes that are registered. */
  readonly bytes: number;
  private used: number;

  /** @throws SysError ENOMEM */
  constructor(mtuBytes: number, rxFrames: number, txFrames: number) {
    const wide = mtuBytes + LINK_BYTES > CHUNK_BYTES - XDP_PACKET_HEADROOM;
    this.chunkBytes = wide ? CHUNK_BYTES_MAX : CHUNK_BYTES;
    this.rxFrames = rxFrames;
    this.txFrames = txFrames;
    this.frameBytesMax = this.chunkBytes - XDP_PACKET_HEADROOM;
    this.bytes = (rxFrames + txFrames) * this.chunkBytes;
    this.used = this.bytes;
    this.arena = NativeArena.map(this.bytes + BUFFERS_BYTES);
  }

  /** Byte at which the frames to send from start. */
  get txStart(): number {
    return this.rxFrames * this.chunkBytes;
  }

  /**
   * Sets `bytes` bytes of the buffers aside for good and returns where they start.
   *
   * @throws SysError ENOMEM
   */
  setAside(bytes: number): number {
    const start = this.used;
    if (start + bytes > this.arena.bytes.length) {
      throw new SysError(
        'ENOMEM',
        'openUdp',
        `${bytes} bytes for another kind of receive batch: open sockets with the same rxSlots, slotBytes and columns`,
      );
    }
    this.used = (start + bytes + 63) & ~63;
    return start;
  }
}
