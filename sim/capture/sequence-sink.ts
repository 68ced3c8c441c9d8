/** Keeps what is needed to draw a client's packets as arrows between two life lines; of a window of time, up to a number. */

import type { Micros } from '../../sys/api.ts';
import type { CapturedPacket, CaptureSink } from './captured-packet.ts';
import { PACKET_KINDS } from './packet-opener.ts';
import { type ChannelName, frameText } from './packet-text.ts';
import type { SequencePacket, SequenceReport } from './sequence-report.ts';

export interface SequenceOptions {
  /** Name of the client's host: `client-0`. */
  readonly client: string;
  /** Packets that were sent from here on, and before there. */
  readonly fromMicros: Micros;
  readonly untilMicros: Micros;
  readonly packetsMax: number;
  readonly nameOf: ChannelName;
}

export class SequenceSink implements CaptureSink {
  readonly #options: SequenceOptions;
  readonly #up: string;
  readonly #down: string;
  readonly #packets: CapturedPacket[] = [];
  #isCut = false;

  constructor(options: SequenceOptions) {
    this.#options = options;
    this.#up = `${options.client}>server`;
    this.#down = `server>${options.client}`;
  }

  onSent(packet: CapturedPacket): void {
    const { fromMicros, untilMicros, packetsMax } = this.#options;
    if (packet.direction !== this.#up && packet.direction !== this.#down) return;
    if (packet.sentAt < fromMicros || packet.sentAt >= untilMicros) return;
    if (this.#packets.length < packetsMax) this.#packets.push(packet);
    else this.#isCut = true;
  }

  /** It needs no packet that is sent at `time`: the window is over, or it has all that it holds. */
  isFull(time: Micros): boolean {
    return this.#isCut || time >= this.#options.untilMicros;
  }

  /** After the run. */
  report(): SequenceReport {
    const { client, fromMicros, untilMicros } = this.#options;
    const ends = this.#packets.flatMap(({ sentAt, endedAt, copiesAt }) => [sentAt, endedAt, ...copiesAt]);
    const last = ends.reduce((a, b) => Math.max(a, b), fromMicros);
    return {
      schema: 'tickwire-sequence/1',
      client,
      fromMs: fromMicros / 1000,
      untilMs: (this.#isCut || untilMicros > last ? last : untilMicros) / 1000,
      isCut: this.#isCut,
      packets: this.#packets.map((packet) => this.#told(packet)),
    };
  }

  #told(packet: CapturedPacket): SequencePacket {
    const { opened, carried, bytes, sentAt, ending, endedAt, copiesAt, corrupted, direction } = packet;
    const frames = carried.payload?.frames ?? [];
    return {
      up: direction === this.#up,
      kind: opened === null ? 'unknown' : PACKET_KINDS[opened.type]!,
      number: carried.number < 0 ? null : carried.number,
      bytes: bytes.length,
      sentMs: sentAt / 1000,
      ending,
      endedMs: endedAt < 0 ? null : endedAt / 1000,
      copiesMs: copiesAt.map((time) => time / 1000),
      corrupted,
      carries: frames.map((frame) => frameText(frame, this.#options.nameOf)).filter((text) => text !== ''),
      acked: carried.acked,
      repeats: carried.repeats,
    };
  }
}
