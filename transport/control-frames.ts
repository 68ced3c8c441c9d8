/**
 * The frames that are not messages and must arrive all the same: hello, and connection ids. Each is sent until a packet that
 * carried it is acked. The first ids ride in every packet meanwhile: a client whose address changes before it has one is lost
 * to the server for good, and to learn from acks that the packet with it was lost takes more than a round trip.
 */

import type { Carried } from './channel/carried.ts';
import { CONTROL } from './channel/carried.ts';
import type { PacketWriter } from './channel/packet-writer.ts';
import { FRAME_HELLO, FRAME_IDS, FRAME_PING, ID_BYTES, IDS_MAX, PROTOCOL_VERSION } from './wire/frame-types.ts';

const HELLO_BODY_BYTES = 13;
/** States of what is to be told. */
const NOTHING = 0;
const DUE = 1;
const IN_FLIGHT = 2;
/** Number of the first offer. */
const FIRST = 1;

export class ControlFrames {
  readonly #hello: Uint8Array;
  readonly #ids: Uint8Array;
  readonly #idBytes: Uint8Array;
  readonly #idCount: Uint8Array;
  /** Offers of ids so far: a late ack of a copy of the first says nothing about the second. */
  readonly #offer: Int32Array;
  readonly #channelsHash: number;
  readonly #windowBytes: number;
  readonly #sessions: Uint32Array;

  /**
   * @param windowBytes what our hello promises to hold of the peer's reliable fragments
   * @param sessions by connection: the number that our hello gives to our state of it
   */
  constructor(connections: number, channelsHash: number, windowBytes: number, sessions: Uint32Array) {
    this.#sessions = sessions;
    this.#hello = new Uint8Array(connections);
    this.#ids = new Uint8Array(connections);
    this.#idBytes = new Uint8Array(connections * IDS_MAX * ID_BYTES);
    this.#idCount = new Uint8Array(connections);
    this.#offer = new Int32Array(connections);
    this.#channelsHash = channelsHash;
    this.#windowBytes = windowBytes;
  }

  /** A connection begins, or begins to number its packets anew: hello is due. */
  open(c: number): void {
    this.hold(c);
    this.#hello[c] = DUE;
  }

  /** The same, but the peer speaks first: hello is due with `sayHello`. */
  hold(c: number): void {
    this.#hello[c] = NOTHING;
    this.#ids[c] = NOTHING;
    this.#idCount[c] = 0;
    this.#offer[c] = 0;
  }

  /** Hello is due. */
  sayHello(c: number): void {
    this.#hello[c] = DUE;
  }

  /** A hello that is on its way goes once more, as a probe. */
  repeatHello(c: number): void {
    if (this.#hello[c] === IN_FLIGHT) this.#hello[c] = DUE;
  }

  /** Whether everything that had to be said has arrived. */
  isIdle(c: number): boolean {
    return this.#hello[c] === NOTHING && this.#ids[c] === NOTHING;
  }

  /** Whether something has to be said now. */
  isDue(c: number): boolean {
    return this.#hello[c] === DUE || this.#ids[c] === DUE;
  }

  /** Whether ids may be offered: none are on their way. */
  canOfferIds(c: number): boolean {
    return this.#ids[c] === NOTHING;
  }

  /** Where the next id of an offer goes, `bytes[at .. at + 8)`; offer it with `offerId`. */
  get idBytes(): Uint8Array {
    return this.#idBytes;
  }

  idOffset(c: number): number {
    return (c * IDS_MAX + this.#idCount[c]!) * ID_BYTES;
  }

  /** The id that was written at `idOffset` is to be told to the peer. */
  offerId(c: number): void {
    if (this.#idCount[c] === 0) this.#offer[c]!++;
    this.#idCount[c]!++;
    this.#ids[c] = DUE;
  }

  /** Puts what is due, as far as there is room. */
  put(c: number, writer: PacketWriter, carried: Carried): void {
    if (this.#hello[c] === DUE) this.#putHello(c, writer, carried);
    if (this.#ids[c] === DUE) this.#putIds(c, writer, carried);
  }

  /** Puts what rides in a packet that leaves anyway: the first ids, while the client may be without any. */
  putRiders(c: number, writer: PacketWriter, carried: Carried): void {
    if (this.#ids[c] === IN_FLIGHT && this.#offer[c] === FIRST) this.#putIds(c, writer, carried);
  }

  /** Puts a ping: a byte that asks for an ack. */
  putPing(writer: PacketWriter, carried: Carried): void {
    if (writer.putControl(FRAME_PING, 0) >= 0) carried.add(CONTROL, FRAME_PING, 0);
  }

  /** @param offer of ids: which one the packet carried */
  onAcked(c: number, kind: number, offer: number): void {
    if (kind === FRAME_HELLO) this.#hello[c] = NOTHING;
    else if (kind === FRAME_IDS && offer === this.#offer[c]) {
      this.#ids[c] = NOTHING;
      this.#idCount[c] = 0;
    }
  }

  onLost(c: number, kind: number, offer: number): void {
    if (kind === FRAME_HELLO && this.#hello[c] === IN_FLIGHT) this.#hello[c] = DUE;
    else if (kind === FRAME_IDS && offer === this.#offer[c] && this.#ids[c] === IN_FLIGHT) this.#ids[c] = DUE;
  }

  #putHello(c: number, writer: PacketWriter, carried: Carried): void {
    const at = writer.putControl(FRAME_HELLO, HELLO_BODY_BYTES);
    if (at < 0) return;
    writer.bytes[at] = PROTOCOL_VERSION;
    writer.view.setUint32(at + 1, this.#channelsHash, true);
    writer.view.setUint32(at + 5, this.#windowBytes, true);
    writer.view.setUint32(at + 9, this.#sessions[c]!, true);
    carried.add(CONTROL, FRAME_HELLO, 0);
    this.#hello[c] = IN_FLIGHT;
  }

  #putIds(c: number, writer: PacketWriter, carried: Carried): void {
    const bytes = this.#idCount[c]! * ID_BYTES;
    const at = writer.putControl(FRAME_IDS, 1 + bytes);
    if (at < 0) return;
    writer.bytes[at] = this.#idCount[c]!;
    const from = c * IDS_MAX * ID_BYTES;
    for (let i = 0; i < bytes; i++) writer.bytes[at + 1 + i] = this.#idBytes[from + i]!;
    carried.add(CONTROL, FRAME_IDS, this.#offer[c]!);
    this.#ids[c] = IN_FLIGHT;
  }
}
