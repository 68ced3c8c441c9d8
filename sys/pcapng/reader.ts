/**
 * Reads packets of a pcapng file: sections of both byte orders, several interfaces, enhanced and simple packets.
 *
 * Blocks of other kinds are skipped. Lengths are checked before anything is read by them; a file that contradicts itself is
 * a `PcapngError` with the offset of the block.
 */

import {
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET,
  INTERFACE_DESCRIPTION,
  OPTION_END,
  OPTION_TIME_OFFSET,
  OPTION_TIME_RESOLUTION,
  padded,
  SECTION_HEADER,
  SIMPLE_PACKET,
} from './blocks.ts';

/** Fills `into` from the front and returns how many bytes; 0 at the end. */
export type ReadBytes = (into: Uint8Array) => number;

/** A longer block is an error. The largest that anybody writes is a packet of 256 KiB with comments. */
const BLOCK_BYTES_MAX = 1 << 24;
/** Interfaces of a section that are taken. */
const INTERFACES_MAX = 4096;
const FIRST_BUFFER_BYTES = 1 << 18;
/** Type, length, length again. */
const BLOCK_BYTES_MIN = 12;
const SECTION_BYTES_MIN = 28;
const INTERFACE_BYTES_MIN = 20;
const ENHANCED_BYTES_MIN = 32;
const SIMPLE_BYTES_MIN = 16;
/** Magics of classic pcap files, as a little-endian word, for whoever takes one for a pcapng file. */
const CLASSIC_MAGICS: readonly number[] = [0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1];
const NANOS = 1_000_000_000;
const SECONDS_MAX = 0xffff_ffffn;

/** A file that is no pcapng file, or a broken one. */
export class PcapngError extends Error {
  override readonly name = 'PcapngError';
  /** Of the block, from the start of the file. */
  readonly offset: number;

  constructor(offset: number, complaint: string) {
    super(`byte ${offset}: ${complaint}`);
    this.offset = offset;
  }
}

interface Interface {
  readonly linkType: number;
  /** 0: no limit. */
  readonly snapBytes: number;
  /** Units of its times in a second, and seconds to add. */
  readonly unitsPerSecond: bigint;
  readonly offsetSeconds: bigint;
}

export class PcapngReader {
  // The packet that next() found: bytes[offset .. end), and how long it was before it was cut.
  bytes: Uint8Array = new Uint8Array(FIRST_BUFFER_BYTES);
  offset = 0;
  end = 0;
  wireBytes = 0;
  /** Since 1970, 32 bits, signed. A simple packet has no time: it keeps that of the packet before. */
  seconds = 0;
  nanoseconds = 0;
  linkType = 0;
  interfaceNumber = 0;
  /** Blocks that were neither packets nor descriptions. */
  skippedBlocks = 0;

  readonly #read: ReadBytes;
  #view: DataView = new DataView(this.bytes.buffer);
  /** What is in the buffer and not yet read: bytes[from .. to). */
  #from = 0;
  #to = 0;
  /** Offset in the file of byte `from`. */
  #fileAt = 0;
  #little = true;
  #inSection = false;
  #interfaces: Interface[] = [];

  constructor(read: ReadBytes) {
    this.#read = read;
  }

  /** Goes to the next packet; false at the end of the file. @throws PcapngError */
  next(): boolean {
    for (;;) {
      if (!this.#fill(BLOCK_BYTES_MIN)) {
        if (this.#to === this.#from && this.#inSection) return false;
        throw this.#error(this.#inSection ? 'the file ends within a block' : 'no pcapng file: it is too short');
      }
      const isSection = this.#view.getUint32(this.#from, true) === SECTION_HEADER; // reads the same in both orders
      if (isSection) this.#enterSection();
      else if (!this.#inSection) throw this.#error(this.#strangerText());
      const at = this.#from;
      const type = this.#u32(at);
      const length = this.#u32(at + 4);
      if (length < BLOCK_BYTES_MIN || length % 4 !== 0 || length > BLOCK_BYTES_MAX)
        throw this.#error(`a block of ${length} bytes`);
      if (!this.#fill(length)) throw this.#error('the file ends within a block');
      if (this.#u32(this.#from + length - 4) !== length)
        throw this.#error(
          `a block says ${length} bytes at its begin and ${this.#u32(this.#from + length - 4)} at its end`,
        );
      const found = this.#take(type, this.#from, length);
      this.#from += length;
      this.#fileAt += length;
      if (found) return true;
    }
  }

  /** Reads a block; whether it is a packet. */
  #take(type: number, at: number, length: number): boolean {
    switch (type) {
      case SECTION_HEADER:
        if (length < SECTION_BYTES_MIN) throw this.#error(`a section header of ${length} bytes`);
        if (this.#u16(at + 12) !== 1) throw this.#error(`version ${this.#u16(at + 12)} of the format is not known`);
        return false;
      case INTERFACE_DESCRIPTION:
        this.#describe(at, length);
        return false;
      case ENHANCED_PACKET:
        this.#enhanced(at, length);
        return true;
      case SIMPLE_PACKET:
        this.#simple(at, length);
        return true;
      default:
        this.skippedBlocks++;
        return false;
    }
  }

  #enterSection(): void {
    const magic = this.#view.getUint32(this.#from + 8, true);
    if (magic === BYTE_ORDER_MAGIC) this.#little = true;
    else if (this.#view.getUint32(this.#from + 8, false) === BYTE_ORDER_MAGIC) this.#little = false;
    else throw this.#error('a section header without its byte order');
    this.#inSection = true;
    this.#interfaces = []; // each section numbers its own
  }

  #describe(at: number, length: number): void {
    if (length < INTERFACE_BYTES_MIN) throw this.#error(`an interface description of ${length} bytes`);
    if (this.#interfaces.length === INTERFACES_MAX) throw this.#error(`more than ${INTERFACES_MAX} interfaces`);
    let unitsPerSecond = 1_000_000n;
    let offsetSeconds = 0n;
    const end = at + length - 4;
    for (let option = at + 16; option + 4 <= end; ) {
      const code = this.#u16(option);
      const size = this.#u16(option + 2);
      if (code === OPTION_END) break;
      if (option + 4 + padded(size) > end) throw this.#error('an option that is longer than its block');
      if (code === OPTION_TIME_RESOLUTION && size >= 1) {
        const value = this.bytes[option + 4]!;
        unitsPerSecond = (value & 0x80) === 0 ? 10n ** BigInt(value) : 2n ** BigInt(value & 0x7f);
      } else if (code === OPTION_TIME_OFFSET && size >= 8) {
        offsetSeconds = this.#view.getBigInt64(option + 4, this.#little);
      }
      option += 4 + padded(size);
    }
    this.#interfaces.push({
      linkType: this.#u16(at + 8),
      snapBytes: this.#u32(at + 12),
      unitsPerSecond,
      offsetSeconds,
    });
  }

  #enhanced(at: number, length: number): void {
    if (length < ENHANCED_BYTES_MIN) throw this.#error(`an enhanced packet of ${length} bytes`);
    const source = this.#interfaceOf(this.#u32(at + 8));
    const kept = this.#u32(at + 20);
    if (kept > length - ENHANCED_BYTES_MIN) throw this.#error(`a packet of ${kept} bytes in a block of ${length}`);
    this.#setTime(source, this.#u32(at + 12), this.#u32(at + 16));
    this.offset = at + 28;
    this.end = this.offset + kept;
    this.wireBytes = Math.max(kept, this.#u32(at + 24) & 0x7fff_ffff);
  }

  #simple(at: number, length: number): void {
    if (length < SIMPLE_BYTES_MIN) throw this.#error(`a simple packet of ${length} bytes`);
    const { snapBytes } = this.#interfaceOf(0); // by definition
    const wire = this.#u32(at + 8);
    const kept = snapBytes === 0 ? wire : Math.min(wire, snapBytes);
    if (kept > length - SIMPLE_BYTES_MIN) throw this.#error(`a packet of ${kept} bytes in a block of ${length}`);
    this.offset = at + 12;
    this.end = this.offset + kept;
    this.wireBytes = wire & 0x7fff_ffff;
  }

  #interfaceOf(number: number): Interface {
    const found = this.#interfaces[number];
    if (found === undefined) throw this.#error(`a packet of interface ${number}, which is not described`);
    this.interfaceNumber = number;
    this.linkType = found.linkType;
    return found;
  }

  /** By BigInt: 64 bits of nanoseconds do not fit into a double, and a file can wait. */
  #setTime({ unitsPerSecond, offsetSeconds }: Interface, high: number, low: number): void {
    const units = (BigInt(high) << 32n) | BigInt(low);
    const seconds = units / unitsPerSecond;
    const since = seconds + offsetSeconds;
    this.seconds = Number(since < 0n ? 0n : since > SECONDS_MAX ? SECONDS_MAX : since) | 0;
    this.nanoseconds = Number(((units - seconds * unitsPerSecond) * BigInt(NANOS)) / unitsPerSecond);
  }

  /** Brings at least `wanted` bytes of the file into the buffer from `from` on; false where the file ends before. */
  #fill(wanted: number): boolean {
    if (this.#to - this.#from >= wanted) return true;
    const held = this.bytes.subarray(this.#from, this.#to);
    const target = wanted > this.bytes.length ? new Uint8Array(Math.max(wanted, 2 * this.bytes.length)) : this.bytes;
    target.set(held); // set() copes with overlaps
    this.bytes = target;
    this.#view = new DataView(target.buffer);
    this.#to -= this.#from;
    this.#from = 0;
    while (this.#to < wanted) {
      const got = this.#read(target.subarray(this.#to));
      if (got === 0) return false;
      this.#to += got;
    }
    return true;
  }

  #strangerText(): string {
    return CLASSIC_MAGICS.includes(this.#view.getUint32(this.#from, true))
      ? 'a classic pcap file: `editcap -F pcapng in.pcap out.pcapng` makes a pcapng file of it'
      : 'no pcapng file: it does not begin with a section header';
  }

  #error(complaint: string): PcapngError {
    return new PcapngError(this.#fileAt, complaint);
  }

  #u16(at: number): number {
    return this.#view.getUint16(at, this.#little);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, this.#little);
  }
}
