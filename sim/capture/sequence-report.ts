/** The data of a sequence diagram: both ends of one client, and every packet between them. */

import type { Ending, NumberRange, Repetition } from './captured-packet.ts';

export interface SequenceReport {
  readonly schema: 'tickwire-sequence/1';
  /** `client-0`. */
  readonly client: string;
  /** The time that is shown. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** There were more packets in it than a diagram holds: it ends with the last of these. */
  readonly isCut: boolean;
  /** In the order in which they were sent. */
  readonly packets: readonly SequencePacket[];
}

export interface SequencePacket {
  /** From the client to the server. */
  readonly up: boolean;
  /** `payload`, `request`. */
  readonly kind: string;
  /** Packet number; null where there is none. */
  readonly number: number | null;
  readonly bytes: number;
  readonly sentMs: number;
  readonly ending: Ending;
  /** When it arrived or was lost; null: it was under way when the capture ended. */
  readonly endedMs: number | null;
  /** When copies of it arrived that the link made. */
  readonly copiesMs: readonly number[];
  /** It went on with other bytes. */
  readonly corrupted: boolean;
  /** A text for each frame that carries something. */
  readonly carries: readonly string[];
  readonly acked: readonly NumberRange[];
  /** What it carries that an earlier packet carried; `packet` is its number. */
  readonly repeats: readonly Repetition[];
}
