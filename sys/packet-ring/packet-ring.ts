/**
 * Frames of an interface, read where the kernel has put them: a TPACKET_V3 receive ring (packet(7)).
 *
 * The kernel fills blocks with frames and hands each over when it is full or `retireMillis` old. `enterBlock()` takes the
 * next one, `next()` walks over its frames and sets where each lies, `leaveBlock()` gives it back. Nothing is copied and
 * nothing allocated; until its block is left a frame stays where it is, and belongs to the reader.
 *
 * What the kernel has put together is taken apart again: VLAN tags that it took off are put back, and UDP datagrams that it
 * joined (on loopback, and where this machine is the sender) are shown one by one, as the wire sees them. Frames that it joined in a
 * way which it cannot tell (SCTP, tunnels) are among its drops.
 *
 * Statuses are words of memory that two processors share: read and written with Atomics, which also keeps this side's
 * reads of a block between the two.
 */

import type { Pollable } from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import type { FilterProgram } from '../filter/program.ts';
import { linuxCalls } from '../linux/calls.ts';
import * as abi from './abi.ts';
import { JoinedFrame } from './joined-frame.ts';
import { type PacketDescriptor, PacketOpening, pendingError, type RingShape } from './packet-descriptor.ts';
import { RingMemory } from './ring-memory.ts';

/**
 * Blocks of 1 MiB: at 400,000 small frames a second, one each 13 ms. 32 of them hold a third of a second, longer than a
 * collection of garbage or a full disk's stutter. 10 ms is what a live table may be late.
 */
export const RING_SHAPE: RingShape = { blockBytes: 1 << 20, blocks: 32, retireMillis: 10 };

/** What the kernel counted. */
export interface RingCounts {
  /** Frames that passed the filter, dropped ones too. */
  readonly packets: number;
  /** Frames that found no room in the ring. */
  readonly drops: number;
  /** Times that the ring was full. */
  readonly freezes: number;
}

export interface PacketRingOptions {
  /** Run by the kernel on each frame; null takes all. Its offset 0 is the Ethernet header. */
  readonly filter?: FilterProgram | null;
  readonly shape?: RingShape;
  /** Frames for other machines too, where the network card hears them. */
  readonly promiscuous?: boolean;
}

const STATUS: number = abi.BlockDesc.status >> 2;
const PACKETS: number = abi.BlockDesc.packets >> 2;
const FIRST: number = abi.BlockDesc.firstPacket >> 2;
const NEXT: number = abi.Tpacket3Hdr.next >> 2;
const SECONDS: number = abi.Tpacket3Hdr.seconds >> 2;
const NANOSECONDS: number = abi.Tpacket3Hdr.nanoseconds >> 2;
const KEPT: number = abi.Tpacket3Hdr.keptBytes >> 2;
const WIRE: number = abi.Tpacket3Hdr.wireBytes >> 2;
const PACKET_STATUS: number = abi.Tpacket3Hdr.status >> 2;
const MAC: number = abi.Tpacket3Hdr.mac >> 2;
const TYPE_AT: number = abi.TPACKET3_ADDRESS + abi.SockaddrLl.packetType;
const MAC_ADDRESSES_BYTES = 12;
const TAG_BYTES = 4;

export class PacketRing implements Pollable {
  /** The descriptor; -1 once closed. */
  pollHandle: number;
  /** All frames lie in here. */
  readonly bytes: Uint8Array;
  /** Of byte 0 of `bytes`, for calls that take the frames where they lie. */
  readonly address: number;
  // The frame that next() found: bytes[offset .. end), and how long it was before it was cut.
  offset = 0;
  end = 0;
  wireBytes = 0;
  /** Since 1970, signed (see sys/wire/header.ts); `seconds >>> 0` holds until 2106. */
  seconds = 0;
  nanoseconds = 0;

  readonly #memory: RingMemory;
  readonly #words: Int32Array;
  readonly #shape: RingShape;
  readonly #name: string;
  readonly #skipOutgoing: boolean;
  readonly #tellsJoined: boolean;
  readonly #joined: JoinedFrame = new JoinedFrame();
  /** The block that is read now, or that the kernel hands over next. */
  #block = 0;
  /** Frames of it that have not been walked over; 0: it is still the kernel's. */
  #left = 0;
  #inBlock = false;
  /** Where the next frame's header lies. */
  #header = 0;
  readonly #counts: Float64Array = new Float64Array(3);
  readonly #statistics: NativeArena = NativeArena.map(64);

  /**
   * Opens a ring on the interface `name` of this thread's network namespace.
   *
   * @throws SysError EPERM without CAP_NET_RAW, ENODEV, ENETDOWN, EPROTONOSUPPORT where it is no Ethernet, ENOMEM
   */
  constructor(name: string, options: PacketRingOptions = {}) {
    this.#name = name;
    this.#shape = options.shape ?? RING_SHAPE;
    const opened: PacketDescriptor = new PacketOpening(name).run(
      this.#shape,
      options.filter ?? null,
      options.promiscuous ?? false,
    );
    this.pollHandle = opened.fd;
    this.#skipOutgoing = opened.hardware === abi.ARPHRD_LOOPBACK && !opened.ignoresOutgoing;
    this.#tellsJoined = opened.tellsJoined;
    try {
      this.#memory = new RingMemory(opened.fd, this.#shape.blockBytes * this.#shape.blocks);
    } catch (error) {
      linuxCalls().close(opened.fd);
      throw error;
    }
    this.bytes = this.#memory.bytes;
    this.address = this.#memory.address;
    this.#words = this.#memory.words;
  }

  /** The interface. */
  get name(): string {
    return this.#name;
  }

  /**
   * Whether the next frame will lie over the end of this one: datagrams that the kernel had joined are shown one by one.
   * Whoever keeps frames until the block is left must be done with this one before `next()`.
   */
  get isSpoilt(): boolean {
    return this.#joined.isMore;
  }

  /** Takes the next block; false where the kernel has handed none over. */
  enterBlock(): boolean {
    if (this.pollHandle < 0) return false;
    const at = this.#block * this.#shape.blockBytes;
    const word = at >> 2;
    if ((Atomics.load(this.#words, word + STATUS) & abi.TP_STATUS_USER) === 0) return false;
    this.#inBlock = true;
    this.#left = this.#words[word + PACKETS]!; // may be 0
    this.#header = at + this.#words[word + FIRST]!;
    return true;
  }

  /** Goes to the next frame of the block; false at its end. */
  next(): boolean {
    if (this.#joined.isMore) {
      this.#cut();
      return true;
    }
    const words = this.#words;
    while (this.#left > 0) {
      const at = this.#header;
      const word = at >> 2;
      this.#header = at + words[word + NEXT]!;
      this.#left--;
      if (this.#skipOutgoing && this.bytes[at + TYPE_AT] === abi.PACKET_OUTGOING) continue;
      this.offset = at + (words[word + MAC]! & 0xffff);
      this.end = this.offset + words[word + KEPT]!;
      this.wireBytes = words[word + WIRE]!;
      this.seconds = words[word + SECONDS]!;
      this.nanoseconds = words[word + NANOSECONDS]!;
      const datagramBytes = this.#tellsJoined ? this.#joinedBytes() : 0;
      if ((words[word + PACKET_STATUS]! & abi.TP_STATUS_VLAN_VALID) !== 0) this.#putTagBack(word);
      if (datagramBytes > 0 && this.#joined.open(this.bytes, this.offset, this.end, datagramBytes)) this.#cut();
      return true;
    }
    return false;
  }

  /** Gives the block back to the kernel: its frames are gone. */
  leaveBlock(): void {
    if (!this.#inBlock) return;
    const { blockBytes, blocks } = this.#shape;
    Atomics.store(this.#words, ((this.#block * blockBytes) >> 2) + STATUS, abi.TP_STATUS_KERNEL);
    this.#inBlock = false;
    this.#left = 0;
    this.#block = this.#block + 1 === blocks ? 0 : this.#block + 1;
  }

  /** What the kernel has counted since the ring was opened. */
  counts(): RingCounts {
    if (this.pollHandle >= 0) {
      const { u32, address } = this.#statistics;
      u32[8] = abi.TpacketStatsV3.SIZE;
      // Reading sets the kernel's to 0.
      const calls = linuxCalls();
      if (calls.getsockopt(this.pollHandle, abi.SOL_PACKET, abi.PACKET_STATISTICS, address, address + 32) === 0)
        for (let i = 0; i < 3; i++) this.#counts[i]! += u32[i]!;
    }
    return { packets: this.#counts[0]!, drops: this.#counts[1]!, freezes: this.#counts[2]! };
  }

  /** The error that ended the capture, as an errno's name: ENETDOWN; '' while there is none. */
  failure(): string {
    return this.pollHandle < 0 ? '' : pendingError(this.pollHandle);
  }

  close(): void {
    if (this.pollHandle < 0) return;
    this.counts();
    const fd = this.pollHandle;
    this.pollHandle = -1;
    this.#left = 0;
    this.#inBlock = false;
    this.offset = 0;
    this.end = 0;
    this.#memory.release();
    linuxCalls().close(fd);
  }

  /** Bytes of each datagram's payload where the frame is joined of several; 0 where it is none. */
  #joinedBytes(): number {
    const at = this.offset - abi.VirtioNetHdr.SIZE;
    if (this.bytes[at + abi.VirtioNetHdr.gsoType] !== abi.VIRTIO_NET_HDR_GSO_UDP_L4) return 0;
    return this.bytes[at + abi.VirtioNetHdr.gsoBytes]! | (this.bytes[at + abi.VirtioNetHdr.gsoBytes + 1]! << 8);
  }

  #cut(): void {
    this.#joined.next();
    this.offset = this.#joined.offset;
    this.end = this.#joined.end;
    this.wireBytes = this.end - this.offset;
  }

  /** Puts the tag that the kernel took off back between the addresses and the type (there are bytes free before them). */
  #putTagBack(word: number): void {
    const { bytes } = this;
    const control = this.#words[word + (abi.Tpacket3Hdr.vlanControl >> 2)]!;
    const hasType = (this.#words[word + PACKET_STATUS]! & abi.TP_STATUS_VLAN_TPID_VALID) !== 0;
    const type = hasType ? this.#words[word + (abi.Tpacket3Hdr.vlanType >> 2)]! & 0xffff : 0x8100;
    const from = this.offset;
    const to = from - TAG_BYTES;
    for (let i = 0; i < MAC_ADDRESSES_BYTES; i++) bytes[to + i] = bytes[from + i]!;
    const tag = to + MAC_ADDRESSES_BYTES;
    bytes[tag] = type >>> 8;
    bytes[tag + 1] = type;
    bytes[tag + 2] = control >>> 8;
    bytes[tag + 3] = control;
    this.offset = to;
    this.wireBytes += TAG_BYTES;
  }
}
