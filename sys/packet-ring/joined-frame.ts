/**
 * A frame of several UDP datagrams that the kernel has joined (UDP_SEGMENT, UDP_GRO), cut in place into the frames that the
 * wire sees. On loopback, and wherever the sender is this machine, packet sockets are shown them joined.
 *
 * Each datagram but the first gets its headers copied to before it, over the end of the one before, which must have been
 * dealt with. Lengths, IPv4 identification and checksums are put right, as the network card would.
 */

import { EthernetHeader } from '../wire/ethernet.ts';
import { WHOLE } from '../wire/header.ts';
import { IPv4Header } from '../wire/ipv4.ts';
import { IPV6_BYTES, IPv6Header } from '../wire/ipv6.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTOCOL_UDP } from '../wire/numbers.ts';
import { UDP_BYTES, UdpHeader } from '../wire/udp.ts';

export class JoinedFrame {
  /** The frame that `next()` has cut: bytes[offset .. end). */
  offset = 0;
  end = 0;
  readonly #ethernet: EthernetHeader = new EthernetHeader();
  readonly #ipv4: IPv4Header = new IPv4Header();
  readonly #ipv6: IPv6Header = new IPv6Header();
  readonly #udp: UdpHeader = new UdpHeader();
  #bytes: Uint8Array = new Uint8Array(0);
  #datagramBytes = 0;
  #headerBytes = 0;
  /** Where the IP and UDP headers lie in a frame. */
  #ipAt = 0;
  #udpAt = 0;
  #isIPv4 = false;
  #identification = 0;
  #payloadAt = 0;
  #payloadEnd = 0;
  #number = 0;

  /** Whether datagrams are left. */
  get isMore(): boolean {
    return this.#payloadAt < this.#payloadEnd;
  }

  /**
   * Takes the frame `bytes[offset .. end)` of datagrams of `datagramBytes` of payload, the last of which may be shorter.
   * False where it is no such frame; it is then left as it is.
   */
  open(bytes: Uint8Array, offset: number, end: number, datagramBytes: number): boolean {
    this.#payloadEnd = 0;
    this.#payloadAt = 0;
    if (datagramBytes === 0 || this.#ethernet.wrap(bytes, offset, end).check() !== WHOLE) return false;
    const ipAt = this.#ethernet.payloadOffset;
    this.#isIPv4 = this.#ethernet.payloadType === ETHERTYPE_IPV4;
    if (!this.#isIPv4 && this.#ethernet.payloadType !== ETHERTYPE_IPV6) return false;
    const ip = this.#isIPv4 ? this.#ipv4 : this.#ipv6;
    if (ip.wrap(bytes, ipAt, end).check() !== WHOLE || ip.isFragment || ip.protocol !== PROTOCOL_UDP) return false;
    const udpAt = ip.payloadOffset;
    if (this.#udp.wrap(bytes, udpAt, ip.payloadEnd).check() !== WHOLE) return false;
    this.#bytes = bytes;
    this.#datagramBytes = datagramBytes;
    this.#headerBytes = udpAt + UDP_BYTES - offset;
    this.#ipAt = ipAt - offset;
    this.#udpAt = udpAt - offset;
    this.#identification = this.#isIPv4 ? this.#ipv4.identification : 0;
    this.#payloadAt = this.#udp.payloadOffset;
    this.#payloadEnd = this.#udp.payloadEnd;
    this.#number = 0;
    this.offset = offset;
    return this.isMore;
  }

  /** Cuts the next datagram off, and spoils the one before. Only where `isMore`. */
  next(): void {
    const payloadEnd = Math.min(this.#payloadAt + this.#datagramBytes, this.#payloadEnd);
    const at = this.#payloadAt - this.#headerBytes;
    if (this.#number > 0) this.#bytes.copyWithin(at, this.offset, this.offset + this.#headerBytes);
    this.offset = at;
    this.end = payloadEnd;
    this.#repair(at, payloadEnd);
    this.#payloadAt = payloadEnd;
    this.#number++;
  }

  #repair(at: number, end: number): void {
    const udp = this.#udp.wrap(this.#bytes, at + this.#udpAt, end);
    udp.totalBytes = end - at - this.#udpAt;
    if (this.#isIPv4) {
      const ip = this.#ipv4.wrap(this.#bytes, at + this.#ipAt, end);
      ip.totalBytes = end - at - this.#ipAt;
      ip.identification = (this.#identification + this.#number) & 0xffff;
      ip.fillChecksum();
      udp.fillChecksum(ip.pseudoSum(PROTOCOL_UDP, udp.totalBytes));
    } else {
      const ip = this.#ipv6.wrap(this.#bytes, at + this.#ipAt, end);
      ip.payloadBytes = end - ip.offset - IPV6_BYTES;
      udp.fillChecksum(ip.pseudoSum(PROTOCOL_UDP, udp.totalBytes));
    }
  }
}
