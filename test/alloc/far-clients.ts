/** A thousand clients on the other side of a tape: handshakes by real clients, then one `Connections` for all of them. */

import { ChannelTable } from '../../engine/channel-table.ts';
import {
  type ByteChannel,
  latestState,
  reliableOrdered,
  reliableSequenced,
  reliableUnordered,
  tickInput,
  unreliable,
  unreliableSequenced,
} from '../../engine/channels.ts';
import { chooseAead } from '../../sys/aead/choose.ts';
import { ADDRESS_BYTES, type Aead, addressOf, type DatagramBatch, type Micros, type Rng } from '../../sys/api.ts';
import type { MessageSink } from '../../transport/channel/incoming.ts';
import type { OutgoingSink } from '../../transport/channel/outgoing-events.ts';
import { Connections } from '../../transport/connections.ts';
import { ACCEPTED } from '../../transport/netcode/drop-counters.ts';
import { NetcodeClient } from '../../transport/netcode/netcode-client.ts';
import { associatedDataOf, CLIENT_TAKES, PACKET_PAYLOAD, PacketHeader } from '../../transport/netcode/packets.ts';
import { Sessions } from '../../transport/netcode/sessions.ts';
import { mintConnectToken, readConnectToken } from '../../transport/netcode/token.ts';
import type { Session } from '../../transport/session.ts';
import { lcg } from '../transport/pair.ts';

export const PROTOCOL_ID = 7n;
export const PRIVATE_KEY: Uint8Array = new Uint8Array(32).fill(9);
export const SECONDS = 1_800_000_000;
export const SLOT_BYTES = 2048;
export const SLOTS = 256;
const INPUT_BYTES = 32;
const NOBODY = { connect: () => {}, payload: () => {}, path: () => {}, disconnect: () => {} };

/** All seven kinds, in the order of their numbers. */
export const CHANNELS: {
  readonly a: ByteChannel<'unreliable'>;
  readonly b: ByteChannel<'unreliableSequenced'>;
  readonly c: ByteChannel<'reliableOrdered'>;
  readonly d: ByteChannel<'reliableUnordered'>;
  readonly e: ByteChannel<'reliableSequenced'>;
  readonly f: ByteChannel<'latestState'>;
  readonly g: ByteChannel<'tickInput'>;
} = {
  a: unreliable(),
  b: unreliableSequenced(),
  c: reliableOrdered(),
  d: reliableUnordered(),
  e: reliableSequenced(),
  f: latestState(),
  g: tickInput(),
};

/** Runs a turn of the server with what it receives and where it sends. */
type Turn = (fill: (rx: DatagramBatch) => number, take: (tx: DatagramBatch) => void) => void;

export class FarClients implements Session, MessageSink, OutgoingSink {
  readonly receivedNumber: Float64Array = new Float64Array(1);
  readonly writtenNumber: Float64Array;
  /** Packets that went and came, the lost ones with them; messages that came. */
  sent = 0;
  came = 0;
  messages = 0;
  readonly #clients: number;
  readonly #connections: Connections;
  readonly #sessions: Sessions;
  readonly #aead: Aead;
  readonly #header = new PacketHeader();
  #chance = 3;
  readonly #lossBelow: number;
  #turn = 0;

  constructor(clients: number, loss: number, batch: DatagramBatch) {
    this.#clients = clients;
    this.#lossBelow = loss * 2 ** 31;
    this.#aead = chooseAead(SLOTS, SLOT_BYTES);
    this.#sessions = new Sessions(clients, clients, 256, this.#aead);
    this.writtenNumber = this.#sessions.writtenNumber;
    this.#connections = new Connections(
      {
        connections: clients,
        channels: new ChannelTable(CHANNELS, false).set,
        backlogMax: 1024,
        backlogBytesMax: 1 << 20,
        sendMemoryBytesMax: 1 << 28,
        receiveMemoryBytesMax: 1 << 28,
        windowBytes: 1 << 21,
      },
      this,
      lcg(4),
      batch,
    );
  }

  /** Real handshakes, one client after the other; then their ends are taken over by rows of `Connections`. */
  connectAll(rng: Rng, now: () => Micros, turn: Turn): void {
    for (let index = 0; index < this.#clients; index++) this.#connect(index, rng, now, turn);
  }

  /** Queues what every client has to say in a tick. */
  tick(now: Micros): void {
    this.#connections.advance(now);
    this.#connections.drain(this, now);
    this.#turn++;
    for (let c = 0; c < this.#clients; c++) {
      this.#send(c, 6, this.#turn, now);
      if ((this.#turn + c) % 8 !== 0) continue;
      for (let channel = 0; channel < 5; channel++) this.#send(c, channel, 0, now);
      this.#send(c, 5, this.#turn & 15, now);
    }
  }

  /** Fills the server's receive batch. What is lost on the way has no bytes. */
  transmit(rx: DatagramBatch, now: Micros): number {
    rx.count = 0;
    this.#connections.transmit(rx, now);
    this.sent += rx.count;
    for (let slot = 0; slot < rx.count; slot++) if (this.#isLost()) rx.length[slot] = 0;
    return rx.count;
  }

  /** Takes what the server sends. */
  receive(tx: DatagramBatch, now: Micros): void {
    const header = this.#header;
    for (let slot = 0; slot < tx.count; slot++) {
      this.came++;
      if (this.#isLost()) continue;
      const code = header.parse(tx.arena, tx.offset[slot]!, tx.length[slot]!, CLIENT_TAKES);
      if (code !== ACCEPTED || header.type !== PACKET_PAYLOAD) continue;
      const c = indexOf(tx.address, slot * ADDRESS_BYTES);
      if (this.#sessions.openPacket(tx, slot, header, c) !== ACCEPTED) throw new Error(`client ${c} cannot open`);
      this.receivedNumber[0] = (header.sequenceHigh >>> 0) * 2 ** 32 + (header.sequenceLow >>> 0);
      const at = slot * this.#aead.plaintextStrideBytes;
      if (!this.#connections.receive(c, this.#aead.plaintext, at, header.dataBytes, now, this)) {
        throw new Error(this.#connections.frames.violationText);
      }
    }
  }

  isConnected(): boolean {
    return true;
  }

  writePayload(batch: DatagramBatch, c: number, now: Micros): boolean {
    this.#sessions.writePacket(batch, c, PACKET_PAYLOAD, now);
    return true;
  }

  skipNumber(c: number): void {
    this.#sessions.skipNumber(c);
  }

  idsWanted(): number {
    return 0;
  }

  issueId(): boolean {
    return false;
  }

  storeId(): void {}

  message(): void {
    this.messages++;
  }

  receipt(): void {}

  writable(): void {}

  blackHole(): void {}

  #isLost(): boolean {
    // In 32 bits with a sign: a larger number would be boxed, and what is measured is not this.
    this.#chance = (Math.imul(this.#chance, 1_664_525) + 1_013_904_223) | 0;
    return this.#chance >>> 1 < this.#lossBelow;
  }

  #send(c: number, channel: number, tag: number, now: Micros): void {
    const { pool } = this.#connections;
    const block = pool.take(INPUT_BYTES);
    if (!this.#connections.send(c, channel, block, INPUT_BYTES, tag, 0, 0, now)) throw new Error('too much waits');
    pool.release(block);
  }

  #connect(index: number, rng: Rng, now: () => Micros, turn: Turn): void {
    const own = addressOf('127.0.0.1', 40_000)!;
    const token = mintConnectToken(
      {
        protocolId: PROTOCOL_ID,
        privateKey: PRIVATE_KEY,
        clientId: BigInt(index),
        serverAddresses: [own, addressOf('127.0.0.1', 40_001)!], // several servers: packet numbers from a random epoch
        timeoutSeconds: -1,
      },
      this.#aead,
      rng,
      SECONDS,
    );
    const address = addressOf(`10.0.${index >> 8}.${index & 255}`, 5000)!;
    const client = new NetcodeClient({}, this.#aead, rng);
    client.connect(token, now());
    for (let round = 0; round < 8 && !client.isConnected(); round++) {
      turn(
        (rx) => {
          rx.count = 0;
          client.transmit(rx, now());
          for (let slot = 0; slot < rx.count; slot++) rx.address.set(address, slot * ADDRESS_BYTES);
          return rx.count;
        },
        (tx) => {
          // Of what goes to others, nothing is lost that matters: their ends have not been taken over yet.
          for (let slot = 0; slot < tx.count; slot++) {
            if (indexOf(tx.address, slot * ADDRESS_BYTES) === index) tx.address.set(own, slot * ADDRESS_BYTES);
          }
          client.receive(tx, now(), SECONDS);
          client.drain(NOBODY, now());
        },
      );
    }
    if (!client.isConnected()) throw new Error(`client ${index} did not connect`);
    const { clientToServerKey, serverToClientKey } = readConnectToken(token)!;
    this.#sessions.setKeys(index, clientToServerKey, serverToClientKey, associatedDataOf(PROTOCOL_ID));
    this.#sessions.nextHigh[index] = 1;
    this.#sessions.address.set(address, index * ADDRESS_BYTES);
    this.#connections.open(index, now());
  }
}

/** Which client has the address `10.0.x.y`. */
function indexOf(addresses: Uint8Array, at: number): number {
  return addresses[at + 14]! * 256 + addresses[at + 15]!;
}
