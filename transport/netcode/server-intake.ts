/** Whose a datagram is and what it means: the way in of a server, from the clear bytes to the event queue. */

import type { Aead, DatagramBatch } from '../../sys/api.ts';
import type { DueWheel } from '../due-wheel.ts';
import {
  ACCEPTED,
  DROP_EMPTY,
  DROP_REASON,
  DROP_SEQUENCE_TOO_LARGE,
  DROP_UNKNOWN_ADDRESS,
  DROP_WRONG_STATE,
} from './drop-counters.ts';
import { EVENT_ADMIT, type EventQueue } from './event-queue.ts';
import {
  PACKET_DISCONNECT,
  PACKET_PATH,
  PACKET_PAYLOAD,
  PACKET_REASON,
  PACKET_REQUEST,
  PACKET_RESPONSE,
  PacketHeader,
  SERVER_TAKES,
} from './packets.ts';
import { readReason } from './reason.ts';
import type { ServerEndings } from './server-endings.ts';
import type { ServerHandshakes } from './server-handshakes.ts';
import type { ServerSettings } from './server-options.ts';
import type { ServerPaths } from './server-paths.ts';
import { CONFIRMED, PENDING, type ServerSessions } from './server-sessions.ts';
import { type ServerWelcomes, TEXT_SPENT } from './server-welcomes.ts';

export class ServerIntake {
  readonly #settings: ServerSettings;
  readonly #aead: Aead;
  readonly #rows: ServerSessions;
  readonly #handshakes: ServerHandshakes;
  readonly #paths: ServerPaths;
  readonly #endings: ServerEndings;
  readonly #welcomes: ServerWelcomes;
  readonly #wheel: DueWheel;
  readonly #events: EventQueue;
  readonly #times: Float64Array;
  readonly #header = new PacketHeader();

  /** @param times of the call that is running, so that no double is boxed on its way here. 0: `now`. 1: unix seconds */
  constructor(
    settings: ServerSettings,
    aead: Aead,
    rows: ServerSessions,
    handshakes: ServerHandshakes,
    paths: ServerPaths,
    endings: ServerEndings,
    welcomes: ServerWelcomes,
    wheel: DueWheel,
    events: EventQueue,
    times: Float64Array,
  ) {
    this.#settings = settings;
    this.#aead = aead;
    this.#rows = rows;
    this.#handshakes = handshakes;
    this.#paths = paths;
    this.#endings = endings;
    this.#welcomes = welcomes;
    this.#wheel = wheel;
    this.#events = events;
    this.#times = times;
  }

  /** Returns ACCEPTED or the reason to drop the datagram in `slot`. */
  receive(batch: DatagramBatch, slot: number): number {
    const length = batch.length[slot]!;
    if (length === 0) return DROP_EMPTY;
    const offset = batch.offset[slot]!;
    if (batch.arena[offset] === PACKET_REQUEST) {
      return this.#handshakes.receiveRequest(batch, slot, this.#times[0]!, this.#times[1]!);
    }
    const header = this.#header;
    const code = header.parse(batch.arena, offset, length, SERVER_TAKES);
    if (code !== ACCEPTED) return code;
    if (header.type === PACKET_REASON && header.sequenceHigh < 0) return DROP_SEQUENCE_TOO_LARGE;
    if (header.type >= PACKET_PATH) return this.#paths.receive(batch, slot, header);
    const row = this.#rows.findSource(batch, slot);
    if (row < 0) return DROP_UNKNOWN_ADDRESS;
    if (this.#rows.state[row]! >= PENDING) return this.#receiveConnected(batch, slot, row);
    return header.type === PACKET_RESPONSE ? this.#receiveResponse(batch, slot, row) : DROP_WRONG_STATE;
  }

  /** A response. When it is right the client has a slot, and waits for the game's word. */
  #receiveResponse(batch: DatagramBatch, slot: number, handshake: number): number {
    const now = this.#times[0]!;
    const code = this.#handshakes.receiveResponse(batch, slot, this.#header, handshake, now);
    if (code !== ACCEPTED) return code;
    const connection = this.#handshakes.promoted;
    if (this.#handshakes.resumed) {
      // Nothing may be sealed with the keys of a token that was used elsewhere, so its client is not told.
      if (!this.#welcomes.resume(connection, now))
        this.#endings.end(connection, { code: 'denied', side: 'local', text: TEXT_SPENT });
      return ACCEPTED;
    }
    this.#endings.open(connection);
    this.#wheel.at[connection] = now + this.#settings.admitTimeoutMicros;
    this.#wheel.set(connection);
    this.#events.push(EVENT_ADMIT, connection);
    return ACCEPTED;
  }

  /** A packet from the address of a connection, or of a client that waits to be admitted. */
  #receiveConnected(batch: DatagramBatch, slot: number, connection: number): number {
    const header = this.#header;
    const rows = this.#rows;
    // A response again: its answer was lost, the next keep-alive stands for it. Not worth opening, unless the client resumes.
    if (header.type === PACKET_RESPONSE) {
      const successor = rows.successor[connection]!;
      return successor >= 0 ? this.#receiveResponse(batch, slot, successor) : DROP_WRONG_STATE;
    }
    const pending = rows.state[connection] === PENDING;
    if (pending && header.type < PACKET_DISCONNECT) return DROP_WRONG_STATE;
    const code = rows.sessions.openPacket(batch, slot, header, connection);
    if (code !== ACCEPTED) return code;
    const at = slot * this.#aead.plaintextStrideBytes;
    if (header.type >= PACKET_DISCONNECT) {
      const reason = readReason(header.type, this.#aead.plaintext, at, header.dataBytes);
      if (reason === null) return DROP_REASON;
      this.#endings.end(connection, reason);
      return ACCEPTED;
    }
    rows.sessions.lastReceivedAt[connection] = this.#times[0]!;
    rows.state[connection] = CONFIRMED;
    if (this.#paths.isAway(connection)) this.#paths.invite(batch, slot, connection);
    if (header.type === PACKET_PAYLOAD) {
      this.#events.pushPayload(connection, at, header.dataBytes, header.sequenceLow, header.sequenceHigh);
    }
    return ACCEPTED;
  }
}
