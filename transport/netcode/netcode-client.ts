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
import type { DisconnectCode, DisconnectReason, Endpoint } from '../endpoint.ts';
import { ClientPackets } from './client-packets.ts';
import {
  CLIENT_CONNECTED,
  CLIENT_DENIED,
  CLIENT_DISCONNECTED,
  CLIENT_REQUEST_TIMED_OUT,
  CLIENT_RESPONSE_TIMED_OUT,
  CLIENT_SENDING_REQUEST,
  CLIENT_SENDING_RESPONSE,
  CLIENT_TIMED_OUT,
  CLIENT_TOKEN_EXPIRED,
  CLIENT_TOKEN_INVALID,
  clientExpects,
} from './client-states.ts';
import { ConnectAttempt } from './connect-attempt.ts';
import {
  ACCEPTED,
  countDrop,
  DROP_EMPTY,
  DROP_REASON,
  DROP_UNKNOWN_ADDRESS,
  DROP_WRONG_STATE,
  type DropCounters,
  dropCounters,
} from './drop-counters.ts';
import { EVENT_CONNECT, EVENT_DISCONNECT, EVENT_PAYLOAD, EventQueue } from './event-queue.ts';
import {
  associatedDataOf,
  CHALLENGE_DATA_BYTES,
  CLIENT_TAKES,
  KEEP_ALIVE_DATA_BYTES,
  PACKET_CHALLENGE,
  PACKET_DENIED,
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_PAYLOAD,
  PACKET_REASON,
  PacketHeader,
} from './packets.ts';
import { encodeReason, readReason } from './reason.ts';
import { REPLAY_WINDOW_DEFAULT } from './replay-window.ts';
import { copyAddress, Sessions } from './sessions.ts';
import type { NetcodeClientSink } from './sinks.ts';
import { KEEP_ALIVE_MICROS } from './timing.ts';

export type { NetcodeClientSink } from './sinks.ts';

export interface NetcodeClientOptions {
  /** See ReplayWindows. Default 4,096; the standard has 256. */
  readonly replayWindowSize?: number;
}

/** Requests and responses are repeated ten times a second (netcode 1.02) ... */
const RETRY_MICROS = 100_000;
/** ... and up to this much later, by chance: a server under a flood answers by chance too, and a beat could hide us. */
const RETRY_JITTER_MICROS = 10_000;
const SECOND_MICROS = 1_000_000;
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
  readonly #aead: Aead;
  readonly #rng: Rng;
  readonly #sessions: Sessions;
  readonly #events = new EventQueue(64);
  readonly #header = new PacketHeader();
  readonly #attempt = new ConnectAttempt();
  readonly #packets: ClientPackets;
  /** Element 0: the time of the call that is running. 1: when the next request or response is due. */
  readonly #times: Float64Array = new Float64Array(2);
  #state = CLIENT_DISCONNECTED;
  #index = 0;
  #maxClients = 0;
  #reason: DisconnectReason | null = null;
  /** What the server said last when it sent us away, until the next server is tried. */
  #refusal: DisconnectReason | null = null;

  constructor(options: NetcodeClientOptions, aead: Aead, rng: Rng) {
    this.#aead = aead;
    this.#rng = rng;
    this.#sessions = new Sessions(1, 1, options.replayWindowSize ?? REPLAY_WINDOW_DEFAULT, aead);
    this.writtenNumber = this.#sessions.writtenNumber;
    this.#packets = new ClientPackets(this.#sessions, this.#attempt);
  }

  /** The state's number in the standard: CLIENT_TOKEN_EXPIRED (-6) .. CLIENT_CONNECTED (3). */
  get state(): number {
    return this.#state;
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
    return this.#state === CLIENT_CONNECTED;
  }

  lastReceivedAt(): Micros {
    return this.#sessions.lastReceivedAt[ROW]!;
  }

  /**
   * Starts to connect with a token of 2,048 bytes; `connect` or `disconnect` follows. What was before is forgotten without
   * a word: call `disconnect` and let `transmit` finish first.
   */
  connect(token: Uint8Array, now: Micros): void {
    const sessions = this.#sessions;
    this.#events.clear();
    this.#packets.farewellLeft = 0;
    this.#refusal = null;
    sessions.freeKeys(ROW);
    const newKeys = this.#attempt.begin(token, now);
    const read = this.#attempt.token;
    if (read === null) {
      this.#end(CLIENT_TOKEN_INVALID, { code: 'token-invalid', side: 'local', text: '' });
      return;
    }
    if (newKeys) {
      // With the same keys as before the counter goes on, so that no number is used twice with them.
      sessions.nextLow[ROW] = 0;
      sessions.nextHigh[ROW] = 0;
    }
    sessions.setKeys(ROW, read.clientToServerKey, read.serverToClientKey, associatedDataOf(read.protocolId));
    sessions.timeoutMicros[ROW] = read.timeoutSeconds > 0 ? read.timeoutSeconds * SECOND_MICROS : 0;
    this.#tryServer(now);
  }

  /** Leaves; the server is told code and text (at most 255 bytes of UTF-8) with the next `transmit`. */
  disconnect(code: DisconnectCode, text: string, now: Micros): void {
    if (this.#state <= CLIENT_DISCONNECTED) return;
    this.#times[0] = now;
    // Before the challenge the server knows nothing that could be ended.
    if (this.#state >= CLIENT_SENDING_RESPONSE) this.#packets.sayFarewell(encodeReason(code, text));
    this.#end(CLIENT_DISCONNECTED, { code, side: 'local', text });
  }

  receive(batch: DatagramBatch, now: Micros, _unixSeconds: number): void {
    this.#events.checkDrained(now);
    this.#times[0] = now;
    for (let slot = 0; slot < batch.count; slot++) {
      const code = this.#receiveOne(batch, slot);
      if (code === ACCEPTED) this.accepted++;
      else countDrop(this.drops, code);
    }
  }

  drain(sink: NetcodeClientSink): void {
    const events = this.#events;
    for (let i = events.next(); i >= 0; i = events.next()) {
      switch (events.kind[i]) {
        case EVENT_PAYLOAD:
          this.receivedNumber[0] = events.number[i]!;
          sink.payload(this.#aead.plaintext, events.offset[i]!, events.length[i]!);
          break;
        case EVENT_CONNECT:
          sink.connect(this.#index, this.#maxClients);
          break;
        case EVENT_DISCONNECT:
          sink.disconnect(this.#reason!);
          break;
      }
    }
  }

  advance(now: Micros): void {
    if (this.#state <= CLIENT_DISCONNECTED) return;
    if (this.#state < CLIENT_CONNECTED && now >= this.#attempt.expiresAt) {
      this.#end(CLIENT_TOKEN_EXPIRED, { code: 'token-expired', side: 'local', text: '' });
      return;
    }
    const timeout = this.#sessions.timeoutMicros[ROW]!;
    if (timeout === 0 || now - this.#sessions.lastReceivedAt[ROW]! <= timeout) return;
    const reason: DisconnectReason = { code: 'timeout', side: 'local', text: '' };
    if (this.#state === CLIENT_CONNECTED) this.#end(CLIENT_TIMED_OUT, reason);
    else
      this.#tryNext(
        this.#state === CLIENT_SENDING_REQUEST ? CLIENT_REQUEST_TIMED_OUT : CLIENT_RESPONSE_TIMED_OUT,
        reason,
        now,
      );
  }

  transmit(batch: DatagramBatch, now: Micros): void {
    this.#packets.writeFarewell(batch, now);
    if (this.#state <= CLIENT_DISCONNECTED || batch.full || now < this.#nextSendAt()) return;
    if (this.#state === CLIENT_SENDING_REQUEST) this.#packets.writeRequest(batch, now);
    else if (this.#state === CLIENT_SENDING_RESPONSE) this.#packets.writeResponse(batch, now);
    else this.#packets.writeKeepAlive(batch, now);
    this.#times[1] = now + RETRY_MICROS + (this.#rng.u32() % RETRY_JITTER_MICROS);
  }

  deadline(): Micros {
    if (this.#packets.farewellLeft > 0 || this.#events.count > 0) return 0;
    if (this.#state <= CLIENT_DISCONNECTED) return NEVER;
    let deadline = this.#nextSendAt();
    const timeout = this.#sessions.timeoutMicros[ROW]!;
    if (timeout > 0) deadline = Math.min(deadline, this.#sessions.lastReceivedAt[ROW]! + timeout + 1);
    return this.#state < CLIENT_CONNECTED ? Math.min(deadline, this.#attempt.expiresAt) : deadline;
  }

  /**
   * Seals the plaintext at `batch.home(batch.count)`, `batch.length[batch.count]` bytes (1 .. 1,200), and appends it to the
   * batch as a payload. False when not connected; then nothing is appended.
   */
  writePayload(batch: DatagramBatch, _connection: number, now: Micros): boolean {
    if (this.#state !== CLIENT_CONNECTED) return false;
    this.#sessions.writePacket(batch, ROW, PACKET_PAYLOAD, now);
    return true;
  }

  /** When we have to send again. A payload stands for a keep-alive. */
  #nextSendAt(): Micros {
    return this.#state === CLIENT_CONNECTED ? this.#sessions.lastSentAt[ROW]! + KEEP_ALIVE_MICROS : this.#times[1]!;
  }

  /** Returns ACCEPTED or the reason to drop the datagram in `slot`. */
  #receiveOne(batch: DatagramBatch, slot: number): number {
    const length = batch.length[slot]!;
    if (length === 0) return DROP_EMPTY;
    const header = this.#header;
    const code = header.parse(batch.arena, batch.offset[slot]!, length, CLIENT_TAKES);
    if (code !== ACCEPTED) return code;
    if (!clientExpects(this.#state, header.type, header.sequenceHigh)) return DROP_WRONG_STATE;
    if (!sameAddress(this.#sessions.address, 0, batch.address, slot * ADDRESS_BYTES)) return DROP_UNKNOWN_ADDRESS;
    const opened = this.#sessions.openPacket(batch, slot, header, ROW);
    if (opened !== ACCEPTED) return opened;
    return this.#take(header, slot * this.#aead.plaintextStrideBytes);
  }

  /** Acts on an authentic packet whose plaintext starts at `at`. */
  #take(header: PacketHeader, at: number): number {
    const now = this.#times[0]!;
    if (header.type === PACKET_REASON) return this.#takeReason(header, at, now);
    this.#sessions.lastReceivedAt[ROW] = now;
    switch (header.type) {
      case PACKET_PAYLOAD:
        this.#events.pushPayload(ROW, at, header.dataBytes, header.sequenceLow, header.sequenceHigh);
        break;
      case PACKET_KEEP_ALIVE:
        if (this.#state === CLIENT_SENDING_RESPONSE) this.#begin(at);
        break;
      case PACKET_CHALLENGE:
        this.#attempt.challenge.set(this.#aead.plaintext.subarray(at, at + CHALLENGE_DATA_BYTES));
        this.#state = CLIENT_SENDING_RESPONSE;
        this.#times[1] = 0; // at once
        break;
      case PACKET_DENIED:
        this.#tryNext(CLIENT_DENIED, { code: 'denied', side: 'remote', text: '' }, now);
        break;
      case PACKET_DISCONNECT:
        this.#end(CLIENT_DISCONNECTED, { code: 'closed', side: 'remote', text: '' });
        break;
    }
    return ACCEPTED;
  }

  /** Our server says why it is about to send "disconnect" or "denied": no need to wait for that. */
  #takeReason(header: PacketHeader, at: number, now: Micros): number {
    const reason = readReason(header.type, this.#aead.plaintext, at, header.dataBytes);
    if (reason === null) return DROP_REASON;
    // Above 2^63 it speaks of the handshake, and another server may decide otherwise; else of a connection that is over.
    if (header.sequenceHigh < 0) this.#tryNext(CLIENT_DENIED, reason, now);
    else this.#end(CLIENT_DISCONNECTED, reason);
    return ACCEPTED;
  }

  #begin(at: number): void {
    const view = new DataView(this.#aead.plaintext.buffer, this.#aead.plaintext.byteOffset + at, KEEP_ALIVE_DATA_BYTES);
    this.#index = view.getUint32(0, true);
    this.#maxClients = view.getUint32(4, true);
    this.#state = CLIENT_CONNECTED;
    this.#sessions.lastSentAt[ROW] = -KEEP_ALIVE_MICROS; // confirm at once: until then the server doubles what it sends
    this.#events.push(EVENT_CONNECT, ROW);
  }

  /** Starts with the server whose turn it is. The packet counter goes on, since the keys stay the same. */
  #tryServer(now: Micros): void {
    copyAddress(this.#attempt.serverAddress!, 0, this.#sessions.address, 0);
    this.#sessions.replay.reset(ROW);
    this.#sessions.lastReceivedAt[ROW] = now;
    this.#state = CLIENT_SENDING_REQUEST;
    this.#times[1] = now;
  }

  /** This server will not have us: the next one, or the end in `state`. */
  #tryNext(state: number, reason: DisconnectReason, now: Micros): void {
    if (reason.side === 'remote') this.#refusal = reason;
    if (this.#attempt.next()) this.#tryServer(now);
    else this.#end(state, this.#refusal ?? reason);
  }

  #end(state: number, reason: DisconnectReason): void {
    this.#state = state;
    this.#reason = reason;
    this.#events.push(EVENT_DISCONNECT, ROW);
  }
}
