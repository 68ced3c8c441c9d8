/**
 * What a stranger sees of netcode 1.02 in a flow: who asked whom, loss in each direction, round trips of the handshake, and
 * whether a server answered more than it was asked.
 *
 * Only headers are in the clear: the request's version, and each packet's type and number. All data is encrypted, so this
 * does not see what packets carry, which of them ack what, nor round trips after the handshake.
 *
 * - **Loss** is what is missing of the numbers. A tickwire sender leaves out one number in 512 on purpose (PROTOCOL.md,
 *   section 4), which shows as 0.2 % that nobody lost. Packets lost before they reached this machine show, those lost after it do not.
 * - **Round trips** are of two parts, as seen from here: to the server and back (request to challenge, response to the
 *   first keep-alive), and to the client and back (challenge to response). Only where nothing was repeated in between,
 *   since an answer to a repeated packet does not say to which. The least of each counts.
 */

import { ACCEPTED } from '../../../transport/netcode/drop-counters.ts';
import {
  CLIENT_TAKES,
  PACKET_CHALLENGE,
  PACKET_KEEP_ALIVE,
  PACKET_PAYLOAD_WITH_ID,
  PACKET_REQUEST,
  PACKET_RESPONSE,
  PacketHeader,
  REQUEST_BYTES,
  REQUEST_VERSION_AT,
  SERVER_TAKES,
  VERSION,
} from '../../../transport/netcode/packets.ts';
import { SEQUENCE_LEAPT, SEQUENCE_STALE, SequenceColumns } from './sequence-columns.ts';

/** What is believed of a flow. */
export const NETCODE_NO = 0;
/** Headers and sizes fit and numbers go on, often enough. */
export const NETCODE_LIKELY = 1;
/** A request was seen, which says "NETCODE 1.02". */
export const NETCODE_SURE = 2;

/** Types of packets, 0 to 9. */
export const TYPES = 10;
/**
 * Packets in a row whose headers fit and whose numbers go on that make a flow likely. Three bytes of chance fit in one case
 * of ten thousand or so (type, length of the number, number near the last), so four in a row never do; 16 for good measure.
 */
export const LIKELY_PACKETS = 16;
const ANY_TYPE: number = SERVER_TAKES | CLIENT_TAKES;
const NOT_KNOWN = 2;
/** Nothing is out, or more than one: an answer says nothing. */
const NOTHING_OUT = 0;
const ONE_OUT = 1;
const MANY_OUT = 2;

export class NetcodeColumns {
  readonly sequences: SequenceColumns;
  /** NETCODE_NO, NETCODE_LIKELY, NETCODE_SURE. */
  readonly belief: Uint8Array;
  /** Side of the client, 0 or 1; 2: not known. */
  readonly clientSide: Uint8Array;
  /** Packets of each type: `flow * TYPES + type`. */
  readonly types: Uint32Array;
  /** Datagrams that do not fit. */
  readonly strangers: Float64Array;
  /** Least round trips in microseconds, as seen from here; 0: none seen. */
  readonly toServerMicros: Float64Array;
  readonly toClientMicros: Float64Array;
  /** UDP payload from a client that has not proved its address, and in answer to it. */
  readonly unprovenIn: Float64Array;
  readonly unprovenOut: Float64Array;

  readonly #header: PacketHeader = new PacketHeader();
  readonly #proven: Uint8Array;
  readonly #streak: Uint8Array;
  /** What waits for an answer: requests or responses to the server, challenges to the client. */
  readonly #toServerOut: Uint8Array;
  readonly #toClientOut: Uint8Array;
  readonly #toServerSeconds: Int32Array;
  readonly #toServerNanos: Int32Array;
  readonly #toClientSeconds: Int32Array;
  readonly #toClientNanos: Int32Array;

  /** @param flows as many as the flow table has */
  constructor(flows: number) {
    this.sequences = new SequenceColumns(2 * flows);
    this.belief = new Uint8Array(flows);
    this.clientSide = new Uint8Array(flows).fill(NOT_KNOWN);
    this.types = new Uint32Array(flows * TYPES);
    this.strangers = new Float64Array(flows);
    this.toServerMicros = new Float64Array(flows);
    this.toClientMicros = new Float64Array(flows);
    this.unprovenIn = new Float64Array(flows);
    this.unprovenOut = new Float64Array(flows);
    this.#proven = new Uint8Array(flows);
    this.#streak = new Uint8Array(2 * flows);
    this.#toServerOut = new Uint8Array(flows);
    this.#toClientOut = new Uint8Array(flows);
    this.#toServerSeconds = new Int32Array(flows);
    this.#toServerNanos = new Int32Array(flows);
    this.#toClientSeconds = new Int32Array(flows);
    this.#toClientNanos = new Int32Array(flows);
  }

  /** The flow is a new one. */
  reset(flow: number): void {
    for (let side = 0; side < 2; side++) {
      this.sequences.reset(2 * flow + side);
      this.#streak[2 * flow + side] = 0;
    }
    for (let type = 0; type < TYPES; type++) this.types[flow * TYPES + type] = 0;
    this.belief[flow] = NETCODE_NO;
    this.clientSide[flow] = NOT_KNOWN;
    this.strangers[flow] = 0;
    this.toServerMicros[flow] = 0;
    this.toClientMicros[flow] = 0;
    this.unprovenIn[flow] = 0;
    this.unprovenOut[flow] = 0;
    this.#proven[flow] = 0;
    this.#toServerOut[flow] = NOTHING_OUT;
    this.#toClientOut[flow] = NOTHING_OUT;
  }

  /** Looks at the UDP payload `bytes[at .. end)` of a packet that went the way of `side`. */
  add(
    flow: number,
    side: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    seconds: number,
    nanoseconds: number,
  ): void {
    const length = end - at;
    if (length === REQUEST_BYTES && bytes[at] === PACKET_REQUEST && isVersion(bytes, at + REQUEST_VERSION_AT)) {
      this.#request(flow, side, seconds, nanoseconds);
      this.#weigh(flow, side, length);
      return;
    }
    const header = this.#header;
    if (header.parse(bytes, at, length, ANY_TYPE) !== ACCEPTED) {
      this.#stranger(flow, side);
      this.#weigh(flow, side, length);
      return;
    }
    const type = header.type;
    this.types[flow * TYPES + type]! += 1;
    if (type === PACKET_CHALLENGE) this.#challenge(flow, side, seconds, nanoseconds);
    else if (type === PACKET_RESPONSE) this.#response(flow, side, seconds, nanoseconds);
    else if (type === PACKET_KEEP_ALIVE) this.#keepAlive(flow, side, seconds, nanoseconds);
    else if (type === PACKET_PAYLOAD_WITH_ID && this.clientSide[flow] === NOT_KNOWN) this.clientSide[flow] = side;
    this.#weigh(flow, side, length);
    // What the server says before a connection has numbers of its own, above 2^63, for all clients together.
    if (type < PACKET_RESPONSE || header.sequenceHigh < 0) return;
    const lane = 2 * flow + side;
    const found = this.sequences.add(lane, header.sequenceLow, header.sequenceHigh);
    if (found === SEQUENCE_LEAPT || found === SEQUENCE_STALE) this.#streak[lane] = 0;
    else if (this.#streak[lane]! < LIKELY_PACKETS) this.#streak[lane]!++;
    if (this.#streak[lane] === LIKELY_PACKETS && this.belief[flow] === NETCODE_NO) this.belief[flow] = NETCODE_LIKELY;
  }

  #stranger(flow: number, side: number): void {
    this.strangers[flow]! += 1;
    this.#streak[2 * flow + side] = 0;
  }

  #request(flow: number, side: number, seconds: number, nanoseconds: number): void {
    const isAgain = this.#proven[flow] === 1;
    if (isAgain) {
      // A connection was there: this is the next one.
      this.#proven[flow] = 0;
      this.sequences.restart(2 * flow);
      this.sequences.restart(2 * flow + 1);
      this.#toServerOut[flow] = NOTHING_OUT;
      this.#toClientOut[flow] = NOTHING_OUT;
    }
    this.types[flow * TYPES + PACKET_REQUEST]! += 1;
    this.belief[flow] = NETCODE_SURE;
    this.clientSide[flow] = side;
    this.#askServer(flow, seconds, nanoseconds);
  }

  #challenge(flow: number, side: number, seconds: number, nanoseconds: number): void {
    if (this.clientSide[flow] === NOT_KNOWN) this.clientSide[flow] = 1 - side;
    this.#hearServer(flow, seconds, nanoseconds);
    this.#toClientOut[flow] = this.#toClientOut[flow] === NOTHING_OUT ? ONE_OUT : MANY_OUT;
    this.#toClientSeconds[flow] = seconds;
    this.#toClientNanos[flow] = nanoseconds;
  }

  #response(flow: number, side: number, seconds: number, nanoseconds: number): void {
    if (this.clientSide[flow] === NOT_KNOWN) this.clientSide[flow] = side;
    // Only who got the challenge can answer it: from here on the address is proven.
    this.#proven[flow] = 1;
    if (this.#toClientOut[flow] === ONE_OUT) {
      const micros = microsBetween(this.#toClientSeconds[flow]!, this.#toClientNanos[flow]!, seconds, nanoseconds);
      keepLeast(this.toClientMicros, flow, micros);
    }
    this.#askServer(flow, seconds, nanoseconds);
  }

  #keepAlive(flow: number, side: number, seconds: number, nanoseconds: number): void {
    if (this.clientSide[flow] === 1 - side) this.#hearServer(flow, seconds, nanoseconds);
  }

  #askServer(flow: number, seconds: number, nanoseconds: number): void {
    this.#toServerOut[flow] = this.#toServerOut[flow] === NOTHING_OUT ? ONE_OUT : MANY_OUT;
    this.#toServerSeconds[flow] = seconds;
    this.#toServerNanos[flow] = nanoseconds;
  }

  #hearServer(flow: number, seconds: number, nanoseconds: number): void {
    if (this.#toServerOut[flow] === ONE_OUT) {
      const micros = microsBetween(this.#toServerSeconds[flow]!, this.#toServerNanos[flow]!, seconds, nanoseconds);
      keepLeast(this.toServerMicros, flow, micros);
    }
    this.#toServerOut[flow] = NOTHING_OUT;
  }

  /** Until the client has answered a challenge, what it says may be forged, and the answers hit somebody else. */
  #weigh(flow: number, side: number, bytes: number): void {
    if (this.#proven[flow] === 1 || this.belief[flow] !== NETCODE_SURE) return;
    if (this.clientSide[flow] === side) this.unprovenIn[flow]! += bytes;
    else this.unprovenOut[flow]! += bytes;
  }
}

function isVersion(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < VERSION.length; i++) if (bytes[at + i] !== VERSION[i]) return false;
  return true;
}

function microsBetween(fromSeconds: number, fromNanos: number, toSeconds: number, toNanos: number): number {
  return ((toSeconds >>> 0) - (fromSeconds >>> 0)) * 1_000_000 + (toNanos - fromNanos) / 1000;
}

/** 0 means none yet. */
function keepLeast(column: Float64Array, at: number, value: number): void {
  if (value > 0 && (column[at] === 0 || value < column[at]!)) column[at] = value;
}
