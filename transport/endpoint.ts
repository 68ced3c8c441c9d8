/**
 * The contract of a protocol without I/O: bytes and time in, bytes and a deadline out.
 *
 * An endpoint is all protocol state behind one socket. It reads no clock, opens no socket and rolls no dice of its own:
 * the same calls give the same bytes, on a server, in the simulator and in a browser. The one place that calls these
 * methods in order is `engine/drive.ts`.
 */

import type { DatagramBatch, Micros } from '../sys/api.ts';

/** Protocol state behind one socket. `Sink` is what it hands events to. */
export interface Endpoint<Sink> {
  /**
   * Takes in every datagram of `batch`. Malformed, forged and unexpected ones are dropped and counted, never thrown.
   * What it learned waits for `drain()`, which must come before the next `receive()`: views point into borrowed bytes.
   *
   * @param unixSeconds the calendar, for the expiry of connect tokens
   */
  receive(batch: DatagramBatch, now: Micros, unixSeconds: number): void;
  /** Hands over, in order, what has happened since the last drain. Sinks may send and disconnect; that acts later. */
  drain(sink: Sink, now: Micros): void;
  /** Fires every timer that is due at `now`. */
  advance(now: Micros): void;
  /** Appends what is due to `batch` until it is full or nothing is left; call again after a flush while it filled up. */
  transmit(batch: DatagramBatch, now: Micros): void;
  /** When there is next something to do, or NEVER. In the past: `transmit` or `advance` has work now. */
  deadline(): Micros;
}

/** An endpoint with a game on top, as a drive steps it. */
export interface GameEndpoint<Sink> extends Endpoint<Sink> {
  /** Whether arrivals and deadlines cannot wait for the game's next tick: a bulk transfer, or an end that waits for acks. */
  readonly isPressing: boolean;
}

/** Which end closed a connection. */
export type CloseSide = 'local' | 'remote';

/** Why a connection ended. */
export type DisconnectCode =
  /** The game on one side asked for it (`close`, a client leaving). */
  | 'closed'
  /** The server's game threw the client out (`kick`). */
  | 'kicked'
  /** The server's game has given the client to another of its workers (`Peer.handTo`). The client itself is not told. */
  | 'moved'
  /** Nothing arrived for the connection's timeout. */
  | 'timeout'
  /** The server refused: full, or the game's `admit` said no. */
  | 'denied'
  /** The connect token is malformed, or ran out before a server answered. */
  | 'token-invalid'
  | 'token-expired'
  /** The server is shutting down. */
  | 'shutdown'
  /** The peer broke the protocol, or has other channels; the text says how. */
  | 'protocol';

/** The end of a connection as data. */
export interface DisconnectReason {
  readonly code: DisconnectCode;
  readonly side: CloseSide;
  /** What the other side's game said, or ''. At most 255 bytes of UTF-8 on the wire. */
  readonly text: string;
}
