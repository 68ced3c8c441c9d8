/** What a server or client dropped, by reason, in one object. */

import type { DatagramSocket } from '../sys/api.ts';
import type { Connections } from '../transport/connections.ts';
import type { ChannelTable } from './channel-table.ts';
import type { Requests } from './requests.ts';

/** Counters by reason. Those of datagrams have the names of `transport/netcode/drop-counters.ts`. */
export type Drops = Readonly<Record<string, number>>;

/** A copy of all counters. */
export function dropsOf(
  socket: DatagramSocket,
  netcode: Readonly<Record<string, number>>,
  { frames, incoming }: Connections,
  channels: ChannelTable,
  requests: Requests,
): Drops {
  return {
    ...beforeTheSocket(socket),
    ...netcode,
    /** Payloads with malformed frames, and payloads that found no room: neither was acknowledged. */
    malformedPayloads: frames.malformed,
    refusedPayloads: frames.refused,
    /** Frames of a newer version of the protocol, which were skipped. */
    extensions: frames.extensions,
    /** Messages that had come before, or were too old: what redundancy costs, rather than a fault. */
    duplicates: incoming.duplicates,
    stale: incoming.stale,
    /** Unreliable messages of which a piece was missing. */
    unreliableDropped: incoming.unreliableDropped,
    /** Messages that their codec could not read. */
    undecodable: channels.undecodable,
    /** Answers that nobody waited for any more; answers that could not be sent. */
    answersUnasked: requests.unasked,
    answersUnsent: requests.unsent,
  };
}

/** What never became a datagram of the socket; asks the kernel where there is such a thing. */
function beforeTheSocket(socket: DatagramSocket): Drops {
  const drops = socket.drops?.();
  if (drops === undefined) return {};
  const { notAdmitted, ringFull, noFrame, other } = drops;
  /** By the admission filter, for the whole interface; for want of room between two receives. */
  return { notAdmitted, framesWithoutRoom: ringFull + noFrame + other };
}
