/**
 * Writes a capture as pcapng: each packet as it was sent, in the order of sending, with what became of it in its comments; a
 * sealed one a second time, opened.
 *
 * A packet is written when its end is known and all sent before it are written, so it waits at most as long as the slowest.
 */

import type { Micros } from '../../sys/api.ts';
import {
  enhancedPacket,
  FLAG_INBOUND,
  FLAG_OUTBOUND,
  interfaceDescription,
  LINKTYPE_RAW,
  LINKTYPE_USER0,
  sectionHeader,
} from '../../sys/pcapng/blocks.ts';
import { EPOCH_UNIX_SECONDS } from '../world/timeline.ts';
import type { CapturedPacket, CaptureSink } from './captured-packet.ts';
import { withIpHeaders } from './ip-headers.ts';
import type { OpenedPacket } from './packet-opener.ts';
import { type ChannelName, linesAbout, titleOf } from './packet-text.ts';

const WIRE = 0;
const DECRYPTED = 1;
const TWO_TO_32 = 0x1_0000_0000;

/** Before the data of an opened packet: version, side, packet type, 0, session u32, client id u64, sequence u64; little-endian. */
export const OPENED_HEADER_BYTES = 24;
export const OPENED_HEADER_VERSION = 1;

/** What is told of a capture that is not of a simulated run. */
export interface PcapOptions {
  /** The calendar at time 0 of the capture, in microseconds since 1970. Default: that of simulated worlds. */
  readonly zeroMicros?: Micros;
  /** The capture has keys: there is an interface for what they open. Default true. */
  readonly opens?: boolean;
  /** What the interface `wire` shows. */
  readonly wire?: string;
}

/** Takes the bytes of the file, one block at a time. */
export type BlockWriter = (block: Uint8Array) => void;

export class PcapSink implements CaptureSink {
  readonly #write: BlockWriter;
  readonly #nameOf: ChannelName;
  readonly #zeroMicros: Micros;
  /** Sent and not written, in that order; those that have settled. */
  readonly #waiting: CapturedPacket[] = [];
  readonly #settled: Set<CapturedPacket> = new Set();

  constructor(write: BlockWriter, nameOf: ChannelName, options: PcapOptions = {}) {
    this.#write = write;
    this.#nameOf = nameOf;
    this.#zeroMicros = options.zeroMicros ?? EPOCH_UNIX_SECONDS * 1_000_000;
    const wire = options.wire ?? 'datagrams as they were sent, with IP and UDP headers made up';
    write(sectionHeader('tickwire sim'));
    write(interfaceDescription(LINKTYPE_RAW, 'wire', wire));
    if (options.opens === false) return;
    write(interfaceDescription(LINKTYPE_USER0, 'decrypted', 'what was sealed in them; the link type of tickwire.lua'));
  }

  onSent(packet: CapturedPacket): void {
    this.#waiting.push(packet);
  }

  onSettled(packet: CapturedPacket): void {
    this.#settled.add(packet);
    let ready = 0;
    while (ready < this.#waiting.length && this.#settled.delete(this.#waiting[ready]!))
      this.#put(this.#waiting[ready++]!);
    this.#waiting.splice(0, ready);
  }

  #put(packet: CapturedPacket): void {
    const { opened, bytes, addresses, index, sentAt } = packet;
    const time: Micros = this.#zeroMicros + sentAt;
    const [high, low] = [Math.floor(time / TWO_TO_32), time % TWO_TO_32];
    const flags = opened === null ? 0 : opened.fromClient ? FLAG_INBOUND : FLAG_OUTBOUND; // as a server sees it
    const lines = linesAbout(packet, this.#nameOf);
    this.#write(enhancedPacket(WIRE, high, low, withIpHeaders(bytes, addresses, index), flags, lines));
    if (opened === null || opened.sequence < 0n) return;
    this.#write(enhancedPacket(DECRYPTED, high, low, withOpenedHeader(opened), flags, [titleOf(packet)]));
  }
}

function withOpenedHeader({ session, fromClient, type, sequence, data }: OpenedPacket): Uint8Array {
  const bytes = new Uint8Array(OPENED_HEADER_BYTES + data.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = OPENED_HEADER_VERSION;
  bytes[1] = fromClient ? 0 : 1;
  bytes[2] = type;
  view.setUint32(4, session.number, true);
  view.setBigUint64(8, session.clientId, true);
  view.setBigUint64(16, sequence, true);
  bytes.set(data, OPENED_HEADER_BYTES);
  return bytes;
}
