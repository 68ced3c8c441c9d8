/**
 * Opens the packets of a capture as one who listens on every link and knows the servers' private key: requests give their
 * tokens, tokens give the keys of both directions. Nothing of the engine is tapped, so what is shown is what was sent.
 */

import { type Aead, DatagramBatch } from '../../sys/api.ts';
import { ACCEPTED } from '../../transport/netcode/drop-counters.ts';
import {
  associatedDataOf,
  NONCE_BYTES,
  PACKET_PAYLOAD_WITH_ID,
  PACKET_REQUEST,
  PacketHeader,
  PRIVATE_TOKEN_BYTES,
  REQUEST_BYTES,
  REQUEST_EXPIRE_AT,
  REQUEST_NONCE_AT,
  REQUEST_PROTOCOL_AT,
  REQUEST_TOKEN_AT,
  tokenAssociatedDataOf,
} from '../../transport/netcode/packets.ts';
import { PrivateToken } from '../../transport/netcode/token.ts';

/** Every packet type that has a header. */
const TAKES_ALL: number = (1 << (PACKET_PAYLOAD_WITH_ID + 1)) - 2;
/** Longest datagram that may be a packet: a payload with header, id and tag has 1,233. */
const DATAGRAM_BYTES_MAX = 2_048;
/** Sessions of a client's host that are tried, the newest first: it connects to one server, and perhaps again. */
const SESSIONS_PER_PAIR_MAX = 8;

/** What each packet type is, by its number. */
export const PACKET_KINDS: readonly string[] = [
  'request',
  'denied',
  'challenge',
  'response',
  'keep-alive',
  'payload',
  'disconnect',
  'reason',
  'path',
  'payload with id',
];

/** What is needed to read the packets of servers. */
export interface CaptureKeys {
  readonly privateKey: Uint8Array;
  /** Of the game. Default: what each connection request says. */
  readonly protocolId?: bigint;
  /** The cryptography that the packets were sealed with. */
  readonly openAead: (slots: number, slotBytes: number) => Aead;
}

/** One use of a token: keys, and numbers that count from 0. */
export interface Session {
  /** Counts the sessions of the capture, from 0. */
  readonly number: number;
  readonly clientId: bigint;
  /** Names of the two hosts. */
  readonly client: string;
  readonly server: string;
}

interface OpenSession extends Session {
  readonly token: string;
  readonly upKey: number;
  readonly downKey: number;
}

/** A packet that was opened. */
export interface OpenedPacket {
  readonly session: Session;
  readonly fromClient: boolean;
  /** Packet type: see PACKET_KINDS. */
  readonly type: number;
  /** Of a request: -1. */
  readonly sequence: bigint;
  /** What was sealed; a copy. Of a request: empty. */
  readonly data: Uint8Array;
}

export class PacketOpener {
  readonly #keys: CaptureKeys;
  readonly #aead: Aead;
  readonly #batch: DatagramBatch = DatagramBatch.allocate(1, DATAGRAM_BYTES_MAX);
  readonly #header: PacketHeader = new PacketHeader();
  readonly #token: PrivateToken = new PrivateToken();
  /** By `client>server`, the newest first. */
  readonly #sessions: Map<string, OpenSession[]> = new Map();
  #count = 0;

  constructor(keys: CaptureKeys) {
    this.#keys = keys;
    this.#aead = keys.openAead(1, DATAGRAM_BYTES_MAX);
  }

  /** Opens a datagram on its way from one host to another; null when it is no packet of a session that is known. */
  open(from: string, to: string, bytes: Uint8Array): OpenedPacket | null {
    if (bytes.length === REQUEST_BYTES && bytes[0] === PACKET_REQUEST) return this.#openRequest(from, to, bytes);
    const header = this.#header;
    if (bytes.length > DATAGRAM_BYTES_MAX) return null;
    if (header.parse(bytes, 0, bytes.length, TAKES_ALL) !== ACCEPTED) return null;
    const batch = this.#batch;
    const at = batch.home(0);
    batch.offset[0] = at;
    for (const fromClient of [true, false]) {
      const sessions = this.#sessions.get(fromClient ? `${from}>${to}` : `${to}>${from}`) ?? [];
      for (const session of sessions) {
        const key = fromClient ? session.upKey : session.downKey;
        batch.arena.set(bytes, at); // anew each time: a provider may have written around it
        batch.length[0] = bytes.length;
        const { headerBytes, dataBytes, prefix, sequenceLow, sequenceHigh, type } = header;
        if (!this.#aead.open(batch, 0, headerBytes, key, prefix, sequenceLow, sequenceHigh)) continue;
        const sequence = BigInt.asUintN(64, (BigInt(sequenceHigh) << 32n) | BigInt(sequenceLow >>> 0));
        return { session, fromClient, type, sequence, data: this.#aead.plaintext.slice(0, dataBytes) };
      }
    }
    return null;
  }

  #openRequest(client: string, server: string, bytes: Uint8Array): OpenedPacket | null {
    const pair = `${client}>${server}`;
    const sessions = this.#sessions.get(pair) ?? [];
    const text = textOf(bytes.subarray(REQUEST_NONCE_AT));
    let session = sessions.find(({ token }) => token === text);
    if (session === undefined) {
      const made = this.#newSession(client, server, bytes, text);
      if (made === null) return null;
      session = made;
      sessions.unshift(made);
      this.#sessions.set(pair, sessions);
      if (sessions.length > SESSIONS_PER_PAIR_MAX) {
        const { upKey, downKey } = sessions.pop()!;
        this.#aead.free(upKey);
        this.#aead.free(downKey);
      }
    }
    return { session, fromClient: true, type: PACKET_REQUEST, sequence: -1n, data: bytes.slice(0, 0) };
  }

  #newSession(client: string, server: string, bytes: Uint8Array, text: string): OpenSession | null {
    const token = this.#token;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const protocolId = this.#keys.protocolId ?? view.getBigUint64(REQUEST_PROTOCOL_AT, true);
    const associatedData = tokenAssociatedDataOf(protocolId, view.getBigUint64(REQUEST_EXPIRE_AT, true));
    const nonce = bytes.slice(REQUEST_NONCE_AT, REQUEST_NONCE_AT + NONCE_BYTES);
    token.bytes.set(bytes.subarray(REQUEST_TOKEN_AT, REQUEST_TOKEN_AT + PRIVATE_TOKEN_BYTES));
    if (!this.#aead.openOnce(this.#keys.privateKey, nonce, associatedData, token.bytes) || !token.parse()) return null;
    const ofPackets = associatedDataOf(protocolId);
    return {
      number: this.#count++,
      clientId: new DataView(token.bytes.buffer).getBigUint64(0, true),
      client,
      server,
      token: text,
      upKey: this.#aead.load(token.clientToServerKey.slice(), ofPackets),
      downKey: this.#aead.load(token.serverToClientKey.slice(), ofPackets),
    };
  }
}

/** What tells one request from another: nonce and sealed token. */
function textOf(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
