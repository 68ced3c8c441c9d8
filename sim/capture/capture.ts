/**
 * A capture of a simulated run: from an observer's events to packets that are opened, read and followed to their end, for
 * whoever writes them down (`CaptureSink`).
 *
 * Packets under way are held, up to a limit; nothing else grows with the run.
 */

import type { MessageTap } from '../../engine/message-tap.ts';
import type { Micros } from '../../sys/api.ts';
import type { ConnectionStats } from '../../transport/connection-stats.ts';
import { PACKET_PAYLOAD, PACKET_PAYLOAD_WITH_ID } from '../../transport/netcode/packets.ts';
import type { LinkDirection } from '../link/link.ts';
import type { DatagramEvent } from '../world/observer.ts';
import { CapturedPacket, type CaptureSink, type Carried } from './captured-packet.ts';
import { CarriedBefore } from './carried-before.ts';
import { readPayload } from './frames.ts';
import { type CaptureKeys, type OpenedPacket, PacketOpener } from './packet-opener.ts';
import type { ChannelName } from './packet-text.ts';

/** Packets under way that are followed: some 50 MB; beyond, the oldest are written down without their end. */
const UNDER_WAY_MAX = 16_384;
/** Sessions of which is known what was carried before: 0.5 MB each at most. Beyond, the oldest begin anew. */
const SESSIONS_MAX = 1_024;

/** Connections of a run, by number of the client; null while there is none. */
export interface ConnectionEnds {
  clientOf(index: number): ConnectionEnd | null;
  peerOf(index: number): ConnectionEnd | null;
}

export interface ConnectionEnd {
  stats(into?: ConnectionStats): ConnectionStats;
}

/** Both directions of a session. */
interface Directions {
  readonly up: CarriedBefore;
  readonly down: CarriedBefore;
}

export class Capture {
  /** Who is told, in this order. To be filled before the run. */
  readonly sinks: CaptureSink[] = [];
  /** The game's own connections, to ask how they fare; null before the run. */
  ends: ConnectionEnds | null = null;
  readonly #wants: (direction: string, time: Micros) => boolean;
  #opener: PacketOpener | null = null;
  /** By session number. */
  readonly #sessions: Map<number, Directions> = new Map();
  /** By direction and index. */
  readonly #underWay: Map<string, CapturedPacket> = new Map();
  readonly #channelNames: (string | undefined)[] = [];
  #packets = 0;

  /** @param wants packets that are sent on this direction at this time. Default: all; the others cost next to nothing */
  constructor(wants: (direction: string, time: Micros) => boolean = () => true) {
    this.#wants = wants;
  }

  /** The keys of the run, before it: without them packets are not opened. */
  begin(keys: CaptureKeys, ends: ConnectionEnds | null = null): void {
    this.#opener = new PacketOpener(keys);
    this.ends = ends;
  }

  /** The same tap; in passing, the capture learns what channels are called. */
  tap(tap: MessageTap): MessageTap {
    return {
      queued: (clientId, channel, bytes, offset, length) => {
        this.#channelNames[channel.number] = channel.name;
        tap.queued(clientId, channel, bytes, offset, length);
      },
      arrived: (clientId, channel, bytes, offset, length) => tap.arrived(clientId, channel, bytes, offset, length),
    };
  }

  /** The name of a channel; `channel 3` while it is not known. */
  readonly channelName: ChannelName = (number) => this.#channelNames[number] ?? `channel ${number}`;

  /** The observer. */
  readonly observe = (
    time: Micros,
    direction: LinkDirection,
    kind: DatagramEvent,
    index: number,
    bytes: Uint8Array,
    addresses: Uint8Array,
  ): void => {
    const place = `${direction.number}/${index}`;
    if (kind === 'received') {
      if (!this.#wants(direction.name, time)) return;
      const packet = this.#read(time, direction.name, index, bytes, addresses);
      this.#underWay.set(place, packet);
      for (const sink of this.sinks) sink.onSent?.(packet);
      if (this.#underWay.size > UNDER_WAY_MAX) this.#settle(this.#underWay.keys().next().value as string);
      return;
    }
    const packet = this.#underWay.get(place);
    if (packet === undefined) return;
    const settled = packet.note(kind, time);
    for (const sink of this.sinks) sink.onEvent?.(packet, kind, time, bytes);
    if (settled) this.#settle(place);
  };

  /** The run is over at `time`. */
  end(time: Micros): void {
    for (const place of this.#underWay.keys()) this.#settle(place);
    for (const sink of this.sinks) sink.onEnd?.(time);
  }

  #settle(place: string): void {
    const packet = this.#underWay.get(place)!;
    this.#underWay.delete(place);
    if (packet.opened !== null && packet.isLost) {
      const ways = this.#directionsOf(packet.opened.session.number);
      (packet.opened.fromClient ? ways.up : ways.down).onLost(packet.carried.number);
    }
    for (const sink of this.sinks) sink.onSettled?.(packet);
  }

  #read(time: Micros, direction: string, index: number, bytes: Uint8Array, addresses: Uint8Array): CapturedPacket {
    const [from, to] = direction.split('>') as [string, string];
    const copy = bytes.slice();
    const opened = this.#opener?.open(from, to, copy) ?? null;
    const ways = opened === null ? null : this.#directionsOf(opened.session.number);
    const sent = opened?.fromClient === false ? ways?.down : ways?.up;
    const heard = opened?.fromClient === false ? ways?.up : ways?.down;
    const carried = carriedBy(opened, sent, heard, this.channelName);
    const packet = new CapturedPacket(
      this.#packets++,
      time,
      direction,
      index,
      copy,
      addresses.slice(),
      this.#opener !== null,
      opened,
      carried,
    );
    return packet;
  }

  #directionsOf(session: number): Directions {
    let found = this.#sessions.get(session);
    if (found === undefined) {
      found = { up: new CarriedBefore(), down: new CarriedBefore() };
      this.#sessions.set(session, found);
      if (this.#sessions.size > SESSIONS_MAX) this.#sessions.delete(this.#sessions.keys().next().value as number);
    }
    return found;
  }
}

function carriedBy(
  opened: OpenedPacket | null,
  sent: CarriedBefore | undefined,
  heard: CarriedBefore | undefined,
  nameOf: (channel: number) => string,
): Carried {
  const numbered = opened !== null && opened.sequence >= 0n && opened.sequence <= BigInt(Number.MAX_SAFE_INTEGER);
  const number = numbered ? sent!.shortOf(Number(opened.sequence)) : -1;
  const isPayload = opened?.type === PACKET_PAYLOAD || opened?.type === PACKET_PAYLOAD_WITH_ID;
  if (opened === null || !isPayload) return { number, payload: null, acked: [], repeats: [] };
  const payload = readPayload(opened.data);
  const ack = payload.frames.find(({ row }) => row.name === 'ack');
  return {
    number,
    payload,
    acked: ack === undefined ? [] : heard!.ackedBy(ack),
    repeats: sent!.repetitions(payload.frames, number, nameOf),
  };
}
