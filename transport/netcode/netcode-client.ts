/**
 * The client's side of netcode 1.02 behind one socket: tries the servers of a connect token in turn, and speaks with the one
 * that takes it in. STATE-MACHINE.md says the same in words.
 *
 * Receiving and sending payloads allocates nothing.
 */

import {
  ADDRESS_BYTES,
  type Aead,
  type DatagramBatch,
  type Micros,
  NEVER,
  type Rng,
  sameAddress,
} from '../../sys/api.ts';
import { checkWhole } from '../config-error.ts';
import type { DisconnectCode, Endpoint } from '../endpoint.ts';
import type { Arrivals } from '../session.ts';
import { ClientCourse } from './client-course.ts';
import { ClientPackets } from './client-packets.ts';
import { CAUSE_MOVED, CAUSE_UNHEARD, ClientPath } from './client-path.ts';
import {
  CLIENT_CONNECTED,
  CLIENT_DENIED,
  CLIENT_DISCONNECTED,
  CLIENT_SENDING_REQUEST,
  CLIENT_SENDING_RESPONSE,
  clientExpects,
} from './client-states.ts';
import { ConnectAttempt } from './connect-attempt.ts';
import {
  ACCEPTED,
  countDrop,
  DROP_EMPTY,
  DROP_REASON,
  DROP_SIZE,
  DROP_UNKNOWN_ADDRESS,
  DROP_UNKNOWN_ID,
  DROP_WRONG_STATE,
  type DropCounters,
  dropCounters,
} from './drop-counters.ts';
import { EVENT_CONNECT, EVENT_DISCONNECT, EVENT_PATH, EVENT_PAYLOAD, EventQueue } from './event-queue.ts';
import {
  CLIENT_TAKES,
  CONNECTION_ID_BYTES,
  PACKET_CHALLENGE,
  PACKET_DENIED,
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_PATH,
  PACKET_PAYLOAD,
  PACKET_PAYLOAD_WITH_ID,
  PACKET_REASON,
  PATH_FROM_SERVER_BYTES,
  PacketHeader,
} from './packets.ts';
import { encodeReason, readReason } from './reason.ts';
import { REPLAY_WINDOW_DEFAULT } from './replay-window.ts';
import { Sessions } from './sessions.ts';
import type { NetcodeClientSink } from './sinks.ts';
import { KEEP_ALIVE_MICROS } from './timing.ts';

export type { NetcodeClientSink } from './sinks.ts';

export interface NetcodeClientOptions {
  /** See ReplayWindows. Default 4,096; the standard has 256. */
  readonly replayWindowSize?: number;
  /**
   * Silence after which a connected client asks the server to look for it at another address, if the server gave it ids.
   * Default 300,000: three keep-alives missing. 0: only `rebind` does it.
   */
  readonly rebindSilenceMicros?: number;
}

const REBIND_SILENCE_MICROS = 300_000;
const HOUR_MICROS = 3_600_000_000;

/** Requests and responses are repeated ten times a second (netcode 1.02) ... */
const RETRY_MICROS = 100_000;
/** ... and up to this much later, by chance: a server under a flood answers by chance too, and a beat could hide us. */
const RETRY_JITTER_MICROS = 10_000;
const ROW = 0;

export class NetcodeClient implements Endpoint<NetcodeClientSink> {
  /** Datagrams that were not taken, by reason. Live. */
  readonly drops: DropCounters = dropCounters();
  /** Datagrams that were taken. */
  accepted = 0;
  /** Element 0: the packet number of the payload that `drain` is handing over. A cell, so that nothing is boxed. */
  readonly receivedNumber: Float64Array = new Float64Array(1);
  /** Element 0: the packet number that `writePayload` gave last. */
  readonly writtenNumber: Float64Array;
  readonly arrivals: Arrivals;
  readonly #aead: Aead;
  readonly #rng: Rng;
  readonly #sessions: Sessions;
  readonly #events = new EventQueue(64);
  readonly #header = new PacketHeader();
  readonly #attempt = new ConnectAttempt();
  readonly #packets: ClientPackets;
  readonly #path: ClientPath;
  readonly #course: ClientCourse;
  /** Element 0: the time of the call that is running. */
  readonly #time: Float64Array = new Float64Array(1);

  constructor(options: NetcodeClientOptions, aead: Aead, rng: Rng) {
    this.#aead = aead;
    this.#rng = rng;
    this.#sessions = new Sessions(1, 1, options.replayWindowSize ?? REPLAY_WINDOW_DEFAULT, aead);
    this.writtenNumber = this.#sessions.writtenNumber;
    this.arrivals = this.#sessions.replay;
    this.#packets = new ClientPackets(this.#sessions, this.#attempt);
    const silence = options.rebindSilenceMicros ?? REBIND_SILENCE_MICROS;
    checkWhole('rebindSilenceMicros', silence, 0, HOUR_MICROS);
    this.#path = new ClientPath(this.#sessions, this.#events, silence);
    this.#course = new ClientCourse(this.#sessions, this.#attempt, this.#path, this.#events);
  }

  /** The state's number in the standard: CLIENT_TOKEN_EXPIRED (-6) .. CLIENT_CONNECTED (3). */
  get state(): number {
    return this.#course.state;
  }

  /** Which server of the token is being tried or spoken with, 0 .. 31. */
  get serverIndex(): number {
    return this.#attempt.serverIndex;
  }

  /** Canonical address of that server, or null before the first `connect()`. */
  get serverAddress(): Uint8Array | null {
    return this.#attempt.serverAddress;
  }

  /** Whether payloads can be sent. The argument is there so that client and server can be used alike. */
  isConnected(_connection: number = ROW): boolean {
    return this.#course.state === CLIENT_CONNECTED;
  }

  lastReceivedAt(): Micros {
    return this.#sessions.lastReceivedAt[ROW]!;
  }

  /**
   * Starts to connect with a token of 2,048 bytes; `connect` or `disconnect` follows. What was before is forgotten without
   * a word: call `disconnect` and let `transmit` finish first.
   */
  connect(token: Uint8Array, now: Micros): void {
    this.#events.clear();
    this.#packets.farewellLeft = 0;
    this.#course.start(token, now);
  }

  /** Leaves; the server is told code and text (at most 255 bytes of UTF-8) with the next `transmit`. */
  disconnect(code: DisconnectCode, text: string, now: Micros): void {
    if (this.#course.state <= CLIENT_DISCONNECTED) return;
    this.#time[0] = now;
    // Before the challenge the server knows nothing that could be ended.
    if (this.#course.state >= CLIENT_SENDING_RESPONSE) this.#packets.sayFarewell(encodeReason(code, text));
    this.#course.end(CLIENT_DISCONNECTED, { code, side: 'local', text });
  }

  receive(batch: DatagramBatch, now: Micros, _unixSeconds: number): void {
    this.#events.checkDrained(now);
    this.#time[0] = now;
    for (let slot = 0; slot < batch.count; slot++) {
      const code = this.#receiveOne(batch, slot);
      if (code === ACCEPTED) this.accepted++;
      else countDrop(this.drops, code);
    }
  }

  drain(sink: NetcodeClientSink, now: Micros): void {
    const events = this.#events;
    for (let i = events.next(); i >= 0; i = events.next()) {
      switch (events.kind[i]) {
        case EVENT_PAYLOAD:
          this.receivedNumber[0] = events.number[i]!;
          sink.payload(this.#aead.plaintext, events.offset[i]!, events.length[i]!, now);
          break;
        case EVENT_CONNECT:
          sink.connect(this.#course.index, this.#course.maxClients);
          break;
        case EVENT_PATH:
          sink.path(events.length[i] === 1);
          break;
        case EVENT_DISCONNECT:
          sink.disconnect(this.#course.reason!);
          break;
      }
    }
  }

  advance(now: Micros): void {
    if (this.#course.state <= CLIENT_DISCONNECTED) return;
    this.#path.advance(now);
    this.#course.advance(now);
  }

  transmit(batch: DatagramBatch, now: Micros): void {
    this.#packets.writeFarewell(batch, now);
    this.#path.transmit(batch, now);
    if (this.#course.state <= CLIENT_DISCONNECTED || batch.full || now < this.#nextSendAt()) return;
    if (this.#course.state === CLIENT_SENDING_REQUEST) this.#packets.writeRequest(batch, now);
    else if (this.#course.state === CLIENT_SENDING_RESPONSE) this.#packets.writeResponse(batch, now);
    else this.#packets.writeKeepAlive(batch, now);
    this.#course.retryAt[0] = now + RETRY_MICROS + (this.#rng.u32() % RETRY_JITTER_MICROS);
  }

  deadline(): Micros {
    if (this.#packets.farewellLeft > 0 || this.#events.count > 0) return 0;
    if (this.#course.state <= CLIENT_DISCONNECTED) return NEVER;
    return Math.min(this.#nextSendAt(), this.#path.deadline(), this.#course.deadline());
  }

  /**
   * Seals the plaintext at `batch.home(batch.count)`, `batch.length[batch.count]` bytes (1 .. 1,200), and appends it to the
   * batch as a payload, with our connection id once we have moved. False when not connected; then nothing is appended.
   */
  writePayload(batch: DatagramBatch, _connection: number, now: Micros): boolean {
    if (this.#course.state !== CLIENT_CONNECTED) return false;
    const { id } = this.#path;
    if (id === null) this.#sessions.writePacket(batch, ROW, PACKET_PAYLOAD, now);
    else this.#sessions.writePacketWithId(batch, ROW, PACKET_PAYLOAD_WITH_ID, id, 0, now);
    return true;
  }

  /** Uses up a packet number, which is then in `writtenNumber`. */
  skipNumber(_connection: number): void {
    this.#sessions.skipNumber(ROW);
  }

  /** A client has no ids to offer. */
  idsWanted(_connection: number): number {
    return 0;
  }

  issueId(_connection: number, _into: Uint8Array, _at: number): boolean {
    return false;
  }

  /** Keeps a connection id from the server, 8 bytes at `bytes[at ..]`, for a later change of address. At most four are kept. */
  storeId(bytes: Uint8Array, at: number): void {
    if (this.#course.state === CLIENT_CONNECTED) this.#path.store(bytes, at);
  }

  /** Ids that wait to be used. Without any the client can still rebind with the one in use, if it has one. */
  get idsStored(): number {
    return this.#path.stored;
  }

  /** Whether the server would know us at another address: we are connected and have an id of it. */
  get canRebind(): boolean {
    return this.#course.state === CLIENT_CONNECTED && this.#path.able;
  }

  /**
   * Our address has changed or is about to (another network, another socket): tells the server with the next `transmit`,
   * under an id that nobody has seen, if there is one. `path` follows, or nothing when the server sees no change. False when
   * not connected or without an id.
   */
  rebind(now: Micros): boolean {
    if (!this.canRebind) return false;
    this.#path.begin(CAUSE_MOVED, now);
    return true;
  }

  /**
   * The server is heard, but what we send seems not to reach it: asks it where it sees us, as after silence, until it answers. False
   * when not connected, without an id, or while an attempt runs.
   */
  seek(now: Micros): boolean {
    if (!this.canRebind || this.#path.attempting) return false;
    this.#path.begin(CAUSE_UNHEARD, now);
    return true;
  }

  /** Whether the server is being told where we are, and has not answered. */
  get isRebinding(): boolean {
    return this.#path.attempting;
  }

  /** When we have to send again. A payload stands for a keep-alive. */
  #nextSendAt(): Micros {
    return this.#course.state === CLIENT_CONNECTED
      ? this.#sessions.lastSentAt[ROW]! + KEEP_ALIVE_MICROS
      : this.#course.retryAt[0]!;
  }

  /** Returns ACCEPTED or the reason to drop the datagram in `slot`. */
  #receiveOne(batch: DatagramBatch, slot: number): number {
    const length = batch.length[slot]!;
    if (length === 0) return DROP_EMPTY;
    const header = this.#header;
    const code = header.parse(batch.arena, batch.offset[slot]!, length, CLIENT_TAKES);
    if (code !== ACCEPTED) return code;
    if (header.type === PACKET_PATH && header.dataBytes !== PATH_FROM_SERVER_BYTES) return DROP_SIZE;
    if (!clientExpects(this.#course.state, header.type, header.sequenceHigh)) return DROP_WRONG_STATE;
    if (!sameAddress(this.#sessions.address, 0, batch.address, slot * ADDRESS_BYTES)) return DROP_UNKNOWN_ADDRESS;
    const isPath = header.type === PACKET_PATH;
    const isNewest = isPath && this.#sessions.replay.isNewest(ROW, header.sequenceLow, header.sequenceHigh);
    const opened = this.#sessions.openPacket(batch, slot, header, ROW);
    if (opened !== ACCEPTED) return opened;
    const at = slot * this.#aead.plaintextStrideBytes;
    if (!isPath) return this.#take(header, at);
    this.#sessions.lastReceivedAt[ROW] = this.#time[0]!;
    const idAt = batch.offset[slot]! + header.headerBytes - CONNECTION_ID_BYTES;
    const { plaintext } = this.#aead;
    const now = this.#time[0]!;
    if (
      !this.#path.sendsWith(batch.arena, idAt) &&
      !this.#path.isInvited(batch.arena, idAt, plaintext[at]!, isNewest, now)
    ) {
      return DROP_UNKNOWN_ID;
    }
    return this.#path.take(plaintext, at, isNewest, now);
  }

  /** Acts on an authentic packet whose plaintext starts at `at`. */
  #take(header: PacketHeader, at: number): number {
    const now = this.#time[0]!;
    if (header.type === PACKET_REASON) return this.#takeReason(header, at, now);
    this.#sessions.lastReceivedAt[ROW] = now;
    if (this.#path.attempting) this.#path.heard();
    switch (header.type) {
      case PACKET_PAYLOAD:
        this.#events.pushPayload(ROW, at, header.dataBytes, header.sequenceLow, header.sequenceHigh);
        break;
      case PACKET_KEEP_ALIVE:
        if (this.#course.state === CLIENT_SENDING_RESPONSE) this.#course.takeWelcome(this.#aead.plaintext, at);
        break;
      case PACKET_CHALLENGE:
        this.#course.takeChallenge(this.#aead.plaintext, at);
        break;
      case PACKET_DENIED:
        this.#course.tryNext(CLIENT_DENIED, { code: 'denied', side: 'remote', text: '' }, now);
        break;
      case PACKET_DISCONNECT:
        this.#course.end(CLIENT_DISCONNECTED, { code: 'closed', side: 'remote', text: '' });
        break;
    }
    return ACCEPTED;
  }

  /** Our server says why it is about to send "disconnect" or "denied": no need to wait for that. */
  #takeReason(header: PacketHeader, at: number, now: Micros): number {
    const reason = readReason(header.type, this.#aead.plaintext, at, header.dataBytes);
    if (reason === null) return DROP_REASON;
    // Above 2^63 it speaks of the handshake, and another server may decide otherwise; else of a connection that is over.
    if (header.sequenceHigh < 0) this.#course.tryNext(CLIENT_DENIED, reason, now);
    else this.#course.end(CLIENT_DISCONNECTED, reason);
    return ACCEPTED;
  }
}
