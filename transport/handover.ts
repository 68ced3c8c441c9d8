/**
 * A connection on its way from one endpoint to another of the same game, in another thread: what there is to know of it, as
 * bytes. The client notices nothing; no message is lost, and none comes twice.
 *
 * It goes when it is *quiet*: what was sent to the client has arrived or been given up, and nothing that the client has sent is
 * half there or waits behind a hole. So that this comes about it is paused: what is to be sent waits, and goes along. All else
 * that is left of its channels are counters, and there is nothing to carry that a packet could still change. What the client
 * sends meanwhile reaches the other endpoint by way of the first (`Strays`), in order and behind the connection itself.
 *
 * Both ends run the same code: the bytes have no version. Congestion control begins anew, since it learns quickly and its
 * state is only true while packets flow; the round trip and the peer's clock go along.
 */

import type { Micros } from '../sys/api.ts';
import { disown, isResting, loadWaiting, saveWaiting } from './channel/waiting-messages.ts';
import type { Connections } from './connections.ts';
import { loadRow, saveRow } from './rows.ts';
import type { ByteReader } from './wire/byte-reader.ts';
import type { ByteWriter } from './wire/byte-writer.ts';

/** Whether a connection can go now. */
export function isQuiet(connections: Connections, c: number): boolean {
  const { outgoing, incoming, flight, control, sessions } = connections;
  return (
    connections.isOpen(c) &&
    isResting(outgoing, c) &&
    flight.sent.inFlightPackets[c] === 0 &&
    control.isIdle(c) &&
    incoming.isIdle(c) &&
    !sessions.awaitsHello(c)
  );
}

/** From now on nothing new is sent, so that the connection becomes quiet. */
export function pause(connections: Connections, c: number): void {
  connections.outgoing.pause(c, true);
}

/** It does not go: what has waited may leave. */
export function unpause(connections: Connections, c: number, now: Micros): void {
  connections.outgoing.pause(c, false);
  connections.onPath(c, false, now); // as after a move to the same host: it has a turn
}

/** Writes a quiet connection down and closes it. */
export function saveConnection(connections: Connections, c: number, writer: ByteWriter, now: Micros): void {
  saveRow(writer, c, countersOf(connections));
  for (const part of partsOf(connections)) part.save(c, writer);
  saveWaiting(connections.outgoing, c, writer, now);
  disown(connections.outgoing, c);
  connections.close(c, now);
}

/**
 * Reads what `saveConnection` wrote, of a connection with the same channels, which is open from now on. False: there is no room for
 * what it has to send, and it is closed.
 */
export function loadConnection(connections: Connections, c: number, reader: ByteReader, now: Micros): boolean {
  connections.open(c, now);
  connections.control.hold(c); // hello has been said
  loadRow(reader, c, countersOf(connections));
  for (const part of partsOf(connections)) part.load(c, reader);
  if (loadWaiting(connections.outgoing, c, reader, now)) return true;
  disown(connections.outgoing, c);
  connections.close(c, now);
  return false;
}

function countersOf(connections: Connections): Float64Array[] {
  const { packetsSent, payloadBytesSent, ackOnlyPackets, packetsReceived, payloadBytesReceived } = connections;
  return [packetsSent, payloadBytesSent, ackOnlyPackets, packetsReceived, payloadBytesReceived];
}

/** The parts that know something of a quiet connection. */
interface Part {
  save(c: number, writer: ByteWriter): void;
  load(c: number, reader: ByteReader): void;
}

function partsOf({ sessions, tracker, clock, flight, incoming }: Connections): readonly Part[] {
  return [sessions, tracker, clock, flight.rtt, flight.sent, incoming];
}
