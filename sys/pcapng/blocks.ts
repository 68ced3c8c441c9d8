/**
 * Blocks of pcapng, the format of Wireshark's captures, as far as it is written here: a section, its interfaces, packets
 * with comments. Blocks are little-endian, as this machine most likely is, and as the section header says.
 */

export const SECTION_HEADER = 0x0a0d_0d0a;
export const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
export const INTERFACE_DESCRIPTION = 1;
export const SIMPLE_PACKET = 3;
export const ENHANCED_PACKET = 6;

export const OPTION_END = 0;
export const OPTION_TIME_RESOLUTION = 9;
export const OPTION_TIME_OFFSET = 14;
const OPTION_COMMENT = 1;
const OPTION_USER_APPLICATION = 4;
const OPTION_INTERFACE_NAME = 2;
const OPTION_INTERFACE_DESCRIPTION = 3;
const OPTION_PACKET_FLAGS = 2;
/** An option's length is a u16. */
const OPTION_BYTES_MAX = 0xffff;
/** What is kept of a packet: all, since no frame is longer. */
export const SNAP_BYTES = 0x4_0000;

/** Units of an interface's times: 10^-6 or 10^-9 s. */
export const MICROSECONDS = 6;
export const NANOSECONDS = 9;

/** Link types of interfaces (tcpdump.org/linktypes.html). */
export const LINKTYPE_ETHERNET = 1;
export const LINKTYPE_RAW = 101;
export const LINKTYPE_USER0 = 147;

export const FLAG_INBOUND = 1;
export const FLAG_OUTBOUND = 2;

interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

const encoder = new TextEncoder();

/** The block that begins a file. */
export function sectionHeader(application: string): Uint8Array {
  const body = new Uint8Array(16);
  const view = new DataView(body.buffer);
  view.setUint32(0, BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true); // version 1.0
  view.setBigInt64(8, -1n, true); // length of the section: not known
  return block(SECTION_HEADER, body, [text(OPTION_USER_APPLICATION, application)]);
}

/**
 * An interface; they are numbered from 0 in the order of their blocks.
 *
 * @param resolution of its packets' times: MICROSECONDS or NANOSECONDS
 */
export function interfaceDescription(
  linkType: number,
  name: string,
  description: string,
  resolution: number = MICROSECONDS,
): Uint8Array {
  const body = new Uint8Array(8);
  const view = new DataView(body.buffer);
  view.setUint16(0, linkType, true);
  view.setUint32(4, SNAP_BYTES, true);
  return block(INTERFACE_DESCRIPTION, body, [
    text(OPTION_INTERFACE_NAME, name),
    text(OPTION_INTERFACE_DESCRIPTION, description),
    { code: OPTION_TIME_RESOLUTION, value: Uint8Array.of(resolution) },
  ]);
}

/**
 * A packet.
 *
 * @param timeHigh upper and lower 32 bits of the time since 1970, in units of the interface
 * @param flags FLAG_INBOUND, FLAG_OUTBOUND, or 0: not known
 * @param wireBytes length of the packet before it was cut
 */
export function enhancedPacket(
  interfaceNumber: number,
  timeHigh: number,
  timeLow: number,
  bytes: Uint8Array,
  flags: number,
  comments: readonly string[],
  wireBytes: number = bytes.length,
): Uint8Array {
  const body = new Uint8Array(20 + padded(bytes.length));
  const view = new DataView(body.buffer);
  view.setUint32(0, interfaceNumber, true);
  view.setUint32(4, timeHigh, true);
  view.setUint32(8, timeLow, true);
  view.setUint32(12, bytes.length, true);
  view.setUint32(16, wireBytes, true);
  body.set(bytes, 20);
  return block(ENHANCED_PACKET, body, [
    ...comments.map((comment) => text(OPTION_COMMENT, comment)),
    { code: OPTION_PACKET_FLAGS, value: Uint8Array.of(flags, 0, 0, 0) },
  ]);
}

function text(code: number, value: string): Option {
  return { code, value: encoder.encode(value).subarray(0, OPTION_BYTES_MAX) };
}

/** `length` with the bytes that bring it to a multiple of 4. */
export function padded(length: number): number {
  return (length + 3) & ~3;
}

/** Type, length, body, options, length. */
function block(type: number, body: Uint8Array, options: readonly Option[]): Uint8Array {
  const all = [...options, { code: OPTION_END, value: new Uint8Array(0) }];
  let length = 12 + body.length;
  for (const { value } of all) length += 4 + padded(value.length);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  bytes.set(body, 8);
  let at = 8 + body.length;
  for (const { code, value } of all) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    bytes.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  view.setUint32(at, length, true);
  return bytes;
}
