/**
 * Writes one end of a client's connection as qlog (JSON text sequences), for tools that draw QUIC connections. The mapping is
 * small on purpose, since such tools stumble over what they do not know: payloads are packets of one space, messages are
 * datagrams in them. What the game's channels carried is said in events of our own (`tickwire:`).
 *
 * Losses are the network's own knowledge, at the moment when the packet was lost: a real end finds out later, or errs.
 */

import type { Micros } from '../../sys/api.ts';
import type { ConnectionStats } from '../../transport/connection-stats.ts';
import { ACK_DELAY_UNIT_MICROS, ACK_DELAY_UNKNOWN } from '../../transport/wire/frame-types.ts';
import type { DatagramEvent } from '../world/observer.ts';
import { EPOCH_UNIX_SECONDS } from '../world/timeline.ts';
import type { ConnectionEnd } from './capture.ts';
import { type CapturedPacket, type CaptureSink, ENDINGS } from './captured-packet.ts';
import type { Frame } from './frames.ts';
import { PACKET_KINDS } from './packet-opener.ts';
import { type ChannelName, frameText } from './packet-text.ts';

/** Begins each record (RFC 7464). */
const RECORD_SEPARATOR = '\x1e';

export type Side = 'client' | 'server';

export interface QlogOptions {
  /** Name of the client's host: `client-0`. */
  readonly client: string;
  /** Whose eyes it is seen with. */
  readonly side: Side;
  readonly title: string;
  readonly nameOf: ChannelName;
  /** The game's own connection at this end, if it can be asked now. */
  readonly end: () => ConnectionEnd | null;
}

export class QlogSink implements CaptureSink {
  readonly #write: (text: string) => void;
  readonly #options: QlogOptions;
  /** Directions that lead away from this end, and to it. */
  readonly #sends: string;
  readonly #hears: string;
  #stats: ConnectionStats | undefined;
  #metrics: Readonly<Record<string, number>> = {};

  constructor(write: (text: string) => void, options: QlogOptions) {
    const { client, side, title } = options;
    this.#write = write;
    this.#options = options;
    this.#sends = side === 'client' ? `${client}>server` : `server>${client}`;
    this.#hears = side === 'client' ? `server>${client}` : `${client}>server`;
    this.#record({
      qlog_format: 'JSON-SEQ',
      qlog_version: '0.3',
      title,
      trace: {
        title: `${client}, seen by the ${side}`,
        vantage_point: { name: side === 'client' ? client : 'server', type: side },
        common_fields: {
          time_format: 'relative',
          reference_time: EPOCH_UNIX_SECONDS * 1000,
          protocol_type: ['TICKWIRE'],
          group_id: client,
        },
      },
    });
  }

  onSent(packet: CapturedPacket): void {
    if (packet.direction !== this.#sends || packet.opened === null) return;
    this.#packet('sent', packet, packet.sentAt);
    this.#tellMetrics(packet.sentAt);
  }

  onEvent(packet: CapturedPacket, kind: DatagramEvent, time: Micros): void {
    if (packet.opened === null || !ENDINGS.has(kind)) return;
    if (packet.direction === this.#sends && kind !== 'delivered') {
      this.#event(time, 'recovery:packet_lost', { header: headerOf(packet), trigger: kind });
    } else if (packet.direction === this.#hears && kind === 'delivered') {
      if (packet.corrupted) this.#dropped(packet, time, 'payload_decrypt_error');
      else if (packet.copiesAt.length > 0) this.#dropped(packet, time, 'duplicate');
      else this.#packet('received', packet, time);
      this.#tellMetrics(time);
    }
  }

  #packet(verb: 'sent' | 'received', packet: CapturedPacket, time: Micros): void {
    const { opened, bytes, carried } = packet;
    if (carried.payload === null) {
      // Before and after the connection: numbers of another space, or none.
      const data = { kind: PACKET_KINDS[opened!.type], length: bytes.length };
      this.#event(time, `tickwire:${verb === 'sent' ? 'control_sent' : 'control_received'}`, data);
      return;
    }
    const { frames } = carried.payload;
    this.#event(time, `transport:packet_${verb}`, {
      header: headerOf(packet),
      raw: { length: bytes.length, payload_length: opened!.data.length },
      frames: frames.map((frame) => this.#frame(frame, packet)),
    });
    const messages = frames.filter(({ row, fields }) => row.name !== 'skip' && fields.channel !== undefined);
    if (messages.length === 0) return;
    this.#event(time, `tickwire:messages_${verb}`, {
      packet_number: carried.number,
      messages: messages.map((frame) => ({
        channel: this.#options.nameOf(frame.fields.channel as number),
        frame: frame.row.name,
        what: frameText(frame, this.#options.nameOf),
      })),
      ...(carried.repeats.length === 0
        ? {}
        : { repeats: carried.repeats.map(({ packet, lost, what }) => ({ packet_number: packet, lost, what })) }),
    });
  }

  #dropped(packet: CapturedPacket, time: Micros, trigger: string): void {
    this.#event(time, 'transport:packet_dropped', {
      header: headerOf(packet),
      raw: { length: packet.bytes.length },
      trigger,
    });
  }

  #frame(frame: Frame, { carried }: CapturedPacket): object {
    const { row, fields, type, lengthBytes } = frame;
    switch (row.name) {
      case 'padding':
      case 'ping':
        return { frame_type: row.name };
      case 'ack': {
        const delay = fields.delay as number;
        return {
          frame_type: 'ack',
          ...(delay === ACK_DELAY_UNKNOWN ? {} : { ack_delay: (delay * ACK_DELAY_UNIT_MICROS) / 1000 }),
          acked_ranges: carried.acked.map(({ first, last }) => [first, last]),
        };
      }
      case 'input':
      case 'messages':
      case 'plain':
      case 'keyed':
      case 'fragment':
      case 'keyed fragment':
        return { frame_type: 'datagram', length: lengthBytes, tickwire: frameText(frame, this.#options.nameOf) };
      default:
        return { frame_type: 'unknown', raw_frame_type: type, raw: { length: lengthBytes }, tickwire: row.name };
    }
  }

  /** How this end fares, as far as it has changed. */
  #tellMetrics(time: Micros): void {
    const end = this.#options.end();
    if (end === null) return;
    const stats = end.stats(this.#stats);
    this.#stats = stats;
    const now: Record<string, number> = {
      congestion_window: Math.round(stats.cwndBytes),
      bytes_in_flight: Math.round(stats.inFlightBytes),
    };
    if (stats.rttIsMeasured) now.smoothed_rtt = stats.rttMicros / 1000;
    const changed = Object.entries(now).filter(([name, value]) => this.#metrics[name] !== value);
    this.#metrics = now;
    if (changed.length > 0) this.#event(time, 'recovery:metrics_updated', Object.fromEntries(changed));
  }

  #event(time: Micros, name: string, data: object): void {
    this.#record({ time: time / 1000, name, data });
  }

  #record(value: object): void {
    this.#write(`${RECORD_SEPARATOR}${JSON.stringify(value)}\n`);
  }
}

function headerOf({ carried }: CapturedPacket): object {
  return { packet_type: '1RTT', ...(carried.number < 0 ? {} : { packet_number: carried.number }) };
}
