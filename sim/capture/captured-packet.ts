/** One datagram of a capture: what it was, what it carried, what became of it. */

import type { Micros } from '../../sys/api.ts';
import type { DatagramEvent } from '../world/observer.ts';
import type { Payload } from './frames.ts';
import type { OpenedPacket } from './packet-opener.ts';

/** Numbers from `first` to `last`. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** Something that an earlier packet carried too. */
export interface Repetition {
  /** Number of that packet. */
  readonly packet: number;
  /** That packet had been lost: this is a retransmission, else a copy ahead of a loss (or a probe). */
  readonly lost: boolean;
  /** `chat 17`: channel and message. */
  readonly what: string;
}

/** How a datagram ended; `unknown` while it is under way, and when the capture ended before it did. */
export type Ending = 'unknown' | Exclude<DatagramEvent, 'received' | 'corrupted' | 'duplicated'>;

/** What packets that did not arrive are called. */
export const LOSS_WORDS: Readonly<Record<Exclude<Ending, 'unknown' | 'delivered'>, string>> = {
  lost: 'lost in the air',
  'queue-drop': 'dropped: the queue was full',
  'too-large': "dropped: larger than the link's MTU",
  policed: 'dropped by a policer',
  cut: 'dropped: the link was cut',
  unheard: 'arrived, and nobody took it: nobody listened there, or the receive buffer was full',
  refused: 'dropped by the proxy: more clients than it takes',
  crowded: 'dropped by the proxy: too many datagrams were under way',
  stray: 'dropped by the proxy: not from the server',
};

/** Events after which a datagram, or a copy of it, is not under way any more. */
export const ENDINGS: ReadonlySet<DatagramEvent> = new Set<DatagramEvent>([
  'delivered',
  'unheard',
  'lost',
  'queue-drop',
  'too-large',
  'policed',
  'cut',
  'refused',
  'crowded',
  'stray',
]);

/** What packets carry, read from their frames. */
export interface Carried {
  /**
   * Number of the packet, a server's counted from the first that was seen; -1 for what has none (a request) or one beyond
   * 2^53 (before a session is connected).
   */
  readonly number: number;
  /** Frames of a payload; null for another packet. */
  readonly payload: Payload | null;
  /** What it acknowledges, the newest first. */
  readonly acked: readonly NumberRange[];
  readonly repeats: readonly Repetition[];
}

export class CapturedPacket {
  /** Counts the packets of the capture, in the order in which they were sent. */
  readonly serial: number;
  readonly sentAt: Micros;
  /** `client-0>server`, and its index there. */
  readonly direction: string;
  readonly index: number;
  /** The datagram as it was sent. A copy. */
  readonly bytes: Uint8Array;
  /** Canonical addresses: source, then destination. A copy. */
  readonly addresses: Uint8Array;
  /** The capture had keys when it was sent. */
  readonly tried: boolean;
  /** Null: it could not be opened (or is nothing that the capture knows). */
  readonly opened: OpenedPacket | null;
  readonly carried: Carried;

  ending: Ending = 'unknown';
  /** When it ended; of one that arrived twice: the first time. */
  endedAt: Micros = -1;
  /** When copies of it arrived, where links made some. */
  copiesAt: Micros[] = [];
  /** It went on with other bytes. */
  corrupted = false;
  /** How many of it and its copies are under way. */
  underWay = 1;

  constructor(
    serial: number,
    sentAt: Micros,
    direction: string,
    index: number,
    bytes: Uint8Array,
    addresses: Uint8Array,
    tried: boolean,
    opened: OpenedPacket | null,
    carried: Carried,
  ) {
    this.serial = serial;
    this.sentAt = sentAt;
    this.direction = direction;
    this.index = index;
    this.bytes = bytes;
    this.addresses = addresses;
    this.tried = tried;
    this.opened = opened;
    this.carried = carried;
  }

  /** It will not arrive. */
  get isLost(): boolean {
    return this.ending !== 'unknown' && this.ending !== 'delivered';
  }

  /** Takes an event in; true when none can follow. */
  note(kind: DatagramEvent, time: Micros): boolean {
    if (kind === 'corrupted') this.corrupted = true;
    else if (kind === 'duplicated') this.underWay++;
    else if (ENDINGS.has(kind)) {
      this.underWay--;
      if (kind === 'delivered' && this.ending === 'delivered') this.copiesAt.push(time);
      else if (this.endedAt < 0 || kind === 'delivered') {
        this.ending = kind as Ending;
        this.endedAt = time;
      }
    }
    return this.underWay === 0;
  }
}

/** Writes down what it is told. */
export interface CaptureSink {
  /** A packet enters its link. */
  onSent?(packet: CapturedPacket): void;
  /** Something happened to it, which the packet has noted. `bytes` are those that it has now, valid within the call. */
  onEvent?(packet: CapturedPacket, kind: DatagramEvent, time: Micros, bytes: Uint8Array): void;
  /** No event of it will follow. */
  onSettled?(packet: CapturedPacket): void;
  /** The run is over. */
  onEnd?(time: Micros): void;
}
