/**
 * What precedes each frame to a packet socket: a `virtio_net_hdr`, which says that the kernel is to compute the UDP checksum,
 * and how it is to cut up joined datagrams.
 *
 * Its ten bytes and the headers of a template make whole words: its last half word is the template's `prefix`.
 */

import {
  HEADERS_SHIFT,
  IPV4_HEADERS_BYTES,
  IPV4_HEADERS_WORDS,
  IPV6_HEADERS_BYTES,
} from '../linux/netlink/frame-templates.ts';
import { UDP_BYTES } from '../wire/udp.ts';
import { VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_UDP_L4, VirtioNetHdr } from './abi.ts';

export const OFFLOAD_BYTES: number = VirtioNetHdr.SIZE;
/** Words before those that a template is written to. */
export const OFFLOAD_WORDS: number = (OFFLOAD_BYTES - HEADERS_SHIFT) / 4;
/** The checksum within the UDP header: the last field of a `virtio_net_hdr`. */
export const CHECKSUM_IN_UDP = 6;

/**
 * Writes the first words of a `virtio_net_hdr` to word `to` of `frame`.
 *
 * @param headerWords of the frame: IPV4_HEADERS_WORDS or IPV6_HEADERS_WORDS
 * @param segmentBytes of the datagrams that the payload is; 0: it is one
 */
export function writeOffload(frame: Int32Array, to: number, headerWords: number, segmentBytes: number): void {
  const headerBytes = headerWords === IPV4_HEADERS_WORDS ? IPV4_HEADERS_BYTES : IPV6_HEADERS_BYTES;
  const type = segmentBytes === 0 ? 0 : VIRTIO_NET_HDR_GSO_UDP_L4 << 8;
  frame[to] = VIRTIO_NET_HDR_F_NEEDS_CSUM | type | (headerBytes << 16);
  frame[to + 1] = segmentBytes | ((headerBytes - UDP_BYTES) << 16);
}
