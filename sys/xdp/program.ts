/**
 * The XDP program: for each frame that comes in at the interface, whether it is a plain datagram to one of our sockets
 * (then it goes to the AF_XDP socket of its queue) or anything else (then the kernel has it, as if we were not there).
 *
 * What it lets through has headers that are right: lengths that agree with each other and with the frame, an IPv4 header
 * without options whose checksum holds, no fragments, no IPv6 extension headers. Everything odd is the kernel's to judge;
 * our own UDP socket, which stays bound, gets what the kernel finds good.
 */

import { XDP_DROP, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META, XDP_MD_RX_QUEUE_INDEX, XDP_PASS } from './abi.ts';
import { Assembler } from './ebpf/assembler.ts';

/** Key of the map of sockets: canonical address (16 bytes), port in network order, two zeros. */
export const SOCKET_KEY_BYTES = 20;
/** Its value: index of the socket's first queue in the XSKMAP, and flags. */
export const SOCKET_VALUE_BYTES = 8;
/** Flag: write the time of arrival (CLOCK_MONOTONIC, nanoseconds) into the eight bytes before the frame. */
export const STAMPED = 1;
export const STAMP_BYTES = 8;
/** Key of the map of token buckets: IPv4 address (mapped), or the /64 of an IPv6 one and zeros. */
export const SOURCE_KEY_BYTES = 16;
/** Its value: the time until which what the source has sent is paid for. */
export const SOURCE_VALUE_BYTES = 8;
/** The only counter so far: datagrams that the admission filter dropped. */
export const COUNTER_REFUSED = 0;
export const COUNTERS = 1;

/** Descriptors of the maps, and constants of the interface. */
export interface ProgramParts {
  readonly socketsMap: number;
  readonly xskMap: number;
  readonly countersMap: number;
  /** Null without an admission filter. */
  readonly admission: AdmissionParts | null;
  readonly queues: number;
  /** Longest frame that fits into ours. */
  readonly frameBytesMax: number;
  /**
   * Whether the program runs behind what joins datagrams. Those look like one, but for a checksum that is not computed yet:
   * it holds the sum of the pseudo-header. The kernel gets these; it knows where to cut.
   */
  readonly joinedBefore: boolean;
}

/** The admission filter: a token bucket for each source, kept as the time at which it will be full again (GCRA). */
export interface AdmissionParts {
  readonly sourcesMap: number;
  /** What a datagram costs. */
  readonly costNanos: number;
  /** How far ahead of the clock a source may be and still send. */
  readonly toleranceNanos: number;
}

const ETHERNET_BYTES = 14;
const TAG_BYTES = 4;
const UDP_BYTES = 8;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const PROTOCOL_UDP = 17;
// Half words as a little-endian machine loads them from network order.
const TYPE_IPV4 = 0x0008;
const TYPE_IPV6 = 0xdd86;
const TYPE_TAG = 0x0081;
/** The number of the VLAN in a tag's control word; 0 is a tag of priority alone. */
const VLAN_MASK = 0xff0f;
/** "More fragments" and the offset. */
const FRAGMENT_MASK = 0xff3f;
/** Bytes 00 00 ff ff of a mapped IPv4 address. */
const MAPPED_WORD = -65_536;

// The frame of the stack, below r10.
const SOCKET_KEY = -24;
const SOURCE_KEY = -40;
const PAID_UNTIL = -48;
const COUNTER_KEY = -52;

/** Writes the program for these maps and this interface. */
export function writeProgram(parts: ProgramParts): Uint8Array {
  const code = new Assembler();
  enter(code, parts.frameBytesMax);
  readIPv4(code, parts.joinedBefore);
  readIPv6(code, parts.joinedBefore);
  findSocket(code, parts.socketsMap);
  if (parts.admission !== null) admit(code, parts.admission, parts.countersMap);
  stamp(code);
  redirect(code, parts);
  return code.label('pass').mov('r0', XDP_PASS).exit().assemble();
}

/** r6 context, r7 first byte, r8 end, r9 the IP header; goes to `ipv4`, `ipv6` or `pass`. */
function enter(code: Assembler, frameBytesMax: number): void {
  code
    .mov('r6', 'r1')
    .load('w', 'r7', 'r6', XDP_MD_DATA)
    .load('w', 'r8', 'r6', XDP_MD_DATA_END)
    // Pointers are compared, never subtracted: that would need CAP_PERFMON.
    .mov('r1', 'r7')
    .add('r1', frameBytesMax + 1)
    .jump('jle', 'r1', 'r8', 'pass')
    .mov('r1', 'r7')
    .add('r1', ETHERNET_BYTES + TAG_BYTES)
    .jump('jgt', 'r1', 'r8', 'pass')
    .mov('r9', 'r7')
    .add('r9', ETHERNET_BYTES)
    .load('h', 'r1', 'r7', 12)
    .jump('jne', 'r1', TYPE_TAG, 'untagged')
    // A tag of priority alone is looked through; what belongs to a VLAN belongs to another interface.
    .load('h', 'r1', 'r7', 14)
    .jump('jset', 'r1', VLAN_MASK, 'pass')
    .load('h', 'r1', 'r7', 16)
    .add('r9', TAG_BYTES)
    .label('untagged')
    .jump('jeq', 'r1', TYPE_IPV6, 'ipv6')
    .jump('jne', 'r1', TYPE_IPV4, 'pass');
}

/** Checks an IPv4 datagram and writes both keys. */
function readIPv4(code: Assembler, joinedBefore: boolean): void {
  code
    .mov('r1', 'r9')
    .add('r1', IPV4_BYTES + UDP_BYTES)
    .jump('jgt', 'r1', 'r8', 'pass')
    .load('b', 'r1', 'r9', 0)
    .jump('jne', 'r1', 0x45, 'pass') // version 4, five words: no options
    .load('h', 'r1', 'r9', 6)
    .jump('jset', 'r1', FRAGMENT_MASK, 'pass')
    .load('b', 'r1', 'r9', 9)
    .jump('jne', 'r1', PROTOCOL_UDP, 'pass')
    .load('h', 'r2', 'r9', 2);
  checkLengths(code, IPV4_BYTES, IPV4_BYTES);
  if (joinedBefore) passUnsummed(code, [12, 16], IPV4_BYTES);
  sumWords(code, [0, 4, 8, 12, 16]);
  code
    .jump('jne', 'r1', 0xffff, 'pass')
    .store('dw', 'r10', SOCKET_KEY, 0)
    .store('w', 'r10', SOCKET_KEY + 8, MAPPED_WORD)
    .load('w', 'r1', 'r9', 16)
    .store('w', 'r10', SOCKET_KEY + 12, 'r1')
    .load('h', 'r1', 'r9', IPV4_BYTES + 2)
    .store('dw', 'r10', SOURCE_KEY, 0)
    .store('w', 'r10', SOURCE_KEY + 8, MAPPED_WORD)
    .load('w', 'r2', 'r9', 12)
    .store('w', 'r10', SOURCE_KEY + 12, 'r2')
    .goto('addressed');
}

/** Checks an IPv6 datagram and writes both keys. */
function readIPv6(code: Assembler, joinedBefore: boolean): void {
  code
    .label('ipv6')
    .mov('r1', 'r9')
    .add('r1', IPV6_BYTES + UDP_BYTES)
    .jump('jgt', 'r1', 'r8', 'pass')
    .load('b', 'r1', 'r9', 0)
    .and('r1', 0xf0)
    .jump('jne', 'r1', 0x60, 'pass')
    .load('b', 'r1', 'r9', 6)
    .jump('jne', 'r1', PROTOCOL_UDP, 'pass')
    .load('h', 'r1', 'r9', IPV6_BYTES + 6)
    .jump('jeq', 'r1', 0, 'pass') // without a checksum: the kernel knows who may (RFC 6936)
    .load('h', 'r2', 'r9', 4);
  checkLengths(code, IPV6_BYTES, 0);
  if (joinedBefore) passUnsummed(code, [8, 12, 16, 20, 24, 28, 32, 36], IPV6_BYTES);
  for (const word of [0, 4, 8, 12]) {
    code.load('w', 'r1', 'r9', 24 + word).store('w', 'r10', SOCKET_KEY + word, 'r1');
  }
  code
    .load('w', 'r2', 'r9', 8)
    .store('w', 'r10', SOURCE_KEY, 'r2')
    .load('w', 'r2', 'r9', 12)
    .store('w', 'r10', SOURCE_KEY + 4, 'r2')
    .store('dw', 'r10', SOURCE_KEY + 8, 0)
    .load('h', 'r1', 'r9', IPV6_BYTES + 2);
}

/**
 * Checks that the frame holds what the IP header's length (in r2, network order) promises, and that UDP's length is the same.
 *
 * @param counted bytes of the IP header that its length counts too
 */
function checkLengths(code: Assembler, headerBytes: number, counted: number): void {
  code
    .swap('r2', 16)
    .and('r2', 0xffff) // bounds that the verifier forgets in a swap
    .jump('jlt', 'r2', counted + UDP_BYTES, 'pass')
    .mov('r1', 'r9')
    .add('r1', headerBytes - counted)
    .add('r1', 'r2')
    .jump('jgt', 'r1', 'r8', 'pass')
    .load('h', 'r3', 'r9', headerBytes + 4)
    .swap('r3', 16)
    .add('r3', counted)
    .jump('jne', 'r3', 'r2', 'pass');
}

/** Lets the kernel have datagrams whose checksum is the sum of their pseudo-header. */
function passUnsummed(code: Assembler, addressWords: readonly number[], headerBytes: number): void {
  sumWords(code, addressWords);
  code
    .load('h', 'r2', 'r9', headerBytes + 4)
    .add('r1', 'r2')
    .add('r1', PROTOCOL_UDP << 8)
    .mov('r2', 'r1')
    .rsh('r2', 16)
    .and('r1', 0xffff)
    .add('r1', 'r2')
    .load('h', 'r2', 'r9', headerBytes + 6)
    .jump('jeq', 'r1', 'r2', 'pass');
}

/** r1 = the ones' complement sum of words of the IP header, in the machine's order of bytes, folded to 16 bits. */
function sumWords(code: Assembler, offsets: readonly number[]): void {
  code.mov('r1', 0);
  for (const offset of offsets) code.load('w', 'r2', 'r9', offset).add('r1', 'r2');
  code.mov('r2', 'r1').rsh('r2', 32).alu32('mov', 'r1', 'r1').add('r1', 'r2');
  for (let fold = 0; fold < 3; fold++) code.mov('r2', 'r1').rsh('r2', 16).and('r1', 0xffff).add('r1', 'r2');
}

/** Finds the socket with this address and port (in r1): r9 its place in the XSKMAP, r8 its flags. */
function findSocket(code: Assembler, socketsMap: number): void {
  code
    .label('addressed')
    .store('h', 'r10', SOCKET_KEY + 16, 'r1')
    .store('h', 'r10', SOCKET_KEY + 18, 0)
    .map('r1', socketsMap)
    .mov('r2', 'r10')
    .add('r2', SOCKET_KEY)
    .call('map_lookup_elem')
    .jump('jeq', 'r0', 0, 'pass')
    .load('w', 'r9', 'r0', 0)
    .load('w', 'r8', 'r0', 4);
}

/** Drops what its source has not the tokens for. Two CPUs that serve one source may count one datagram for two. */
function admit(code: Assembler, { sourcesMap, costNanos, toleranceNanos }: AdmissionParts, countersMap: number): void {
  code
    .call('ktime_get_ns')
    .mov('r7', 'r0')
    .map('r1', sourcesMap)
    .mov('r2', 'r10')
    .add('r2', SOURCE_KEY)
    .call('map_lookup_elem')
    .jump('jne', 'r0', 0, 'known')
    .mov64('r1', costNanos)
    .add('r1', 'r7')
    .store('dw', 'r10', PAID_UNTIL, 'r1')
    .map('r1', sourcesMap)
    .mov('r2', 'r10')
    .add('r2', SOURCE_KEY)
    .mov('r3', 'r10')
    .add('r3', PAID_UNTIL)
    .mov('r4', 0)
    .call('map_update_elem') // if there is no room the source goes unlimited: the filter never shuts anybody out
    .goto('admitted')
    .label('known')
    .load('dw', 'r1', 'r0', 0)
    .jump('jge', 'r1', 'r7', 'ahead')
    .mov('r1', 'r7')
    .label('ahead')
    .mov('r2', 'r1')
    .sub('r2', 'r7')
    .mov64('r3', toleranceNanos)
    .jump('jgt', 'r2', 'r3', 'refused')
    .mov64('r2', costNanos)
    .add('r1', 'r2')
    .store('dw', 'r0', 0, 'r1')
    .goto('admitted')
    .label('refused')
    .store('w', 'r10', COUNTER_KEY, COUNTER_REFUSED)
    .map('r1', countersMap)
    .mov('r2', 'r10')
    .add('r2', COUNTER_KEY)
    .call('map_lookup_elem')
    .jump('jeq', 'r0', 0, 'drop')
    .mov('r1', 1)
    .atomicAdd('dw', 'r0', 0, 'r1')
    .label('drop')
    .mov('r0', XDP_DROP)
    .exit()
    .label('admitted');
}

/** Writes the time before the frame, where the socket wants it and the driver has room there. */
function stamp(code: Assembler): void {
  code
    .jump('jeq', 'r8', 0, 'redirect')
    .call('ktime_get_ns')
    .mov('r7', 'r0')
    .mov('r1', 'r6')
    .mov('r2', -STAMP_BYTES)
    .call('xdp_adjust_meta')
    .jump('jne', 'r0', 0, 'redirect')
    .load('w', 'r1', 'r6', XDP_MD_DATA_META)
    .load('w', 'r2', 'r6', XDP_MD_DATA)
    .mov('r3', 'r1')
    .add('r3', STAMP_BYTES)
    .jump('jgt', 'r3', 'r2', 'redirect')
    .store('dw', 'r1', 0, 'r7');
}

/** Hands the frame to the socket of its queue; where there is none, to the kernel. */
function redirect(code: Assembler, { xskMap, queues }: ProgramParts): void {
  code
    .label('redirect')
    .load('w', 'r2', 'r6', XDP_MD_RX_QUEUE_INDEX)
    .jump('jge', 'r2', queues, 'pass')
    .add('r2', 'r9')
    .map('r1', xskMap)
    .mov('r3', XDP_PASS)
    .call('redirect_map')
    .exit();
}
